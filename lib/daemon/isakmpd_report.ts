/** isakmpd's reports: SAs in the format of `S` (isakmpd(8), 2020), and the whole state of `r` and SIGUSR1. @module */
import type { Tree } from "../config/ini.ts";
import { authenticatorByName, cipherByName } from "../crypto/algorithms.ts";
import type { ExchangeStatus, NegotiatedSa, PairStatus, Phase1Status } from "../ike/events.ts";
import { formatAddress } from "../ip/address.ts";
import { describeId, describeSelector } from "../isakmp/identification.ts";
import { formatHex } from "../octets/hex.ts";

/** Flags of an SA in reports, as isakmpd's sa.h has them. */
const SA_FLAG = { READY: 0x01, STAYALIVE: 0x02, ONDEMAND: 0x04, REPLACED: 0x08, FADING: 0x10 } as const;

/** isakmpd's names of what ESP and AH use. */
const CIPHER_NAMES: Readonly<Record<string, string>> = {
  des: "DES",
  "3des": "3DES",
  cast: "Cast-128",
  blf: "Blowfish",
  aes: "AES (CBC)",
  aesctr: "AES (CTR)",
  "aes-gcm": "AES (GCM)",
  "aes-gmac": "AES (GMAC)",
  null: "NULL",
};
const AUTHENTICATOR_NAMES: Readonly<Record<string, string>> = {
  md5: "HMAC-MD5",
  sha1: "HMAC-SHA1",
  rmd160: "HMAC-RIPEMD-160",
  "sha2-256": "HMAC-SHA2-256",
  "sha2-384": "HMAC-SHA2-384",
  "sha2-512": "HMAC-SHA2-512",
};

/** A named thing of a registry row's name; what OpenBSD had no name for goes by ours. */
const cipherName = (name: string) => CIPHER_NAMES[cipherByName(name)?.name ?? ""] ?? name;
const authenticatorName = (name: string) => AUTHENTICATOR_NAMES[authenticatorByName(name)?.name ?? ""] ?? name;

function* lifeLines(life: { seconds?: number; kilobytes?: number; softAt: number; hardAt: number }, now: number) {
  if (life.seconds) yield `Lifetime: ${life.seconds} seconds`;
  if (life.softAt) yield `Soft timeout in ${Math.max(0, Math.round((life.softAt - now) / 1000))} seconds`;
  if (life.hardAt) yield `Hard timeout in ${Math.max(0, Math.round((life.hardAt - now) / 1000))} seconds`;
  if (life.kilobytes) yield `Lifetime: ${life.kilobytes} kilobytes`;
}

const flagsLine = (flags: number) => `Flags 0x${flags.toString(16).padStart(8, "0")}`;

function* phase1Block(sa: Phase1Status, now: number): Generator<string> {
  yield `SA name: ${sa.peer ?? "<unnamed>"} (Phase 1/${sa.role === "initiator" ? "Initiator" : "Responder"})`;
  yield `src: ${formatAddress(sa.local.address)} dst: ${formatAddress(sa.remote.address)}`;
  yield* lifeLines({ seconds: sa.lifeSeconds, softAt: sa.softAt, hardAt: sa.hardAt }, now);
  yield flagsLine(sa.state === "established" ? SA_FLAG.READY : 0);
  yield `icookie ${formatHex(sa.initiatorCookie)} rcookie ${formatHex(sa.responderCookie)}`;
}

function* transformLines(sa: NegotiatedSa): Generator<string> {
  const lengths = { encryption: sa.encryptionKey?.length ?? 0, authentication: sa.authenticationKey?.length ?? 0 };
  if (sa.protocol === "ah") {
    yield "Transform: IPsec AH";
    yield "Encryption not used.";
    yield `Authentication key length: ${lengths.authentication}`;
    yield `Authentication algorithm: ${authenticatorName(sa.authentication ?? "none")}`;
    return;
  }
  yield "Transform: IPsec ESP";
  yield `Encryption key length: ${lengths.encryption}`;
  yield `Authentication key length: ${lengths.authentication}`;
  yield `Encryption algorithm: ${cipherName(sa.encryption ?? "null")}`;
  yield `Authentication algorithm: ${sa.authentication ? authenticatorName(sa.authentication) : "none"}`;
}

