/**
 * The numbers of PF_KEY v2 (RFC 2367 chapter 3) as OpenBSD of 2000-2003 has them, and our own from 200 upwards
 * (docs/pfkey.md). Each registry is one object; {@linkcode nameOf} goes the other way.
 *
 * @module
 */

/** sadb_msg_version. */
export const VERSION = 2;

/** sadb_msg_type. Those from 200 upwards are ours. */
export const MESSAGE_TYPES = {
  GETSPI: 1,
  UPDATE: 2,
  ADD: 3,
  DELETE: 4,
  GET: 5,
  ACQUIRE: 6,
  REGISTER: 7,
  EXPIRE: 8,
  FLUSH: 9,
  DUMP: 10,
  X_PROMISC: 11,
  X_ADDFLOW: 12,
  X_DELFLOW: 13,
  X_GRPSPIS: 14,
  X_ASKPOLICY: 15,
  X_SPDDUMP: 16,
  X_BINDSA: 200,
  X_SYSCTL: 201,
  X_STATISTICS: 202,
} as const;
export type MessageType = keyof typeof MESSAGE_TYPES;

/** sadb_msg_satype (OpenBSD 2000 and later; RFC 2367 fixes the names only). */
export const SA_TYPES = {
  UNSPEC: 0,
  AH: 1,
  ESP: 2,
  RSVP: 3,
  OSPFV2: 4,
  RIPV2: 5,
  MIP: 6,
  IPIP: 7,
  TCPSIGNATURE: 8,
  IPCOMP: 9,
} as const;
export type SaType = keyof typeof SA_TYPES;

/** sadb_sa_flags. */
export const SA_FLAGS = {
  PFS: 0x001,
  /** Old ESP with a 32-bit IV. */
  HALFIV: 0x002,
  /** Tunnel mode whatever the packet's addresses are. */
  TUNNEL: 0x004,
  /** DELETE: the whole chain of grouped SAs. */
  CHAINDEL: 0x008,
  RANDOMPADDING: 0x080,
  /** No sequence number at all: the "old" header. */
  NOREPLAY: 0x100,
  UDPENCAP: 0x200,
  ESN: 0x400,
} as const;

/** sadb_sa_state. */
export const SA_STATES = { LARVAL: 0, MATURE: 1, DYING: 2, DEAD: 3 } as const;

/** sadb_protocol_proto of X_FLOW_TYPE. */
export const FLOW_TYPES = { use: 1, acquire: 2, require: 3, bypass: 4, deny: 5, dontacq: 6 } as const;

/** sadb_protocol_direction. */
export const DIRECTIONS = { in: 1, out: 2 } as const;

/** sadb_protocol_flags of X_FLOW_TYPE: made by an administrator. */
export const FLOW_STATIC = 0x01;

/** sadb_ident_type. */
export const IDENTITY_TYPES = { prefix: 1, fqdn: 2, ufqdn: 3, connection: 4 } as const;

/** sadb_x_cred_type of the credential extensions. */
export const CREDENTIAL_TYPES = { none: 0, x509: 1, keynote: 2 } as const;

/** sadb_x_cred_type of the X_*_AUTH extensions. */
export const AUTH_TYPES = { none: 0, passphrase: 1, rsa: 2 } as const;

/** Answers in sadb_msg_errno: Linux's numbers, and the words a person is shown. */
export const ERRNO = {
  EPERM: [1, "operation not permitted"],
  ENOENT: [2, "no such entry"],
  ESRCH: [3, "no such SA or flow"],
  EIO: [5, "input/output error"],
  ENOMEM: [12, "out of memory"],
  EACCES: [13, "permission denied"],
  EEXIST: [17, "exists already"],
  EINVAL: [22, "invalid argument"],
  EMSGSIZE: [90, "message too long"],
  EPROTONOSUPPORT: [93, "no key management is registered for this SA type"],
  EOPNOTSUPP: [95, "not supported or switched off"],
  ENOBUFS: [105, "no buffer space"],
  ETIMEDOUT: [110, "timed out"],
  ECONNREFUSED: [111, "refused by the peer"],
  EHOSTUNREACH: [113, "the peer is unreachable"],
} as const satisfies Record<string, readonly [number, string]>;
export type Errno = keyof typeof ERRNO;

const reverse = new WeakMap<object, Map<number, string>>();

/** The name of a number in one of the registries above; undefined when it has none. */
export function nameOf<T extends Record<string, number>>(registry: T, number: number): keyof T & string | undefined {
  let names = reverse.get(registry);
  if (!names) reverse.set(registry, names = new Map(Object.entries(registry).map(([name, value]) => [value, name])));
  return names.get(number) as keyof T & string | undefined;
}

/** The names of the bits set in `flags`, comma-separated. */
export function flagNames(flags: number): string {
  const names = Object.entries(SA_FLAGS).filter(([, bit]) => flags & bit).map(([name]) => name.toLowerCase());
  return names.length ? names.join(",") : "none";
}

const errnoNames = new Map<number, Errno>(Object.entries(ERRNO).map(([name, [number]]) => [number, name as Errno]));

/** The symbolic name of an errno octet; a number not in the table is EIO. */
export function errnoName(number: number): Errno | undefined {
  return number === 0 ? undefined : errnoNames.get(number) ?? "EIO";
}

/** A PF_KEY request that is refused, or a message that breaks a rule: the errno of the answer and the reason. */
export class PfkeyError extends Error {
  override name = "PfkeyError";
  constructor(readonly errno: Errno, message: string) {
    super(message);
  }
}
