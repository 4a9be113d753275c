/**
 * Which extensions a message must and may hold, both ways (RFC 2367 3.1 as OpenBSD of 2001 narrows it, and its later
 * additions), and the checks that come before a request is looked at.
 *
 * @module
 */
import { EXTENSION_NAMES, type ExtensionName, type Extensions } from "./extensions.ts";
import { decodeMessage, type Message } from "./message.ts";
import { type MessageType, PfkeyError, SA_STATES } from "./numbers.ts";

/** What one message may hold in one direction. */
export interface ExtensionSet {
  readonly required: readonly ExtensionName[];
  readonly allowed: readonly ExtensionName[];
}

const FLOW: readonly ExtensionName[] = ["X_SRC_MASK", "X_DST_MASK", "X_SRC_FLOW", "X_DST_FLOW"];
const FILTER: readonly ExtensionName[] = [...FLOW, "X_PROTOCOL", "X_FLOW_TYPE"];
const LIFETIMES: readonly ExtensionName[] = ["LIFETIME_CURRENT", "LIFETIME_HARD", "LIFETIME_SOFT"];
const KEYS: readonly ExtensionName[] = ["KEY_AUTH", "KEY_ENCRYPT"];
const IDENTITIES: readonly ExtensionName[] = ["IDENTITY_SRC", "IDENTITY_DST"];
const CREDENTIALS: readonly ExtensionName[] = ["X_LOCAL_CREDENTIALS", "X_REMOTE_CREDENTIALS"];
const AUTHS: readonly ExtensionName[] = ["X_LOCAL_AUTH", "X_REMOTE_AUTH"];
const OURS: readonly ExtensionName[] = ["X_NAT_OA_SRC", "X_NAT_OA_DST", "X_REPLAY_WINDOW"];
const SA_OPTIONAL: readonly ExtensionName[] = [
  "ADDRESS_PROXY",
  ...LIFETIMES,
  ...IDENTITIES,
  ...CREDENTIALS,
  ...FILTER,
  ...OURS,
  "X_UDPENCAP",
  "X_TAG",
  "X_TAP",
];
const STATE: readonly ExtensionName[] = [
  ...SA_OPTIONAL,
  ...KEYS,
  "X_LIFETIME_LASTUSE",
  "X_SA_USAGE",
  "X_BOUND_SA",
  "X_BOUND_DST",
  "X_OUTER_SA",
  "X_OUTER_DST",
];

const set = (required: readonly ExtensionName[], optional: readonly ExtensionName[] = []): ExtensionSet => ({
  required,
  allowed: [...required, ...optional],
});
const NOTHING = set([]);
const SPI_ADDRESSES = set(["SA", "ADDRESS_SRC", "ADDRESS_DST"]);
const PAIR = set(["SA", "X_SA2", "ADDRESS_DST", "X_DST2", "X_PROTOCOL"]);
const ACQUIRE = set([], ["ADDRESS_SRC", "ADDRESS_DST", ...IDENTITIES, "PROPOSAL"]);
const ADDFLOW = set(
  [...FLOW, "X_FLOW_TYPE"],
  ["X_PROTOCOL", "ADDRESS_SRC", "ADDRESS_DST", ...IDENTITIES, "X_FLOW_SPI"],
);
const DELFLOW = set([...FLOW, "X_FLOW_TYPE"], ["X_PROTOCOL"]);
const TEXT = set([], ["X_TEXT"]);