/** SPI 0 is the inbound SA's, SPI 1 the outbound one's. */
function* phase2Block(pair: PairStatus, now: number): Generator<string> {
  yield `SA name: ${pair.connection || "<unnamed>"} (Phase 2)`;
  const outbound = pair.sas.find(({ direction }) => direction === "out");
  const any = outbound ?? pair.sas[0];
  const [source, destination] = !any
    ? []
    : any.direction === "out"
    ? [any.source, any.destination]
    : [any.destination, any.source];
  yield source && destination ? `src: ${formatAddress(source)} dst: ${formatAddress(destination)}` : "<no transport>";
  const { seconds, bytes } = any?.hard ?? { seconds: 0, bytes: 0 };
  yield* lifeLines({ seconds, kilobytes: Math.floor(bytes / 1024), softAt: pair.softAt, hardAt: pair.hardAt }, now);
  yield flagsLine(SA_FLAG.READY | (pair.current ? 0 : SA_FLAG.REPLACED));
  for (const protocol of ["ah", "esp"] as const) {
    const members = pair.sas.filter((sa) => sa.protocol === protocol);
    if (!members.length) continue;
    for (const [i, direction] of (["in", "out"] as const).entries()) {
      const sa = members.find((one) => one.direction === direction);
      yield sa ? `SPI ${i}: ${sa.spi.toString(16).padStart(8, "0")}` : `SPI ${i} not defined.`;
    }
    yield* transformLines(members[0]);
  }
}

/** All SAs, a block each, each ended by an empty line. @param now in the core's clock, as the times of the SAs */
export function formatSas(phase1: readonly Phase1Status[], pairs: readonly PairStatus[], now: number): string {
  const blocks = [
    ...phase1.filter(({ state }) => state === "established").map((sa) => phase1Block(sa, now)),
    ...pairs.map((pair) => phase2Block(pair, now)),
  ];
  return blocks.map((block) => `${Array.from(block).join("\n")}\n\n`).join("");
}

/** What the whole report is made of. */
export interface ReportParts {
  readonly phase1: readonly Phase1Status[];
  readonly pairs: readonly PairStatus[];
  readonly exchanges: readonly ExchangeStatus[];
  readonly transports: readonly string[];
  readonly counters: Readonly<Record<string, number>>;
  readonly connections: readonly { name: string; state: string }[];
  readonly timerInMs?: number;
  readonly configuration: string;
  readonly now: number;
}

/** The whole state, in sections. No key is in it. */
export function formatReport(parts: ReportParts): string {
  const { phase1, pairs, exchanges, now } = parts;
  const section = (title: string, lines: readonly string[]) => [`* ${title}`, ...lines.length ? lines : ["none"], ""];
  const negotiating = phase1.filter(({ state }) => state === "negotiating").map(({ peer, remote, role }) =>
    `phase 1 with ${peer ?? "<unnamed>"} at ${formatAddress(remote.address)} port ${remote.port}, ${role}`
  );
  return [
    ...section("SAs", formatSas(phase1, pairs, now).trimEnd().split("\n").filter((line, i) => line || i)),
    ...section(
      "Peers",
      phase1.filter(({ remoteId }) => remoteId).map((sa) =>
        `${sa.peer ?? "<unnamed>"} is ${describeId(sa.remoteId!)}, ${sa.transform ?? ""}`
      ),
    ),
    ...section(
      "Traffic",
      pairs.map(({ connection, local, remote }) =>
        `${connection || "<unnamed>"}: ${describeSelector(local)} <-> ${describeSelector(remote)}`
      ),
    ),
    ...section("Exchanges", [
      ...negotiating,
      ...exchanges.map((one) =>
        `${one.exchange} ${one.role} with ${formatAddress(one.remote.address)} port ${one.remote.port}` +
        `${
          one.connection ? ` for ${one.connection}` : ""
        }: ${one.state}, ${one.story}; ${one.retransmissions} retransmissions`
      ),
    ]),
    ...section("Transports", parts.transports),
    ...section("Connections", parts.connections.map(({ name, state }) => `${name}: ${state}`)),
    ...section(
      "Timers",
      parts.timerInMs === undefined ? [] : [`next in ${Math.max(0, Math.round(parts.timerInMs))} ms`],
    ),
    ...section("Counters", Object.entries(parts.counters).map(([name, count]) => `${name}: ${count}`)),
    ...section("Configuration", parts.configuration.trimEnd().split("\n")),
  ].join("\n");
}

/** The configuration in use as text, without its secrets. */
export function treeText(tree: Tree): string {
  const isSecret = (section: string, tag: string) =>
    /^(authentication|xauth-password)$/i.test(tag) || /^xauth-users$/i.test(section);
  const lines = Array.from(tree.values()).flatMap(({ name, values }) => [
    `[${name}]`,
    ...Array.from(values.values(), ({ tag, text }) => `${tag}=${isSecret(name, tag) ? "[secret]" : text}`),
  ]);
  return lines.join("\n");
}
