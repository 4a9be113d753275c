/** SAs and flows made of shared parts, for tables that hold very many of them. @module */
import type { Prefix } from "../ip/address.ts";
import type { AddressPool } from "../ip/address_pool.ts";
import type { Flow, SaParameters } from "./types.ts";

const sharedPrefix = (pool: AddressPool, { address, length }: Prefix): Prefix => ({
  address: pool.share(address),
  length,
});

/** The same flow, made of the pool's addresses. */
export function shareFlow(pool: AddressPool, flow: Flow): Flow {
  const { selector, peer, local } = flow;
  return {
    ...flow,
    selector: {
      ...selector,
      source: sharedPrefix(pool, selector.source),
      destination: sharedPrefix(pool, selector.destination),
    },
    ...(peer && { peer: pool.share(peer) }),
    ...(local && { local: pool.share(local) }),
  };
}

/** The same SA, made of the pool's addresses; the keys are the given ones. */
export function shareSa(pool: AddressPool, sa: SaParameters): SaParameters {
  const { source, destination, proxy } = sa;
  return {
    ...sa,
    source: pool.share(source),
    destination: pool.share(destination),
    ...(proxy && { proxy: pool.share(proxy) }),
  };
}
