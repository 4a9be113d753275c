/**
 * Socket addresses, message headers, I/O vectors and control messages, built and read in an arena. Offsets are octets
 * from the arena's start; pointers in structures are the arena's address plus an offset. Nothing here allocates except
 * where it says so.
 *
 * @module
 */
import {
  CMSGHDR,
  IN6_PKTINFO,
  IN_PKTINFO,
  IOVEC,
  MSGHDR,
  OPTION,
  SOCKADDR_IN,
  SOCKADDR_IN6,
  SOCKET,
} from "../ffi/structs.ts";
import { type Address, address } from "../ip/address.ts";
import type { Arena } from "../octets/arena.ts";
import type { Bytes } from "../octets/bytes.ts";

/** Writes the address of arena offset `target` as a pointer at `at`; 0 writes a null pointer. */
export function writePointer(arena: Arena, at: number, target: number): void {
  const value = target === 0 ? 0 : arena.baseNumber + target;
  arena.u32[at >> 2] = value >>> 0;
  arena.u32[(at >> 2) + 1] = (value / 4294967296) >>> 0;
}

/** Writes a struct iovec at `at`: `octets` octets at `target`. */
export function writeIovec(arena: Arena, at: number, target: number, octets: number): void {
  writePointer(arena, at + IOVEC.at.base, target);
  arena.u32[(at + IOVEC.at.length) >> 2] = octets;
  arena.u32[(at + IOVEC.at.length + 4) >> 2] = 0;
}

/** Where the parts of a message lie; an absent name or control is none. */
export interface MessageParts {
  /** Offset and octets of the sockaddr. */
  readonly name?: number;
  readonly nameOctets?: number;
  /** Offset of the first iovec, and how many. */
  readonly iov: number;
  readonly iovCount: number;
  readonly control?: number;
  readonly controlOctets?: number;
}

/** Writes a struct msghdr (the first part of a mmsghdr, too) at `at`. */
export function writeMessage(arena: Arena, at: number, parts: MessageParts): void {
  arena.u8.fill(0, at, at + MSGHDR.octets);
  writePointer(arena, at + MSGHDR.at.name, parts.name ?? 0);
  arena.u32[(at + MSGHDR.at.nameLength) >> 2] = parts.nameOctets ?? 0;
  writePointer(arena, at + MSGHDR.at.iov, parts.iov);
  arena.u32[(at + MSGHDR.at.iovLength) >> 2] = parts.iovCount;
  writePointer(arena, at + MSGHDR.at.control, parts.control ?? 0);
  arena.u32[(at + MSGHDR.at.controlLength) >> 2] = parts.controlOctets ?? 0;
}

/** Octets of the sockaddr of a family. */
export const sockaddrOctets = (family: 4 | 6): number => family === 4 ? SOCKADDR_IN.octets : SOCKADDR_IN6.octets;

/** A sockaddr_in or sockaddr_in6 as octets (allocates). `scope`: interface index of a link-local address. */
export function encodeSockaddr({ family, octets }: Address, port: number, scope = 0): Bytes {
  const out = new Uint8Array(sockaddrOctets(family));
  const view = new DataView(out.buffer);
  view.setUint16(0, family === 4 ? SOCKET.AF_INET : SOCKET.AF_INET6, true);
  view.setUint16(SOCKADDR_IN.at.port, port);
  out.set(octets, family === 4 ? SOCKADDR_IN.at.address : SOCKADDR_IN6.at.address);
  if (family === 6) view.setUint32(SOCKADDR_IN6.at.scope, scope, true);
  return out;
}

/** Writes a sockaddr at `at`; returns its octets. */
export function writeSockaddr(arena: Arena, at: number, address: Address, port: number, scope = 0): number {
  const octets = encodeSockaddr(address, port, scope);
  arena.u8.set(octets, at);
  return octets.length;
}

