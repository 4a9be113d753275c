import { assert, assertEquals } from "@std/assert";
import { parseIni } from "../../lib/config/ini.ts";
import { formatReport, formatSas, treeText } from "../../lib/daemon/isakmpd_report.ts";
import type { NegotiatedSa, PairStatus, Phase1Status } from "../../lib/ike/events.ts";
import { parseAddress, parsePrefix } from "../../lib/ip/address.ts";
import { addressId } from "../../lib/isakmp/identification.ts";
import { parseHex } from "../../lib/octets/hex.ts";

const [us, them] = [parseAddress("10.1.0.1"), parseAddress("10.1.0.2")];
const phase1: Phase1Status = {
  initiatorCookie: parseHex("0123456789abcdef"),
  responderCookie: parseHex("fedcba9876543210"),
  role: "initiator",
  state: "established",
  peer: "ISAKMP-peer-east",
  local: { address: us, port: 500 },
  remote: { address: them, port: 500 },
  lifeSeconds: 3600,
  softAt: 3_060_000,
  hardAt: 3_600_400,
};
const sa = (direction: "in" | "out", spi: number, more: Partial<NegotiatedSa>): NegotiatedSa => ({
  direction,
  protocol: "esp",
  spi,
  source: direction === "out" ? us : them,
  destination: direction === "out" ? them : us,
  pair: 1,
  connection: "IPsec-west-east",
  encryption: "3des",
  authentication: "sha1",
  encryptionKey: new Uint8Array(24),
  authenticationKey: new Uint8Array(20),
  tunnel: true,
  replayWindow: 16,
  soft: { seconds: 540, bytes: 0 },
  hard: { seconds: 600, bytes: 1_024_000 },
  localIdentity: addressId(us),
  remoteIdentity: addressId(them),
  ...more,
});
const selector = (text: string) => ({ prefix: parsePrefix(text), protocol: 0, port: 0 });
const pair = (sas: NegotiatedSa[]): PairStatus => ({
  pair: 1,
  connection: "IPsec-west-east",
  role: "initiator",
  current: true,
  local: selector("192.168.1.0/24"),
  remote: selector("192.168.2.0/24"),
  sas,
  softAt: 540_000,
  hardAt: 600_000,
});

Deno.test("the SAs of S are in isakmpd's format, a block each", () => {
  const esp = [sa("in", 0x1000, {}), sa("out", 0xabcdef01, {})];
  assertEquals(
    formatSas([phase1], [pair(esp)], 400),
    `SA name: ISAKMP-peer-east (Phase 1/Initiator)
src: 10.1.0.1 dst: 10.1.0.2
Lifetime: 3600 seconds
Soft timeout in 3060 seconds
Hard timeout in 3600 seconds
Flags 0x00000001
icookie 0123456789abcdef rcookie fedcba9876543210

SA name: IPsec-west-east (Phase 2)
src: 10.1.0.1 dst: 10.1.0.2
Lifetime: 600 seconds
Soft timeout in 540 seconds
Hard timeout in 600 seconds
Lifetime: 1000 kilobytes
Flags 0x00000001
SPI 0: 00001000
SPI 1: abcdef01
Transform: IPsec ESP
Encryption key length: 24
Authentication key length: 20
Encryption algorithm: 3DES
Authentication algorithm: HMAC-SHA1

`,
  );
});

Deno.test("a bundle shows both protocols, and an SA that is not there yet is not defined", () => {
  const ah = { protocol: "ah", encryption: undefined, encryptionKey: undefined } as const;
  const half = [
    sa("in", 0x1000, {
      encryption: "aes",
      encryptionKey: new Uint8Array(16),
      authentication: undefined,
      authenticationKey: undefined,
    }),
    sa("in", 0x2000, { ...ah, authentication: "md5", authenticationKey: new Uint8Array(16) }),
  ];
  const lines = formatSas([], [{ ...pair(half), current: false, connection: "" }], 0).split("\n");
  assertEquals(lines, [
    "SA name: <unnamed> (Phase 2)",
    "src: 10.1.0.1 dst: 10.1.0.2",
    "Lifetime: 600 seconds",
    "Soft timeout in 540 seconds",
    "Hard timeout in 600 seconds",
    "Lifetime: 1000 kilobytes",
    "Flags 0x00000009",
    "SPI 0: 00002000",
    "SPI 1 not defined.",
    "Transform: IPsec AH",
    "Encryption not used.",
    "Authentication key length: 16",
    "Authentication algorithm: HMAC-MD5",
    "SPI 0: 00001000",
    "SPI 1 not defined.",
    "Transform: IPsec ESP",
    "Encryption key length: 16",
    "Authentication key length: 0",
    "Encryption algorithm: AES (CBC)",
    "Authentication algorithm: none",
    "",
    "",
  ]);
  assertEquals(formatSas([], [{ ...pair([]), connection: "x" }], 0).split("\n")[1], "<no transport>");
});

Deno.test("the report names everything and holds no secret", () => {
  const { tree } = parseIni(
    "[peer]\nAuthentication=mekmitasdigoat\nXAUTH-password=sesame\n[XAUTH-users]\nalice=sesame\n[General]\nRetransmits=5\n",
    "x",
  );
  const text = formatReport({
    phase1: [{ ...phase1, state: "negotiating" }],
    pairs: [],
    exchanges: [],
    transports: ["udp 10.1.0.1 port 500"],
    counters: { replay: 3 },
    connections: [{ name: "c", state: "down, kept up" }],
    timerInMs: 1234.5,
    configuration: treeText(tree),
    now: 0,
  });
  for (
    const part of [
      "phase 1 with ISAKMP-peer-east at 10.1.0.2 port 500",
      "* SAs\nnone",
      "c: down, kept up",
      "replay: 3",
      "next in 1235 ms",
      "Retransmits=5",
      "alice=[secret]",
    ]
  ) {
    assert(text.includes(part), `${part} is missing in\n${text}`);
  }
  assert(!/mekmitasdigoat|sesame/.test(text));
});
