/** The authentication methods of phase 1 as rows (RFC 2409 5, RFC 4754, draft-beaulieu-ike-xauth). @module */
import { IKE_ATTRIBUTE, IKE_AUTHENTICATION, nameOf } from "../isakmp/numbers.ts";
import type { HashName } from "../crypto/hash.ts";
import type { Peer } from "./configuration.ts";
import type { Translation } from "./negotiate.ts";
import { NegotiationError } from "./fault.ts";
import type { Role } from "./state.ts";

export interface Method {
  /** What `sign` and `verify` are asked for, and what the configuration says. */
  readonly base: number;
  readonly proof: "hash" | "signature";
  /** The hash under HASH_I and HASH_R where it is not the negotiated one. */
  readonly hash?: HashName;
  /** Whom XAUTH authenticates in addition. */
  readonly xauth?: Role;
}

const { PRE_SHARED, DSS, RSA_SIG, ECDSA_256, ECDSA_384, ECDSA_521 } = IKE_AUTHENTICATION;

const METHODS: ReadonlyMap<number, Method> = new Map<number, Method>([
  [PRE_SHARED, { base: PRE_SHARED, proof: "hash" }],
  [RSA_SIG, { base: RSA_SIG, proof: "signature" }],
  [DSS, { base: DSS, proof: "signature", hash: "sha1" }],
  [ECDSA_256, { base: ECDSA_256, proof: "signature", hash: "sha256" }],
  [ECDSA_384, { base: ECDSA_384, proof: "signature", hash: "sha384" }],
  [ECDSA_521, { base: ECDSA_521, proof: "signature", hash: "sha512" }],
  [IKE_AUTHENTICATION.XAUTH_INIT_PRE_SHARED, { base: PRE_SHARED, proof: "hash", xauth: "initiator" }],
  [IKE_AUTHENTICATION.XAUTH_RESP_PRE_SHARED, { base: PRE_SHARED, proof: "hash", xauth: "responder" }],
  [IKE_AUTHENTICATION.XAUTH_INIT_RSA_SIG, { base: RSA_SIG, proof: "signature", xauth: "initiator" }],
  [IKE_AUTHENTICATION.XAUTH_RESP_RSA_SIG, { base: RSA_SIG, proof: "signature", xauth: "responder" }],
]);

/** The row of a negotiated method. @throws {NegotiationError} when we do not have it. */
export function methodOf(number: number): Method {
  const method = METHODS.get(number);
  if (!method) {
    throw new NegotiationError("NO_PROPOSAL_CHOSEN", {
      item: "AUTHENTICATION_METHOD",
      detail: `${nameOf(IKE_AUTHENTICATION, number)} is not supported`,
    });
  }
  return method;
}

export const isSignature = (number: number): boolean => METHODS.get(number)?.proof === "signature";
/** Which party XAUTH asks. */
export const xauthRole = (number: number): Role | undefined => METHODS.get(number)?.xauth;

/** The XAUTH form of a configured method, when `asked` is the party that is asked. */
function withXauth(base: number, asked: Role): number | undefined {
  return [...METHODS].find(([, method]) => method.base === base && method.xauth === asked)?.[0];
}

/**
 * How a peer's configured methods appear on the wire: with XAUTH they are its forms, by who of the two is asked. `role` is
 * ours in phase 1.
 */
export function methodTranslation(peer: Peer, role: Role): Translation {
  const { xauth } = peer;
  const weAreAsked = xauth?.role === "client";
  const asked: Role = weAreAsked === (role === "initiator") ? "initiator" : "responder";
  return {
    toWire: (attribute, value) =>
      attribute === IKE_ATTRIBUTE.AUTHENTICATION_METHOD && xauth ? withXauth(value, asked) ?? value : value,
    fromWire(attribute, value) {
      if (attribute !== IKE_ATTRIBUTE.AUTHENTICATION_METHOD || !xauth) return value;
      const method = METHODS.get(value);
      return method?.xauth === asked ? method.base : undefined;
    },
  };
}
