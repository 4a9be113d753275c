/** The IP header around a protected packet: built in tunnel mode, moved and mended in transport mode. @module */
import { fold, pseudoSum, sum, updateChecksum, writeHeaderChecksum } from "../ip/checksum.ts";
import { IP_PROTOCOL, IPV4, IPV6, TCP, UDP } from "../ip/headers.ts";
import { HeaderWalk, walkHeaders } from "../ip/walk.ts";
import { sameAddressAt } from "../ip/words.ts";
import { decapsulatedEcn, ECN_DROP } from "./ecn.ts";
import { DROP, type Packet } from "./packet.ts";
import type { Sa } from "./sa.ts";
import { SCRATCH } from "./scratch.ts";

const walk = new HeaderWalk();

/** Moves whole 32-bit words; the ranges may overlap. */
export function moveWords(view: DataView, from: number, to: number, octets: number): void {
  if (to < from) { for (let i = 0; i < octets; i += 4) view.setInt32(to + i, view.getInt32(from + i)); }
  else for (let i = octets - 4; i >= 0; i -= 4) view.setInt32(to + i, view.getInt32(from + i));
}

/** TOS or traffic class of the IP header at `at`. */
function tosAt(view: DataView, at: number, family: number): number {
  return family === 4 ? view.getUint8(at + IPV4.TOS) : view.getUint16(at) >> 4 & 0xff;
}

/**
 * First step of every encapsulation: chooses the mode, checks the packet and makes room for a security header of
 * `sa.headOctets` before `packet.payloadAt`. In transport mode the IP header has then moved to the left.
 */
export function place(view: DataView, sa: Sa, packet: Packet): number {
  const at = packet.at;
  if (!walkHeaders(view, at, packet.octets, walk)) return DROP.malformedHeader;
  const family = walk.family;
  packet.octets = walk.octets;
  const tunnel = sa.tunnel || family !== sa.family || walk.fragment ||
    !sameAddressAt(view, at + (family === 4 ? IPV4.DESTINATION : IPV6.DESTINATION), family, sa.destination) ||
    (sa.sourceKnown &&
      !sameAddressAt(view, at + (family === 4 ? IPV4.SOURCE : IPV6.SOURCE), family, sa.source));
  packet.tunnelled = tunnel;
  packet.family = sa.family;
  packet.tos = tosAt(view, at, family);
  packet.dontFragment = family === 4 && (view.getUint16(at + IPV4.FRAGMENT) & IPV4.DF) !== 0;
  if (tunnel) {
    packet.payloadAt = at;
    packet.nextHeader = family === 4 ? IP_PROTOCOL.IPIP : IP_PROTOCOL.IPV6;
    packet.tos &= sa.ecnMask;
    if (sa.dfPolicy !== 0) packet.dontFragment = sa.dfPolicy === 1;
    return DROP.none;
  }
  packet.bare = false;
  packet.payloadAt = walk.insertAt;
  packet.nextHeader = view.getUint8(walk.insertNextHeaderAt);
  const shift = sa.headOctets + (sa.udpPort === 0 ? 0 : UDP.OCTETS);
  moveWords(view, at, at - shift, walk.insertAt - at);
  packet.at = at - shift;
  packet.octets += shift;
  packet.nextHeaderAt = walk.insertNextHeaderAt - shift;
  return DROP.none;
}

/** The next identification. Never 0: Linux puts another in its place, and AH covers it. */
function nextIdentification(view: DataView, sa: Sa): number {
  const at = sa.scratchAt + SCRATCH.IDENTIFICATION;
  const identification = view.getInt32(at) & 0xffff || 1;
  view.setInt32(at, identification + 1);
  return identification;
}

function writeV4(view: DataView, sa: Sa, at: number, octets: number, packet: Packet, protocol: number): void {
  const identification = nextIdentification(view, sa);
  const fragment = packet.dontFragment ? IPV4.DF : 0;
  const first = 0x4500 | packet.tos;
  const life = sa.hopLimit << 8 | protocol;
  const source = sa.source[0];
  const destination = sa.destination[0];
  const checksum = ~fold(
    first + octets + identification + fragment + life + (source >>> 16) + (source & 0xffff) + (destination >>> 16) +
      (destination & 0xffff),
  ) & 0xffff;
  view.setInt32(at, first << 16 | octets);
  view.setInt32(at + IPV4.IDENTIFICATION, identification << 16 | fragment);
  view.setInt32(at + IPV4.TTL, life << 16 | checksum);
  view.setInt32(at + IPV4.SOURCE, source);
  view.setInt32(at + IPV4.DESTINATION, destination);
}

