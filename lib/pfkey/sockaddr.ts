/** Socket addresses inside PF_KEY messages: Linux's form on our socket, BSD's form read as well. @module */
import { type Address, address, formatAddress } from "../ip/address.ts";
import { demandZero, words } from "./layout.ts";
import { PfkeyError } from "./numbers.ts";

/** An address and a port (0: any). In masks the address is a mask and the port 0xffff or 0. */
export interface SocketAddress {
  readonly address: Address;
  readonly port: number;
}

// A sockaddr_in has 16 octets, a sockaddr_in6 has 28. BSD's first octet is that length, then the family; Linux has a
// little-endian u16 family. The first octet tells them apart: a family (2, 10) is no length of a sockaddr.
const FORMS: Record<number, { octets: 16 | 28; bsdFamily: number; at: number; addressOctets: 4 | 16 }> = {
  16: { octets: 16, bsdFamily: 2, at: 4, addressOctets: 4 },
  28: { octets: 28, bsdFamily: 24, at: 8, addressOctets: 16 },
};
const LINUX_FAMILIES: Record<number, 16 | 28> = { 2: 16, 10: 28 };

/** Octets of an ADDRESS extension: 8 and the sockaddr, padded. */
export const addressSize = ({ address }: SocketAddress): number => 8 + (address.family === 4 ? 16 : 32);

/** Writes the Linux form at offset 8. */
export function writeSocketAddress({ address, port }: SocketAddress, view: DataView, octets: Uint8Array): void {
  view.setUint16(8, address.family === 4 ? 2 : 10, true);
  view.setUint16(10, port);
  octets.set(address.octets, address.family === 4 ? 12 : 16);
}

/** Reads either form from offset 8. @throws {PfkeyError} EINVAL */
export function readSocketAddress(view: DataView, octets: Uint8Array, what: string): SocketAddress {
  if (octets.length < 24) throw new PfkeyError("EINVAL", `${what}: ${octets.length} octets, 24 or 40 are needed`);
  const linux = octets[9] === 0 ? LINUX_FAMILIES[octets[8]] : undefined;
  const form = FORMS[linux ?? octets[8]];
  if (!form || (linux === undefined && octets[9] !== form.bsdFamily)) {
    throw new PfkeyError("EINVAL", `${what}: neither an IPv4 nor an IPv6 socket address`);
  }
  const size = 8 + words(form.octets);
  if (octets.length !== size) {
    throw new PfkeyError("EINVAL", `${what}: ${octets.length} octets, its address family needs ${size}`);
  }
  demandZero(octets, 4, 8, what);
  const at = 8 + form.at;
  demandZero(octets, 12, at, what); // sin6_flowinfo
  // IPv6: the scope identifier may be anything; IPv4: sin_zero.
  demandZero(octets, at + form.addressOctets + (form.octets === 28 ? 4 : 0), size, what);
  return { address: address(octets.subarray(at, at + form.addressOctets)), port: view.getUint16(10) };
}

/** `192.0.2.1`, `192.0.2.1 port 80`. */
export function describeSocketAddress({ address, port }: SocketAddress): string {
  return port ? `${formatAddress(address)} port ${port}` : formatAddress(address);
}