/** Requests, and what the engine sends. A message not listed in a direction is never sent that way. */
export const EXTENSION_SETS: Readonly<Record<MessageType, { in?: ExtensionSet; out: ExtensionSet }>> = {
  GETSPI: { in: set(["ADDRESS_SRC", "ADDRESS_DST", "SPIRANGE"]), out: SPI_ADDRESSES },
  UPDATE: {
    in: set(SPI_ADDRESSES.required, [...SA_OPTIONAL, ...KEYS, ...AUTHS]),
    out: set(SPI_ADDRESSES.required, SA_OPTIONAL),
  },
  ADD: {
    in: set(SPI_ADDRESSES.required, [...SA_OPTIONAL, ...KEYS, ...AUTHS]),
    out: set(SPI_ADDRESSES.required, SA_OPTIONAL),
  },
  DELETE: { in: set(["SA", "ADDRESS_DST"], ["ADDRESS_SRC"]), out: set(["SA", "ADDRESS_DST"], ["ADDRESS_SRC"]) },
  GET: { in: SPI_ADDRESSES, out: set(["LIFETIME_CURRENT", ...SPI_ADDRESSES.required], [...STATE]) },
  ACQUIRE: { in: ACQUIRE, out: ACQUIRE },
  REGISTER: { in: NOTHING, out: set(["SUPPORTED_AUTH", "SUPPORTED_ENCRYPT"], ["X_SUPPORTED_COMP"]) },
  EXPIRE: { in: SPI_ADDRESSES, out: set(SPI_ADDRESSES.required, ["ADDRESS_PROXY", ...LIFETIMES]) },
  FLUSH: { in: NOTHING, out: NOTHING },
  DUMP: { in: NOTHING, out: set([], ["SA", "ADDRESS_SRC", "ADDRESS_DST", ...STATE]) },
  X_PROMISC: { in: NOTHING, out: NOTHING },
  X_ADDFLOW: { in: ADDFLOW, out: ADDFLOW },
  X_DELFLOW: { in: DELFLOW, out: DELFLOW },
  X_GRPSPIS: { in: PAIR, out: PAIR },
  X_ASKPOLICY: { in: set(["X_POLICY"]), out: set([...FLOW, "X_FLOW_TYPE"], ["X_POLICY", "X_PROTOCOL"]) },
  X_SPDDUMP: { in: NOTHING, out: set([], ADDFLOW.allowed) },
  X_BINDSA: { in: PAIR, out: PAIR },
  X_SYSCTL: { in: TEXT, out: TEXT },
  X_STATISTICS: { in: NOTHING, out: TEXT },
};

/** @throws {PfkeyError} EINVAL naming an extension that is missing or not allowed. */
export function demandExtensions(type: MessageType, extensions: Extensions, direction: "in" | "out"): void {
  const rule = EXTENSION_SETS[type][direction];
  if (!rule) throw new PfkeyError("EINVAL", `${type} is never sent by a key management program`);
  for (const name of EXTENSION_NAMES) {
    if (extensions[name] !== undefined && !rule.allowed.includes(name)) {
      throw new PfkeyError("EINVAL", `${type}: ${name} is not allowed`);
    }
  }
  for (const name of rule.required) {
    if (extensions[name] === undefined) throw new PfkeyError("EINVAL", `${type}: ${name} is missing`);
  }
}

/**
 * A request from a key management program, checked as OpenBSD checks it before anything else.
 *
 * @throws {PfkeyError} EINVAL with the rule that was broken
 */
export function decodeRequest(octets: Uint8Array): Message {
  const message = decodeMessage(octets);
  const { type, extensions } = message;
  if (message.errno) {
    if (type !== "ACQUIRE") throw new PfkeyError("EINVAL", `${type}: an errno in a request`);
    if (Object.keys(extensions).length) throw new PfkeyError("EINVAL", `${type}: an errno together with extensions`);
    return message; // a key daemon's answer to an ACQUIRE: it failed
  }
  demandExtensions(type, extensions, "in");
  const { SA } = extensions;
  if (SA?.state === SA_STATES.DEAD) throw new PfkeyError("EINVAL", `${type}: an SA cannot be made dead`);
  if (SA && (type === "ADD" || type === "UPDATE") && SA.state !== SA_STATES.MATURE) {
    throw new PfkeyError("EINVAL", `${type}: only a mature SA may be submitted`);
  }
  if (type === "ADD" || type === "UPDATE") demandWholeFilter(type, extensions);
  if (type === "ACQUIRE" && !extensions.ADDRESS_DST) throw new PfkeyError("EINVAL", "ACQUIRE: ADDRESS_DST is missing");
  return message;
}

function demandWholeFilter(type: MessageType, extensions: Extensions): void {
  const given = FILTER.filter((name) => extensions[name] !== undefined);
  const missing = [...FLOW, "X_FLOW_TYPE" as const].filter((name) => extensions[name] === undefined);
  if (given.length && missing.length) {
    throw new PfkeyError("EINVAL", `${type}: ${given[0]} without ${missing.join(", ")}`);
  }
}
