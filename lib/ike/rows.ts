/**
 * The exchanges of RFC 2409 as rows: in which state which message does what and leads where. The interpreter
 * (exchange.ts), the logs and the tests read the same rows; `faultsOfRows` refuses ill-formed ones.
 *
 * @module
 */
import type { EXCHANGE } from "../isakmp/numbers.ts";
import * as extension from "./extension_steps.ts";
import * as informational from "./informational_steps.ts";
import * as phase1 from "./phase1_steps.ts";
import * as quick from "./quick_steps.ts";
import type { Role, Step } from "./state.ts";

/** A payload, or (`?`) one that may be absent. AUTH is HASH or SIG, as the authentication method says. */
export type Token =
  | "SA"
  | "KEY_EXCH"
  | "NONCE"
  | "ID"
  | "CERT"
  | "CERT_REQUEST"
  | "AUTH"
  | "HASH"
  | "NOTIFY"
  | "DELETE"
  | "VENDOR"
  | "ATTRIBUTE"
  | "NAT_D"
  | "NAT_OA";
export type SentToken = Token | `${Token}?`;

/** States, each with its story for people: what has happened and what is waited for. */
export const STATES = {
  START: "nothing has happened yet",
  SENT_SA: "proposals or the choice among them sent, waiting for the peer's part",
  SENT_KE: "Diffie-Hellman value and nonce sent, waiting for the peer's",
  SENT_AUTH: "identity and proof sent, waiting for the peer's",
  SENT_REQUEST: "request sent, waiting for the answer",
  DONE: "finished",
} as const;
export type State = keyof typeof STATES;

/** RFC 2409 5.5 and 5.7: which hash protects a message after phase 1. */
export type HashNumber = 1 | 2 | 3;

export interface Row {
  readonly exchange: keyof typeof EXCHANGE;
  readonly as: Role;
  readonly at: State;
  /** The message that is expected; absent: we begin. Payloads in neither list are ignored. */
  readonly receives?: {
    readonly needs: readonly Token[];
    readonly may: readonly Token[];
    readonly encrypted: boolean | "either";
    readonly hash?: HashNumber;
  };
  readonly run: readonly Step[];
  /** The message that is sent then. `again`: on a timer until answered, or only when the peer's message comes again. */
  readonly sends?: {
    readonly payloads: readonly SentToken[];
    readonly encrypted: boolean;
    readonly hash?: HashNumber;
    readonly again: "timer" | "copy" | "never";
  };
  /** After the message has left: work that need not delay it. */
  readonly then?: readonly Step[];
  readonly to: State;
}