/** The sockaddr at `at` (allocates); undefined for a family that is neither IPv4 nor IPv6. */
export function readSockaddr(arena: Arena, at: number): { address: Address; port: number } | undefined {
  const family = arena.view.getUint16(at, true);
  if (family !== SOCKET.AF_INET && family !== SOCKET.AF_INET6) return undefined;
  const [offset, length] = family === SOCKET.AF_INET ? [SOCKADDR_IN.at.address, 4] : [SOCKADDR_IN6.at.address, 16];
  return {
    address: address(arena.u8.subarray(at + offset, at + offset + length)),
    port: arena.view.getUint16(at + SOCKADDR_IN.at.port),
  };
}

/** Octets that a control message with `dataOctets` of data takes, padding included (CMSG_SPACE). */
export const controlSpace = (dataOctets: number): number => CMSGHDR.octets + ((dataOctets + 7) & ~7);

/** Writes the head of a control message at `at`; returns the offset of its data. */
export function writeControl(arena: Arena, at: number, option: readonly [number, number], dataOctets: number): number {
  arena.u32[(at + CMSGHDR.at.length) >> 2] = CMSGHDR.octets + dataOctets;
  arena.u32[(at + CMSGHDR.at.length + 4) >> 2] = 0;
  arena.i32[(at + CMSGHDR.at.level) >> 2] = option[0];
  arena.i32[(at + CMSGHDR.at.type) >> 2] = option[1];
  return at + CMSGHDR.octets;
}

/** Octets that {@linkcode writeSegmentSize} takes. */
export const SEGMENT_CONTROL_OCTETS = controlSpace(2);

/** Writes the control message that has the kernel cut what is sent into datagrams of `octets` (UDP_SEGMENT). */
export function writeSegmentSize(arena: Arena, at: number, octets: number): number {
  arena.view.setUint16(writeControl(arena, at, OPTION.UDP_SEGMENT, 2), octets, true);
  return SEGMENT_CONTROL_OCTETS;
}

const TOS_CONTROL_OCTETS = controlSpace(4);

/** Writes the control message that sets the TOS octet or traffic class of what is sent; returns its octets. */
export function writeTos(arena: Arena, at: number, family: 4 | 6, tos: number): number {
  arena.i32[writeControl(arena, at, family === 4 ? OPTION.IP_TOS : OPTION.IPV6_TCLASS, 4) >> 2] = tos;
  return TOS_CONTROL_OCTETS;
}

/** Writes the control message that sets the own address (and interface) of what is sent; returns its octets. */
export function writePacketInfo(arena: Arena, at: number, source: Address, interfaceIndex = 0): number {
  if (source.family === 4) {
    const data = writeControl(arena, at, OPTION.IP_PKTINFO, IN_PKTINFO.octets);
    arena.u8.fill(0, data, data + IN_PKTINFO.octets);
    arena.i32[(data + IN_PKTINFO.at.index) >> 2] = interfaceIndex;
    arena.u8.set(source.octets, data + IN_PKTINFO.at.source);
    return controlSpace(IN_PKTINFO.octets);
  }
  const data = writeControl(arena, at, OPTION.IPV6_PKTINFO, IN6_PKTINFO.octets);
  arena.u8.set(source.octets, data + IN6_PKTINFO.at.address);
  arena.u32[(data + IN6_PKTINFO.at.index) >> 2] = interfaceIndex;
  return controlSpace(IN6_PKTINFO.octets);
}

/** The offset of the data of the first control message of this type in `octets` octets at `at`; 0 if there is none. */
export function findControl(arena: Arena, at: number, octets: number, option: readonly [number, number]): number {
  const end = at + octets;
  while (at + CMSGHDR.octets <= end) {
    const length = arena.u32[(at + CMSGHDR.at.length) >> 2];
    if (length < CMSGHDR.octets || at + length > end) return 0;
    if (arena.i32[(at + CMSGHDR.at.level) >> 2] === option[0] && arena.i32[(at + CMSGHDR.at.type) >> 2] === option[1]) {
      return at + CMSGHDR.octets;
    }
    at += (length + 7) & ~7;
  }
  return 0;
}

