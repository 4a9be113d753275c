import { assertEquals } from "@std/assert";
import { parseAddress, parsePrefix } from "../../lib/ip/address.ts";
import { classify } from "../../lib/ip/classify.ts";
import { createTuple } from "../../lib/ip/tuple.ts";
import { DROPS } from "../../lib/ipsec/packet.ts";
import { checkInbound } from "../../lib/ipsec/policy.ts";
import type { Sa } from "../../lib/ipsec/sa.ts";
import { Spd } from "../../lib/ipsec/spd.ts";
import { type Flow, PROTOCOL, type SaParameters } from "../../lib/ipsec/types.ts";
import { concat } from "../../lib/octets/bytes.ts";
import { bench, counting, ipPacket } from "./support.ts";

// We are 10.0.0.2 with 192.168.2.0/24 behind us; the peer is 10.0.0.1 with 192.168.1.0/24.
const b = bench();
const ESP = b.sa({ encryption: "aes-gcm", encryptionKey: counting(0, 20) });
const AH = b.sa({ protocol: PROTOCOL.AH, authentication: "sha1", authenticationKey: counting(0, 20) });
const esp = (more: Partial<SaParameters>) => b.sa({ encryption: "aes-gcm", encryptionKey: counting(0, 20), ...more });

function flow(source: string, destination: string, direction: "in" | "out", more: Partial<Flow> = {}): Flow {
  const ends = { source: parsePrefix(source), destination: parsePrefix(destination) };
  return {
    selector: { ...ends, transport: 0, sourcePort: 0, destinationPort: 0, direction },
    type: "require",
    protocol: PROTOCOL.ESP,
    peer: parseAddress("10.0.0.1"),
    static: true,
    ...more,
  };
}
const IN = flow("192.168.1.0/24", "192.168.2.0/24", "in");
const OUT = flow("192.168.2.0/24", "192.168.1.0/24", "out");

function verdict(flows: Flow[], packet: Uint8Array, used: Sa[]): string {
  const spd = new Spd();
  for (const given of flows) spd.add(given);
  b.put(packet);
  const tuple = createTuple();
  const { at, octets } = b.packet;
  if (!classify(b.arena.view, at, octets, tuple)) return "unsound";
  const drop = checkInbound(spd, b.arena, at, octets, tuple, used, used.length);
  return drop === 0 ? "ok" : DROPS[drop].name;
}
const packet = (source: string, destination: string) => ipPacket({ source, destination, protocol: 17 });
const INNER = packet("192.168.1.7", "192.168.2.8");

Deno.test("An `in` flow wants its protocol and its peer among the SAs that were used", () => {
  assertEquals(verdict([IN], INNER, [ESP]), "ok");
  assertEquals(verdict([IN], INNER, [AH]), "policy");
  assertEquals(verdict([IN], INNER, [AH, ESP]), "ok");
  assertEquals(verdict([IN], INNER, [esp({ source: parseAddress("10.0.0.66") })]), "policy");
  assertEquals(verdict([{ ...IN, protocol: PROTOCOL.AH }], INNER, [ESP]), "policy");
  assertEquals(verdict([IN], INNER, [esp({ source: parseAddress("0.0.0.0") })]), "ok");
});

Deno.test("A peer with a good SA may not speak for addresses outside its flows", () => {
  assertEquals(verdict([IN, OUT], packet("192.168.9.7", "192.168.2.8"), [ESP]), "policy");
  assertEquals(verdict([IN, OUT], packet("192.168.1.7", "192.168.3.8"), [ESP]), "policy");
  assertEquals(verdict([IN, OUT], packet("10.0.0.1", "192.168.2.8"), [ESP]), "policy");
});

Deno.test("A flow without peer wants the SA to come from the packet's own source", () => {
  const open = { ...IN, peer: undefined };
  assertEquals(verdict([open], INNER, [ESP]), "policy");
  assertEquals(verdict([open], INNER, [esp({ source: parseAddress("192.168.1.7") })]), "ok");
});