export const ROWS: readonly Row[] = [
  // ---- Main Mode, RFC 2409 5.1 and 5.4 -----------------------------------------------------------------------------
  // SA ->, <- SA, KE NONCE ->, <- KE NONCE, ID AUTH ->*, <-* ID AUTH
  {
    exchange: "ID_PROT",
    as: "initiator",
    at: "START",
    run: [phase1.offer],
    sends: { payloads: ["SA", "VENDOR?"], encrypted: false, again: "timer" },
    to: "SENT_SA",
  },
  {
    exchange: "ID_PROT",
    as: "responder",
    at: "START",
    receives: { needs: ["SA"], may: ["VENDOR"], encrypted: false },
    run: [phase1.readVendors, phase1.choose],
    sends: { payloads: ["SA", "VENDOR?"], encrypted: false, again: "copy" },
    to: "SENT_SA",
  },
  {
    exchange: "ID_PROT",
    as: "initiator",
    at: "SENT_SA",
    receives: { needs: ["SA"], may: ["VENDOR"], encrypted: false },
    run: [phase1.readVendors, phase1.acceptChoice, phase1.makeKeyPair, phase1.makeNonce],
    sends: { payloads: ["KEY_EXCH", "NONCE", "CERT_REQUEST?", "NAT_D?"], encrypted: false, again: "timer" },
    then: [phase1.bindCookies],
    to: "SENT_KE",
  },
  {
    exchange: "ID_PROT",
    as: "responder",
    at: "SENT_SA",
    receives: { needs: ["KEY_EXCH", "NONCE"], may: ["VENDOR", "NAT_D", "CERT_REQUEST"], encrypted: false },
    run: [
      phase1.noteReachable,
      phase1.readKeyExchange,
      phase1.readNat,
      phase1.readCertificateRequests,
      phase1.selectSecret,
      phase1.makeKeyPair,
      phase1.makeNonce,
    ],
    sends: { payloads: ["KEY_EXCH", "NONCE", "CERT_REQUEST?", "NAT_D?"], encrypted: false, again: "copy" },
    then: [phase1.deriveKeys],
    to: "SENT_KE",
  },
  {
    exchange: "ID_PROT",
    as: "initiator",
    at: "SENT_KE",
    receives: { needs: ["KEY_EXCH", "NONCE"], may: ["VENDOR", "NAT_D", "CERT_REQUEST"], encrypted: false },
    run: [
      phase1.readKeyExchange,
      phase1.readNat,
      phase1.readCertificateRequests,
      phase1.selectSecret,
      phase1.deriveKeys,
      phase1.makeId,
      phase1.prove,
      phase1.floatPorts,
    ],
    sends: { payloads: ["ID", "CERT?", "AUTH", "NOTIFY?"], encrypted: true, again: "timer" },
    to: "SENT_AUTH",
  },
  {
    exchange: "ID_PROT",
    as: "responder",
    at: "SENT_KE",
    receives: { needs: ["ID", "AUTH"], may: ["CERT", "CERT_REQUEST", "NOTIFY"], encrypted: true },
    run: [
      phase1.readId,
      phase1.readCertificateRequests,
      phase1.verify,
      phase1.readNotifies,
      phase1.followPorts,
      phase1.makeId,
      phase1.prove,
    ],
    sends: { payloads: ["ID", "CERT?", "AUTH", "NOTIFY?"], encrypted: true, again: "copy" },
    then: [phase1.establish],
    to: "DONE",
  },
  {
    exchange: "ID_PROT",
    as: "initiator",
    at: "SENT_AUTH",
    receives: { needs: ["ID", "AUTH"], may: ["CERT", "CERT_REQUEST", "NOTIFY"], encrypted: true },
    run: [phase1.readId, phase1.verify, phase1.readNotifies],
    then: [phase1.establish],
    to: "DONE",
  },

  // ---- Aggressive Mode, RFC 2409 5.1 and 5.4 -----------------------------------------------------------------------
  // SA KE NONCE ID ->, <- SA KE NONCE ID AUTH, AUTH ->*
  {
    exchange: "AGGRESSIVE",
    as: "initiator",
    at: "START",
    run: [phase1.offer, phase1.makeKeyPair, phase1.makeNonce, phase1.makeId],
    sends: {
      payloads: ["SA", "KEY_EXCH", "NONCE", "ID", "CERT_REQUEST?", "VENDOR?"],
      encrypted: false,
      again: "timer",
    },
    to: "SENT_SA",
  },
  {
    exchange: "AGGRESSIVE",
    as: "responder",
    at: "START",
    receives: { needs: ["SA", "KEY_EXCH", "NONCE", "ID"], may: ["VENDOR", "CERT_REQUEST"], encrypted: false },
    run: [
      phase1.readVendors,
      phase1.choose,
      phase1.readKeyExchange,
      phase1.readId,
      phase1.readCertificateRequests,
      phase1.selectSecret,
      phase1.makeKeyPair,
      phase1.makeNonce,
      phase1.deriveKeys,
      phase1.makeId,
      phase1.prove,
    ],
    sends: {
      payloads: ["SA", "KEY_EXCH", "NONCE", "ID", "CERT?", "CERT_REQUEST?", "VENDOR?", "NAT_D?", "AUTH"],
      encrypted: false,
      again: "timer",
    },
    to: "SENT_AUTH",
  },
  {
    exchange: "AGGRESSIVE",
    as: "initiator",
    at: "SENT_SA",
    receives: {
      needs: ["SA", "KEY_EXCH", "NONCE", "ID", "AUTH"],
      may: ["CERT", "CERT_REQUEST", "VENDOR", "NAT_D", "NOTIFY"],
      encrypted: false,
    },
    run: [
      phase1.readVendors,
      phase1.acceptChoice,
      phase1.readKeyExchange,
      phase1.readNat,
      phase1.readId,
      phase1.readCertificateRequests,
      phase1.selectSecret,
      phase1.deriveKeys,
      phase1.verify,
      phase1.prove,
      phase1.floatPorts,
    ],
    sends: { payloads: ["CERT?", "AUTH", "NAT_D?", "NOTIFY?"], encrypted: true, again: "copy" },
    then: [phase1.bindCookies, phase1.establish],
    to: "DONE",
  },
  {
    exchange: "AGGRESSIVE",
    as: "responder",
    at: "SENT_AUTH",
    receives: { needs: ["AUTH"], may: ["CERT", "NAT_D", "NOTIFY"], encrypted: "either" },
    run: [phase1.readNat, phase1.verify, phase1.readNotifies, phase1.followPorts],
    then: [phase1.establish],
    to: "DONE",
  },

  // ---- Quick Mode, RFC 2409 5.5 ------------------------------------------------------------------------------------
  // HASH(1) SA NONCE [KE] [IDci IDcr] ->, <- HASH(2) SA NONCE [KE] [IDci IDcr], HASH(3) ->
  {
    exchange: "QUICK_MODE",
    as: "initiator",
    at: "START",
    run: [quick.reserveSpis, quick.makeKeyPair, quick.offer],
    sends: {
      payloads: ["HASH", "SA", "NONCE", "KEY_EXCH?", "ID?", "NAT_OA?"],
      encrypted: true,
      hash: 1,
      again: "timer",
    },
    to: "SENT_SA",
  },
  {
    exchange: "QUICK_MODE",
    as: "responder",
    at: "START",
    receives: {
      needs: ["HASH", "SA", "NONCE"],
      may: ["KEY_EXCH", "ID", "NAT_OA", "NOTIFY"],
      encrypted: true,
      hash: 1,
    },
    run: [
      quick.findConnection,
      quick.choose,
      quick.reserveSpis,
      quick.makeKeyPair,
      quick.deriveKeys,
      quick.installInbound,
    ],
    sends: {
      payloads: ["HASH", "SA", "NONCE", "KEY_EXCH?", "ID?", "NAT_OA?", "NOTIFY?"],
      encrypted: true,
      hash: 2,
      again: "timer",
    },
    to: "SENT_SA",
  },
  {
    exchange: "QUICK_MODE",
    as: "initiator",
    at: "SENT_SA",
    receives: {
      needs: ["HASH", "SA", "NONCE"],
      may: ["KEY_EXCH", "ID", "NAT_OA", "NOTIFY"],
      encrypted: true,
      hash: 2,
    },
    run: [quick.acceptChoice, quick.deriveKeys, quick.installInbound],
    sends: { payloads: ["HASH"], encrypted: true, hash: 3, again: "copy" },
    then: [quick.installOutbound],
    to: "DONE",
  },
  {
    exchange: "QUICK_MODE",
    as: "responder",
    at: "SENT_SA",
    receives: { needs: ["HASH"], may: ["NOTIFY"], encrypted: true, hash: 3 },
    run: [],
    then: [quick.installOutbound],
    to: "DONE",
  },

  // ---- Informational, RFC 2409 5.7: one message, no answer ---------------------------------------------------------
  {
    exchange: "INFO",
    as: "initiator",
    at: "START",
    run: [],
    sends: { payloads: ["HASH", "NOTIFY?", "DELETE?"], encrypted: true, hash: 1, again: "never" },
    to: "DONE",
  },
  {
    exchange: "INFO",
    as: "responder",
    at: "START",
    receives: { needs: ["HASH"], may: ["NOTIFY", "DELETE"], encrypted: true, hash: 1 },
    run: [],
    then: [informational.act],
    to: "DONE",
  },

  // ---- Transaction, draft-dukes-ike-mode-cfg and draft-beaulieu-ike-xauth: REQUEST/REPLY and SET/ACK ----------------
  {
    exchange: "TRANSACTION",
    as: "initiator",
    at: "START",
    run: [],
    sends: { payloads: ["HASH", "ATTRIBUTE"], encrypted: true, hash: 1, again: "timer" },
    to: "SENT_REQUEST",
  },
  {
    exchange: "TRANSACTION",
    as: "responder",
    at: "START",
    receives: { needs: ["HASH", "ATTRIBUTE"], may: ["NOTIFY"], encrypted: true, hash: 1 },
    run: [extension.answer],
    sends: { payloads: ["HASH", "ATTRIBUTE"], encrypted: true, hash: 1, again: "copy" },
    then: [extension.afterAnswer],
    to: "DONE",
  },
  {
    exchange: "TRANSACTION",
    as: "initiator",
    at: "SENT_REQUEST",
    receives: { needs: ["HASH", "ATTRIBUTE"], may: ["NOTIFY"], encrypted: true, hash: 1 },
    run: [],
    then: [extension.readAnswer],
    to: "DONE",
  },

  // ---- New Group Mode, RFC 2409 5.6: groups are not taken from the network ------------------------------------------
  {
    exchange: "NEW_GROUP_MODE",
    as: "responder",
    at: "START",
    receives: { needs: ["HASH", "SA"], may: ["NOTIFY"], encrypted: true, hash: 1 },
    run: [informational.refuseNewGroup],
    to: "DONE",
  },
];

