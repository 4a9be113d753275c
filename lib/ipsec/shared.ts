/** SAs and flows made of shared parts, for tables that hold very many of them. @module */
import type { Prefix } from "../ip/address.ts";
import type { AddressPool } from "../ip/address_pool.ts";
import { erase } from "../octets/bytes.ts";
import { Slab } from "../octets/slab.ts";
import type { Flow, Lifetime, SaParameters } from "./types.ts";

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

const MOST_LIFETIMES = 1024;
const lifetimes = new Map<string, Lifetime>();

/** One object for equal limits, which most SAs have; not to be changed. */
export function sharedLifetime(lifetime: Lifetime): Lifetime {
  const { allocations, bytes, addSeconds, useSeconds } = lifetime;
  const key = `${allocations} ${bytes} ${addSeconds} ${useSeconds}`;
  let shared = lifetimes.get(key);
  if (!shared) {
    if (lifetimes.size >= MOST_LIFETIMES) lifetimes.clear();
    lifetimes.set(key, shared = lifetime);
  }
  return shared;
}

const slab = new Slab();

/** The octets of a key in memory that is shared; the given array is erased. */
function movedKey(given: Uint8Array): Uint8Array {
  const key = slab.copy(given);
  erase(given);
  return key;
}

/** The same SA, made of the pool's addresses. The given keys are erased. */
export function shareSa(pool: AddressPool, sa: SaParameters): SaParameters {
  const { source, destination, proxy, encryptionKey, authenticationKey } = sa;
  return {
    ...sa,
    hard: sharedLifetime(sa.hard),
    soft: sharedLifetime(sa.soft),
    source: pool.share(source),
    destination: pool.share(destination),
    ...(proxy && { proxy: pool.share(proxy) }),
    ...(encryptionKey && { encryptionKey: movedKey(encryptionKey) }),
    ...(authenticationKey && { authenticationKey: movedKey(authenticationKey) }),
  };
}