function writeV6(view: DataView, sa: Sa, at: number, octets: number, packet: Packet, protocol: number): void {
  view.setInt32(at, 0x60000000 | packet.tos << 20);
  view.setInt32(at + IPV6.PAYLOAD_LENGTH, octets - IPV6.OCTETS << 16 | protocol << 8 | sa.hopLimit);
  for (let i = 0; i < 4; i++) {
    view.setInt32(at + IPV6.SOURCE + 4 * i, sa.source[i]);
    view.setInt32(at + IPV6.DESTINATION + 4 * i, sa.destination[i]);
  }
}

/** Writes length, protocol and checksum of an IP header that stays. */
function mend(view: DataView, packet: Packet, family: number, headerOctets: number, protocol: number): void {
  view.setUint8(packet.nextHeaderAt, protocol);
  if (family === 4) {
    view.setUint16(packet.at + IPV4.TOTAL_LENGTH, packet.octets);
    writeHeaderChecksum(view, packet.at, headerOctets);
  } else view.setUint16(packet.at + IPV6.PAYLOAD_LENGTH, packet.octets - IPV6.OCTETS);
}

/**
 * Last step of an encapsulation: the IP (and UDP) header before the security header at `securityAt`; the packet ends at
 * `endAt`. `false` when the result exceeds 65,535 octets.
 */
export function enclose(
  view: DataView,
  sa: Sa,
  packet: Packet,
  securityAt: number,
  endAt: number,
  protocol: number,
): boolean {
  packet.securityAt = securityAt;
  if (packet.bare) {
    packet.at = securityAt;
    packet.octets = endAt - securityAt;
    return packet.octets <= 65535;
  }
  const family = sa.family;
  let payloadAt = securityAt;
  if (sa.udpPort !== 0) {
    payloadAt -= UDP.OCTETS;
    view.setInt32(payloadAt, sa.udpSourcePort << 16 | sa.udpPort);
    view.setInt32(payloadAt + UDP.LENGTH, endAt - payloadAt << 16);
    protocol = IP_PROTOCOL.UDP;
  }
  if (packet.tunnelled) packet.at = payloadAt - (family === 4 ? IPV4.OCTETS : IPV6.OCTETS);
  const at = packet.at;
  packet.octets = endAt - at;
  if (packet.octets > 65535) return false;
  if (packet.tunnelled) {
    if (family === 4) writeV4(view, sa, at, packet.octets, packet, protocol);
    else writeV6(view, sa, at, packet.octets, packet, protocol);
  } else {
    if (family === 4 && view.getUint16(at + IPV4.IDENTIFICATION) === 0) {
      view.setUint16(at + IPV4.IDENTIFICATION, nextIdentification(view, sa));
    }
    mend(view, packet, family, payloadAt - at, protocol);
  }
  return true;
}

/**
 * Very last step of a UDP-encapsulated packet: RFC 3948 sends checksum 0 over IPv4, but IPv6 does not allow that without
 * the rules of RFC 6936, so there it is computed over the finished ESP.
 */
export function writeUdpChecksum(view: DataView, packet: Packet): void {
  if (packet.family === 4 || packet.bare) return;
  const udpAt = packet.securityAt - UDP.OCTETS;
  const octets = packet.at + packet.octets - udpAt;
  const sourceAt = packet.at + IPV6.SOURCE;
  const pseudo = pseudoSum(view, 6, sourceAt, packet.at + IPV6.DESTINATION, IP_PROTOCOL.UDP, octets);
  view.setUint16(udpAt + UDP.CHECKSUM, ~sum(view, udpAt, octets, pseudo) & 0xffff || 0xffff);
}

/** Sets the ECN field of the inner packet from the outer one's. */
function decapsulateEcn(view: DataView, at: number, family: number, outerTos: number): number {
  const tos = tosAt(view, at, family);
  const ecn = decapsulatedEcn(tos, outerTos);
  if (ecn === ECN_DROP) return DROP.congestion;
  if (ecn === (tos & 3)) return DROP.none;
  const word = view.getUint16(at);
  if (family === 4) {
    const after = word & 0xfffc | ecn;
    view.setUint16(at, after);
    view.setUint16(at + IPV4.CHECKSUM, updateChecksum(view.getUint16(at + IPV4.CHECKSUM), word, after));
  } else view.setUint16(at, word & 0xffcf | ecn << 4);
  return DROP.none;
}