const byKey = new Map(ROWS.map((row) => [`${row.exchange} ${row.as} ${row.at}`, row]));

/** The row of an exchange in a state. */
export function rowOf(exchange: Row["exchange"], as: Role, at: State): Row | undefined {
  return byKey.get(`${exchange} ${as} ${at}`);
}

/** Exchanges that are protected by a phase 1 SA: their messages begin with HASH. */
export const PROTECTED: ReadonlySet<Row["exchange"]> = new Set(["QUICK_MODE", "INFO", "TRANSACTION", "NEW_GROUP_MODE"]);

/** The other party. */
export const OTHER: Readonly<Record<Role, Role>> = { initiator: "responder", responder: "initiator" };

const plain = (token: SentToken) => token.replace("?", "") as Token;

/** What is wrong with a table of exchanges: one sentence for each broken rule. */
export function faultsOfRows(rows: readonly Row[]): string[] {
  const faults: string[] = [];
  const seen = new Set<string>();
  for (const row of rows) {
    const name = `${row.exchange} ${row.as} ${row.at}`;
    const complain = (text: string) => faults.push(`${name}: ${text}`);
    if (seen.has(name)) complain("is there twice");
    seen.add(name);
    const isProtected = PROTECTED.has(row.exchange);
    for (const part of [row.receives, row.sends]) {
      if (!part) continue;
      const first = "needs" in part ? part.needs[0] : part.payloads[0];
      if (isProtected && (first !== "HASH" || !part.hash || part.encrypted !== true)) {
        complain("a protected message must be encrypted and begin with HASH");
      }
      if (!isProtected && part.hash) complain("phase 1 has no HASH(n)");
    }
    if (row.at === "START" && row.as === "responder" && !row.receives) complain("a responder does not begin");
    if (row.at === "START" && row.as === "initiator" && row.receives) complain("an initiator does not wait");
    if (row.at !== "START" && !row.receives) complain("waits for nothing");
    if (row.at === "DONE") complain("DONE has no way out");
    if (row.to === row.at) complain("leads nowhere");
    if (
      row.to !== "DONE" &&
      !rows.some((next) => next.exchange === row.exchange && next.as === row.as && next.at === row.to)
    ) {
      complain(`leads to ${row.to}, which has no row`);
    }
    if (
      row.at !== "START" &&
      !rows.some((before) => before.exchange === row.exchange && before.as === row.as && before.to === row.at)
    ) {
      complain("cannot be reached");
    }
    if (!row.sends && !row.receives) complain("does nothing");
    if (row.sends) faults.push(...faultsOfReceipt(row, rows).map((text) => `${name}: ${text}`));
  }
  return faults;
}

/** What is sent must be what the other party expects at that point. */
function faultsOfReceipt(row: Row, rows: readonly Row[]): string[] {
  const { payloads, encrypted, hash } = row.sends!;
  const sent = payloads.map(plain);
  const sure = payloads.filter((token) => !token.endsWith("?"));
  const receivers = rows.filter(({ exchange, as, receives }) =>
    exchange === row.exchange && as === OTHER[row.as] && receives !== undefined &&
    receives.needs.every((token) => sure.includes(token)) &&
    sent.every((token) => receives.needs.includes(token) || receives.may.includes(token)) &&
    (receives.encrypted === "either" || receives.encrypted === encrypted) && receives.hash === hash
  );
  return receivers.length ? [] : ["sends a message that no row of the other party receives"];
}
