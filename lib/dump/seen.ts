/** What a packet's headers say without keys: the facts that filters ask for and lines show. @module */
import { type Address, address } from "../ip/address.ts";
import { IP_PROTOCOL, IPV4, IPV6, UDP } from "../ip/headers.ts";
import { HeaderWalk, walkHeaders } from "../ip/walk.ts";
import { PHOTURIS_PORT } from "../photuris/messages.ts";
import { type FragmentFacts, fragmentFacts } from "./reassembly.ts";

export const ISAKMP_PORT = 500;
export const NAT_PORT = 4500;

/** What a packet is, seen from here. */
export type Kind = "esp" | "ah" | "ipip" | "isakmp" | "photuris" | "keepalive" | "other";

/** A sound IP packet. */
export interface Seen {
  /** From the IP header to the end that the header tells; link-layer padding is gone. */
  readonly packet: Uint8Array;
  readonly family: 4 | 6;
  readonly source: Address;
  readonly destination: Address;
  /** Of what follows the IP header. */
  readonly protocol: number;
  readonly fragment?: FragmentFacts;
  /** After the IP header with its options or extension headers; of a later fragment, its data. */
  readonly payload: Uint8Array;
  /** Of UDP and TCP. */
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly kind: Kind;
  /** Of ESP and AH. */
  readonly spi?: number;
  /** The message (isakmp without non-ESP marker, photuris) or the security header and what follows it (esp, ah). */
  readonly body: Uint8Array;
  /** ESP, IKE or a keepalive in UDP port 4500. */
  readonly inUdp: boolean;
}

const walk = new HeaderWalk();
const EMPTY = new Uint8Array(0);
/** SPI and sequence number; old ESP has at least as many octets. */
const SECURITY_OCTETS = 8;

interface Content {
  readonly kind: Kind;
  readonly body: Uint8Array;
  readonly spi?: number;
  readonly inUdp?: boolean;
}

const u32 = (octets: Uint8Array, at: number) =>
  (octets[at] << 24 | octets[at + 1] << 16 | octets[at + 2] << 8 | octets[at + 3]) >>> 0;

/** RFC 3948 2: ESP, IKE behind four zeros, or a keepalive. */
function natTraversal(data: Uint8Array): Content {
  if (data.length === 1 && data[0] === 0xff) return { kind: "keepalive", body: data, inUdp: true };
  if (data.length < SECURITY_OCTETS) return { kind: "other", body: data };
  const spi = u32(data, 0);
  if (spi === 0) return { kind: "isakmp", body: data.subarray(4), inUdp: true };
  return { kind: "esp", body: data, spi, inUdp: true };
}

function udpContent(payload: Uint8Array, sourcePort: number, destinationPort: number): Content {
  const length = payload[UDP.LENGTH] << 8 | payload[UDP.LENGTH + 1];
  const data = payload.subarray(UDP.OCTETS, Math.max(UDP.OCTETS, length));
  const isPort = (port: number) => sourcePort === port || destinationPort === port;
  if (isPort(NAT_PORT)) return natTraversal(data);
  if (isPort(ISAKMP_PORT)) return { kind: "isakmp", body: data };
  if (isPort(PHOTURIS_PORT)) return { kind: "photuris", body: data };
  return { kind: "other", body: data };
}

function contentOf(protocol: number, payload: Uint8Array, ports: readonly [number, number] | undefined): Content {
  switch (protocol) {
    case IP_PROTOCOL.ESP:
      return payload.length < SECURITY_OCTETS
        ? { kind: "other", body: payload }
        : { kind: "esp", body: payload, spi: u32(payload, 0) };
    case IP_PROTOCOL.AH:
      return payload.length < SECURITY_OCTETS
        ? { kind: "other", body: payload }
        : { kind: "ah", body: payload, spi: u32(payload, 4) };
    case IP_PROTOCOL.IPIP:
    case IP_PROTOCOL.IPV6:
      return { kind: "ipip", body: payload };
    case IP_PROTOCOL.UDP:
      return ports && payload.length >= UDP.OCTETS
        ? udpContent(payload, ...ports)
        : { kind: "other", body: payload.subarray(UDP.OCTETS) };
    default:
      return { kind: "other", body: payload };
  }
}

/** Reads the headers of a packet; undefined when it is no sound IP packet. Never throws. */
export function see(octets: Uint8Array): Seen | undefined {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  if (!walkHeaders(view, 0, octets.length, walk)) return undefined;
  const packet = octets.subarray(0, walk.octets);
  const family = walk.family as 4 | 6;
  const [sourceAt, destinationAt, length] = family === 4
    ? [IPV4.SOURCE, IPV4.DESTINATION, 4]
    : [IPV6.SOURCE, IPV6.DESTINATION, 16];
  const payload = packet.subarray(walk.payloadAt);
  const later = walk.fragmentOffset !== 0;
  const hasPorts = !later && payload.length >= 4 &&
    (walk.protocol === IP_PROTOCOL.UDP || walk.protocol === IP_PROTOCOL.TCP);
  const ports = hasPorts ? [payload[0] << 8 | payload[1], payload[2] << 8 | payload[3]] as const : undefined;
  const { kind, body, spi, inUdp = false } = later
    ? { kind: "other", body: EMPTY } as Content
    : contentOf(walk.protocol, payload, ports);
  return {
    packet,
    family,
    source: address(packet.subarray(sourceAt, sourceAt + length)),
    destination: address(packet.subarray(destinationAt, destinationAt + length)),
    protocol: walk.protocol,
    ...(walk.fragment && { fragment: fragmentFacts(packet, walk) }),
    payload,
    ...(ports && { sourcePort: ports[0], destinationPort: ports[1] }),
    kind,
    ...(spi !== undefined && { spi }),
    body,
    inUdp,
  };
}