Deno.test("`in` flows that bypass or deny do that", () => {
  assertEquals(verdict([{ ...IN, type: "bypass" }], INNER, [AH]), "ok");
  assertEquals(verdict([{ ...IN, type: "deny" }], INNER, [ESP]), "denied");
});

Deno.test("With outgoing flows alone (2.6, 2.7) the answer to what they send may come, through the same peer", () => {
  assertEquals(verdict([OUT], INNER, [ESP]), "ok");
  assertEquals(verdict([OUT], INNER, [AH]), "policy");
  assertEquals(verdict([OUT], INNER, [esp({ source: parseAddress("10.0.0.66") })]), "policy");
  assertEquals(verdict([{ ...OUT, type: "bypass" }], INNER, [ESP]), "policy");
  assertEquals(verdict([OUT], packet("192.168.9.7", "192.168.2.8"), [ESP]), "policy");
});

Deno.test("A peer that no flow names may speak for itself alone", () => {
  assertEquals(verdict([], packet("10.0.0.1", "10.0.0.2"), [ESP]), "ok");
  assertEquals(verdict([], packet("10.0.0.1", "10.0.0.2"), [AH, ESP]), "ok");
  assertEquals(verdict([], INNER, [ESP]), "policy");
  const elsewhere = flow("10.5.0.0/16", "10.6.0.0/16", "out", { peer: parseAddress("10.0.0.77") });
  assertEquals(verdict([elsewhere], packet("10.0.0.1", "10.0.0.2"), [ESP]), "ok");
});

Deno.test("The inner source must be the SA's proxy, if it has one", () => {
  const proxied = esp({ proxy: parseAddress("192.168.1.7") });
  assertEquals(verdict([IN], INNER, [proxied]), "ok");
  assertEquals(verdict([IN], packet("192.168.1.8", "192.168.2.8"), [proxied]), "policy");
  assertEquals(verdict([{ ...IN, type: "bypass" }], packet("192.168.1.8", "192.168.2.8"), [proxied]), "policy");
});

Deno.test("The packet must be what the SA was negotiated for", () => {
  const { direction: _, ...selector } = IN.selector;
  const narrow = esp({ selector: { ...selector, source: parsePrefix("192.168.1.7/32") } });
  assertEquals(verdict([IN], INNER, [narrow]), "ok");
  assertEquals(verdict([IN], packet("192.168.1.8", "192.168.2.8"), [narrow]), "policy");
});

Deno.test("An ICMP error is judged by the packet it quotes, with its ends swapped (RFC 2401 5.2.1)", () => {
  const about = (lost: Uint8Array, type = 3) =>
    ipPacket({
      source: "10.77.0.1",
      destination: "192.168.2.8",
      payload: concat(new Uint8Array([type, 4, 0, 0, 0, 0, 5, 0]), lost.slice(0, 28)),
    });
  const sent = packet("192.168.2.8", "192.168.1.7");
  assertEquals(verdict([IN, OUT], about(sent), [ESP]), "ok");
  assertEquals(verdict([OUT], about(sent), [ESP]), "ok");
  assertEquals(verdict([IN, OUT], about(sent), [AH]), "policy");
  assertEquals(verdict([IN, OUT], about(packet("192.168.2.8", "192.168.9.9")), [ESP]), "policy");
  assertEquals(verdict([IN, OUT], about(sent, 8), [ESP]), "policy", "an echo request quotes nothing");
});

Deno.test("IPv6 is judged likewise, also through an IPv4 peer", () => {
  const in6 = flow("fd00:1::/64", "fd00:2::/64", "in");
  const inner = packet("fd00:1::7", "fd00:2::8");
  assertEquals(verdict([in6], inner, [ESP]), "ok");
  assertEquals(verdict([in6], packet("fd00:9::7", "fd00:2::8"), [ESP]), "policy");
  assertEquals(verdict([{ ...in6, peer: undefined }], inner, [ESP]), "policy");
});