/** Octets of control messages to leave room for on a protocol socket of family 6, extension headers included. */
export const IPV6_CONTROL_OCTETS = 1024;

/** Next Header number of the extension headers that come as control messages. */
const EXTENSIONS: readonly (readonly [type: number, nextHeader: number])[] = [
  [OPTION.IPV6_HOPOPTS[1], 0],
  [OPTION.IPV6_DSTOPTS[1], 60],
  [OPTION.IPV6_RTHDR[1], 43],
];

/**
 * Restores, left of a payload received from a protocol socket of family 6, the IPv6 header and the extension headers
 * that stood before it; the kernel hands them over in their order. The flow label is lost (0): AH does not cover it.
 *
 * @param message offset of the msghdr after recvmsg: its name is the source, its control messages the rest
 * @param protocol the socket's protocol
 * @param at offset of the payload
 * @param headroomOctets octets before `at` that may be written
 * @returns the offset of the IPv6 header; 0 when the headers do not fit or the destination was not told
 */
export function rebuildIpv6Header(
  arena: Arena,
  message: number,
  protocol: number,
  at: number,
  payloadOctets: number,
  headroomOctets: number,
): number {
  const { u8, u32, i32, view } = arena;
  const control = pointerOffset(arena, message + MSGHDR.at.control);
  const controlEnd = control + u32[(message + MSGHDR.at.controlLength) >> 2];
  const name = pointerOffset(arena, message + MSGHDR.at.name);
  let extensionOctets = 0;
  for (let pass = 0; pass < 2; pass++) {
    const header = at - extensionOctets - 40;
    if (pass === 1) {
      if (extensionOctets + 40 > headroomOctets) return 0;
      u8.fill(0, header, header + 8);
      u8[header] = 0x60;
      view.setUint16(header + 4, extensionOctets + payloadOctets);
      u8[header + 6] = protocol;
      u8[header + 7] = 64;
      u8.copyWithin(header + 8, name + SOCKADDR_IN6.at.address, name + SOCKADDR_IN6.at.address + 16);
    }
    let next = header + 6; // where the number of the next header goes
    let to = header + 40;
    let destination = 0;
    for (let cm = control; cm + CMSGHDR.octets <= controlEnd;) {
      const length = u32[(cm + CMSGHDR.at.length) >> 2];
      if (length < CMSGHDR.octets || cm + length > controlEnd) break;
      const type = i32[(cm + CMSGHDR.at.type) >> 2];
      const data = cm + CMSGHDR.octets;
      if (i32[(cm + CMSGHDR.at.level) >> 2] === SOCKET.IPPROTO_IPV6) {
        if (type === OPTION.IPV6_PKTINFO[1]) {
          destination = data;
          if (pass === 1) u8.copyWithin(header + 24, data, data + 16);
        } else if (pass === 1 && type === OPTION.IPV6_TCLASS[1]) {
          const trafficClass = u8[data];
          u8[header] = 0x60 | trafficClass >> 4;
          u8[header + 1] = (trafficClass & 15) << 4;
        } else if (pass === 1 && type === OPTION.IPV6_HOPLIMIT[1]) {
          u8[header + 7] = u8[data];
        }
        for (let i = 0; i < EXTENSIONS.length; i++) {
          if (EXTENSIONS[i][0] !== type) continue;
          const octets = length - CMSGHDR.octets;
          if (pass === 0) {
            extensionOctets += octets;
            continue;
          }
          u8.copyWithin(to, data, data + octets);
          u8[next] = EXTENSIONS[i][1];
          next = to;
          u8[next] = protocol;
          to += octets;
        }
      }
      cm += (length + 7) & ~7;
    }
    if (destination === 0) return 0;
  }
  return at - extensionOctets - 40;
}

/** The arena offset to which the pointer at `at` points. */
function pointerOffset(arena: Arena, at: number): number {
  return arena.u32[at >> 2] + arena.u32[(at >> 2) + 1] * 4294967296 - arena.baseNumber;
}