/** Corrects the TCP or UDP checksum for addresses that a NAT changed (RFC 3948 3.1.2). */
function correctChecksum(view: DataView, sa: Sa, packet: Packet): void {
  if (!walkHeaders(view, packet.at, packet.octets, walk) || walk.fragment) return;
  const tcp = walk.protocol === IP_PROTOCOL.TCP;
  const offset = tcp
    ? TCP.CHECKSUM
    : walk.protocol === IP_PROTOCOL.UDP || walk.protocol === IP_PROTOCOL.UDPLITE
    ? UDP.CHECKSUM
    : walk.protocol === IP_PROTOCOL.ICMPV6
    ? 2
    : -1;
  const checksumAt = walk.payloadAt + offset;
  if (offset < 0 || checksumAt + 2 > packet.at + packet.octets) return;
  let checksum = view.getUint16(checksumAt);
  if (checksum === 0 && walk.protocol === IP_PROTOCOL.UDP) return;
  const octets = walk.family === 4 ? 4 : 16;
  const sourceAt = packet.at + (walk.family === 4 ? IPV4.SOURCE : IPV6.SOURCE);
  if (sa.natSourceSum >= 0) checksum = updateChecksum(checksum, sa.natSourceSum, sum(view, sourceAt, octets, 0));
  if (sa.natDestinationSum >= 0) {
    checksum = updateChecksum(checksum, sa.natDestinationSum, sum(view, sourceAt + octets, octets, 0));
  }
  view.setUint16(checksumAt, checksum === 0 && walk.protocol === IP_PROTOCOL.UDP ? 0xffff : checksum);
}

function openTunnel(view: DataView, packet: Packet, dataAt: number, dataOctets: number, nextHeader: number): number {
  const family = nextHeader === IP_PROTOCOL.IPIP ? 4 : 6;
  if (!walkHeaders(view, dataAt, dataOctets, walk) || walk.family !== family) return DROP.badInner;
  const outerTos = packet.bare ? packet.tos : tosAt(view, packet.at, packet.family);
  const drop = decapsulateEcn(view, dataAt, family, outerTos);
  packet.at = dataAt;
  packet.octets = walk.octets;
  packet.bare = false;
  packet.tunnelled = true;
  return drop;
}

/** Builds the IP header that a socket took away, before `dataAt`. */
function restoreHeader(view: DataView, sa: Sa, packet: Packet, dataAt: number): number {
  const family = packet.family;
  const headerOctets = family === 4 ? IPV4.OCTETS : IPV6.OCTETS;
  const at = packet.at = dataAt - headerOctets;
  const { sourceAt, destinationAt } = packet;
  if (family === 4) {
    view.setInt32(at, (0x4500 | packet.tos) << 16);
    view.setInt32(at + IPV4.IDENTIFICATION, 0);
    view.setInt32(at + IPV4.TTL, sa.hopLimit << 24);
    packet.nextHeaderAt = at + IPV4.PROTOCOL;
    view.setInt32(at + IPV4.SOURCE, view.getInt32(sourceAt));
    view.setInt32(at + IPV4.DESTINATION, view.getInt32(destinationAt));
  } else {
    view.setInt32(at, 0x60000000 | packet.tos << 20);
    view.setUint8(at + IPV6.HOP_LIMIT, sa.hopLimit);
    packet.nextHeaderAt = at + IPV6.NEXT_HEADER;
    for (let i = 0; i < 16; i += 4) {
      view.setInt32(at + IPV6.SOURCE + i, view.getInt32(sourceAt + i));
      view.setInt32(at + IPV6.DESTINATION + i, view.getInt32(destinationAt + i));
    }
  }
  return headerOctets;
}

/**
 * Last step of every decapsulation: `dataOctets` octets at `dataAt`, announced as `nextHeader`, become an IP packet
 * again.
 */
export function disclose(
  view: DataView,
  sa: Sa,
  packet: Packet,
  dataAt: number,
  dataOctets: number,
  nextHeader: number,
): number {
  if (nextHeader === IP_PROTOCOL.IPIP || nextHeader === IP_PROTOCOL.IPV6) {
    return openTunnel(view, packet, dataAt, dataOctets, nextHeader);
  }
  if (nextHeader === IP_PROTOCOL.NONE) return DROP.dummy;
  let headerOctets: number;
  if (packet.bare) headerOctets = restoreHeader(view, sa, packet, dataAt);
  else {
    headerOctets = packet.headerEnd - packet.at;
    const shift = dataAt - packet.headerEnd;
    moveWords(view, packet.at, packet.at + shift, headerOctets);
    packet.at += shift;
    packet.nextHeaderAt += shift;
  }
  packet.octets = headerOctets + dataOctets;
  packet.bare = false;
  packet.tunnelled = false;
  mend(view, packet, packet.family, headerOctets, nextHeader);
  if (sa.natSourceSum >= 0 || sa.natDestinationSum >= 0) correctChecksum(view, sa, packet);
  return DROP.none;
}
