/** The host's own addresses, filtered as `Listen-on` and `-4`, `-6` say. @module */
import { type Address, formatAddress, isAddress, parseAddress } from "../ip/address.ts";

export interface LocalAddress {
  readonly interface: string;
  readonly address: Address;
}

/** All addresses of all interfaces, link-local ones aside: nobody can say which link is meant by one. */
export function localAddresses(): LocalAddress[] {
  return Deno.networkInterfaces()
    .filter(({ address }) => isAddress(address))
    .map(({ name, address }) => ({ interface: name, address: parseAddress(address) }))
    .filter(({ address: { family, octets } }) => family === 4 || !(octets[0] === 0xfe && (octets[1] & 0xc0) === 0x80));
}

/**
 * The addresses to listen on.
 *
 * @param listenOn addresses and interface names; absent: everything
 * @param families the IP versions wanted
 * @returns the addresses, and the elements of `listenOn` that matched none
 */
export function chooseAddresses(
  all: readonly LocalAddress[],
  listenOn: readonly string[] | undefined,
  families: readonly (4 | 6)[],
): { chosen: Address[]; unmatched: string[] } {
  const matches = (element: string, local: LocalAddress) =>
    isAddress(element)
      ? formatAddress(parseAddress(element)) === formatAddress(local.address)
      : element === local.interface;
  const chosen = new Map<string, Address>();
  for (const local of all) {
    if (!families.includes(local.address.family)) continue;
    if (listenOn && !listenOn.some((element) => matches(element, local))) continue;
    chosen.set(formatAddress(local.address), local.address);
  }
  const unmatched = (listenOn ?? []).filter((element) => !all.some((local) => matches(element, local)));
  return { chosen: Array.from(chosen.values()), unmatched };
}
