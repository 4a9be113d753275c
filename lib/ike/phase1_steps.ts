/** The steps of Main and Aggressive Mode, in the order of RFC 2409 5. What they gather is `sa.negotiation`. @module */
import { createCbc } from "../crypto/cipher.ts";
import { GROUPS } from "../crypto/group.ts";
import {
  addressId,
  describeId,
  faultOfId,
  formatId,
  PHASE_1_ID_TYPES,
  sameIdentity,
} from "../isakmp/identification.ts";
import { bodiesOf, bodyOf } from "../isakmp/message.ts";
import { ID_TYPE, IKE_GROUP, nameOf, NOTIFY, PAYLOAD } from "../isakmp/numbers.ts";
import {
  CERT_LAYOUT,
  CERT_REQUEST_LAYOUT,
  HASH_LAYOUT,
  ID_LAYOUT,
  KEY_EXCH_LAYOUT,
  NAT_D_LAYOUT,
  NONCE_LAYOUT,
  NOTIFY_LAYOUT,
  SIG_LAYOUT,
} from "../isakmp/payloads.ts";
import { decodeSa, encodeSa } from "../isakmp/proposals.ts";
import { type Bytes, concat, equal, equalConstantTime } from "../octets/bytes.ts";
import { isSignature, methodOf, methodTranslation } from "./authentication.ts";
import { noteVendorIds } from "./capabilities.ts";
import type { Computation, ComputationValues } from "./events.ts";
import { NegotiationError } from "./fault.ts";
import { deriveSkeyids, encryptionKey, HASH_I, HASH_R, natHash, phase1Iv, SKEYID } from "./keys.ts";
import { tellLifetime } from "./lifetimes.ts";
import { log } from "./log.ts";
import { encapsulates } from "./nat.ts";
import { acceptAnswer, choosePhase1, offerPhase1, ownSeconds, ruleOf } from "./negotiate.ts";
import { bind, established, knowsOther, reached } from "./phase1_sa.ts";
import type { Context, Phase1Sa, Wait } from "./state.ts";
import { phase1Terms } from "./terms.ts";

const NONCE_OCTETS = 32;

/** Has the edge compute something. */
export function* compute<Op extends Computation["op"]>(
  task: Computation & { op: Op },
): Generator<Wait, ComputationValues[Op], any> {
  return yield task;
}

// ---- proposals -----------------------------------------------------------------------------------------------------

/** Initiator: proposals of the peer's configuration. SAi_b are the octets of the first message, for both hashes. */
export function offer({ sa }: Context): void {
  const n = sa.negotiation!;
  n.offer = offerPhase1(sa.peer.transforms, methodTranslation(sa.peer, sa.role), sa.peer.origin);
  n.SAi_b = encodeSa(n.offer);
  if (sa.exchangeType !== AGGRESSIVE) return;
  // The group cannot be negotiated: the public value is in the first message (RFC 2409 5.2).
  const groups = new Set(n.offer[0].transforms.map((transform) => phase1Terms(transform).group));
  if (groups.size > 1) {
    throw new NegotiationError("NO_PROPOSAL_CHOSEN", {
      item: "GROUP_DESCRIPTION",
      offered: [...groups].map((group) => nameOf(IKE_GROUP, group)),
      detail: "all transforms of Aggressive Mode must have the same group",
      origin: sa.peer.origins.transforms ?? sa.peer.origin,
    });
  }
  sa.terms = phase1Terms(n.offer[0].transforms[0]);
}
const AGGRESSIVE = 4;

/** Responder: the first acceptable transform, returned as it came. */
export function choose({ sa, message }: Context): void {
  const n = sa.negotiation!;
  n.SAi_b = bodyOf(message!.payloads, PAYLOAD.SA)!;
  const { peer, role } = sa;
  const { proposals } = decodeSa(n.SAi_b);
  const origin = peer.origins.transforms ?? peer.origin;
  const { proposal, transform, rule } = choosePhase1(proposals, peer.transforms, methodTranslation(peer, role), origin);
  n.SAr_b = encodeSa([{ ...proposal, spi: new Uint8Array(0), transforms: [transform] }]);
  setTerms(sa, transform, rule);
}

/** Initiator: the answer must be one of our transforms. */
export function acceptChoice({ core, sa, message }: Context): void {
  const n = sa.negotiation!;
  const { proposals } = decodeSa(bodyOf(message!.payloads, PAYLOAD.SA)!);
  const [{ transform, answer, changes }] = acceptAnswer(1, n.offer!, proposals);
  for (const change of changes) log(core, "Negotiation", 20, () => `Phase 1 with peer ${sa.peer.name}: ${change}`);
  sa.responderCookie = message!.header.responderCookie;
  const { peer, role } = sa;
  setTerms(sa, transform, ruleOf(1, answer.protocol, transform, peer.transforms, methodTranslation(peer, role)));
}

/** Initiator: the responder's cookie counts from the first message of its that was accepted. */
export function bindCookies({ core, sa }: Context): void {
  bind(core, sa);
}

function setTerms(sa: Phase1Sa, transform: Parameters<typeof phase1Terms>[0], rule: Phase1Sa["rule"]): void {
  const terms = phase1Terms(transform);
  methodOf(terms.method);
  if (!GROUPS[terms.group]) {
    throw new NegotiationError("NO_PROPOSAL_CHOSEN", {
      item: "GROUP_DESCRIPTION",
      detail: `${nameOf(IKE_GROUP, terms.group)} is not supported`,
    });
  }
  const lifeSeconds = rule && sa.role === "responder" ? ownSeconds(rule, terms.lifeSeconds) : terms.lifeSeconds;
  sa.negotiation!.endsEarlier = lifeSeconds < terms.lifeSeconds;
  sa.terms = { ...terms, lifeSeconds };
  sa.rule = rule;
}

export function readVendors({ sa, message }: Context): void {
  noteVendorIds(sa, bodiesOf(message!.payloads, PAYLOAD.VENDOR));
}

// ---- Diffie-Hellman and keys ---------------------------------------------------------------------------------------

export function* makeKeyPair({ sa }: Context): Generator<Wait, void, any> {
  const n = sa.negotiation!;
  n.keyPair = yield* compute({ op: "generateKeyPair", group: sa.terms!.group });
  if (sa.role === "initiator") n.g_xi = n.keyPair.publicValue;
  else n.g_xr = n.keyPair.publicValue;
}

export function makeNonce({ core, sa }: Context): void {
  const nonce = core.environment.random(NONCE_OCTETS);
  if (sa.role === "initiator") sa.negotiation!.Ni_b = nonce;
  else sa.negotiation!.Nr_b = nonce;
}

/** The peer's public value and nonce; neither may be our own, sent back. */
export function readKeyExchange({ sa, message }: Context): void {
  const n = sa.negotiation!;
  const { publicValue } = KEY_EXCH_LAYOUT.decode(bodyOf(message!.payloads, PAYLOAD.KEY_EXCH)!);
  const { nonce } = NONCE_LAYOUT.decode(bodyOf(message!.payloads, PAYLOAD.NONCE)!);
  const ours = sa.role === "initiator" ? { nonce: n.Ni_b, value: n.g_xi } : { nonce: n.Nr_b, value: n.g_xr };
  if ((ours.nonce && equal(ours.nonce, nonce)) || (ours.value && equal(ours.value, publicValue))) {
    throw new NegotiationError("INVALID_KEY_INFORMATION", { item: "KEY_EXCH", detail: "is our own, sent back" });
  }
  if (sa.role === "initiator") {
    n.g_xr = publicValue;
    n.Nr_b = nonce;
  } else {
    n.g_xi = publicValue;
    n.Ni_b = nonce;
  }
}

/** The pre-shared key: the peer's, or (Aggressive Mode) that of the initiator's ID. */
export function selectSecret({ core, sa }: Context): void {
  if (isSignature(sa.terms!.method)) return;
  const { peer, remoteId } = sa;
  const byId = remoteId && core.configuration.initiatorSecrets.get(formatId(remoteId));
  sa.secret = peer.secret ?? byId?.secret;
  sa.negotiation!.secretOrigin = peer.secret ? peer.origins.secret : byId?.origin;
  if (sa.secret) return;
  throw new NegotiationError("AUTHENTICATION_FAILED", {
    item: "Authentication",
    detail: remoteId
      ? `no pre-shared key for ID ${describeId(remoteId)}`
      : "no pre-shared key for this peer (in Main Mode it is found by address)",
    origin: peer.origin,
    advice: remoteId
      ? `Give ${peer.name} an Authentication, or add a section [${formatId(remoteId)}] with one`
      : `Give ${peer.name} an Authentication, or use Aggressive Mode, where the key is found by ID`,
  });
}

/** Responder: whoever answers with our cookie is where he says. */
export function noteReachable({ core, sa }: Context): void {
  reached(core, sa);
}

/** g^xy, SKEYID and its children, the encryption key, the first IV (RFC 2409 5, appendix B). */
export function* deriveKeys({ core, sa, exchange }: Context): Generator<Wait, void, any> {
  const n = sa.negotiation!;
  const { hash: H, cipher, keyOctets, method, group } = sa.terms!;
  const g_xy = yield* compute({
    op: "sharedSecret",
    group,
    privateKey: n.keyPair!.privateKey,
    peerPublicValue: sa.role === "initiator" ? n.g_xr! : n.g_xi!,
  });
  const skeyid = isSignature(method)
    ? SKEYID.signature(H, n.Ni_b!, n.Nr_b!, g_xy)
    : SKEYID.preShared(H, sa.secret!.reveal(), n.Ni_b!, n.Nr_b!);
  sa.keys = deriveSkeyids(H, skeyid, g_xy, sa.initiatorCookie, sa.responderCookie);
  const key = encryptionKey(H, sa.keys.SKEYID_e, keyOctets);
  sa.cbc = createCbc(cipher.cipher as Parameters<typeof createCbc>[0], key);
  exchange.iv = phase1Iv(H, n.g_xi!, n.g_xr!, sa.cbc.blockOctets);
  if (core.environment.capture?.secrets) {
    core.effects.push({ type: "secrets", initiatorCookie: sa.initiatorCookie, encryptionKey: key });
  }
}

// ---- NAT traversal, RFC 3947 3 and 4 -------------------------------------------------------------------------------

/** Compares the NAT-D payloads with what we see: the first with our address, the others with the packet's source. */
export function readNat({ sa, message }: Context): void {
  const { nat } = sa;
  if (!nat) return;
  const type = nat.version === "rfc" ? PAYLOAD.NAT_D : PAYLOAD.NAT_D_DRAFT;
  const hashes = bodiesOf(message!.payloads, type).map((body) => NAT_D_LAYOUT.decode(body).hash);
  if (hashes.length < 2) {
    // Announced and then not done.
    if (sa.exchangeType !== AGGRESSIVE || sa.role === "initiator") sa.nat = undefined;
    return;
  }
  const CKY_R = message!.header.responderCookie;
  const seen = ({ address, port }: typeof sa.local) =>
    natHash(sa.terms!.hash, sa.initiatorCookie, CKY_R, address.octets, port);
  const [destination, ...sources] = hashes;
  // The second message of Aggressive Mode was sent to where we sent the first from; local is that address and port.
  nat.localBehind = !equal(destination, seen(message!.to));
  nat.remoteBehind = !sources.some((source) => equal(source, seen(message!.from)));
}

/** Initiator: from here on port 4500 where there is a NAT (RFC 3947 4). */
export function floatPorts({ core, sa }: Context): void {
  const { nat } = sa;
  if (!nat || !encapsulates(sa)) return;
  if (sa.remote.port !== core.ports.ike && sa.remote.port !== sa.peer.port) return;
  sa.local = { ...sa.local, port: core.ports.nat };
  sa.remote = { ...sa.remote, port: core.ports.nat };
}

/**
 * Responder: learns address and port from the first message that proves who sent it (RFC 3947 4). The port tells what the
 * initiator made of the NAT-D payloads, which nobody vouches for: who changes it encapsulates, and who stays where we see a
 * NAT has been lied to.
 */
export function followPorts({ core, sa, message }: Context): void {
  const { nat } = sa;
  const changed = message!.to.port === core.ports.nat;
  if (nat && !changed && encapsulates(sa)) {
    throw new NegotiationError("PAYLOAD_MALFORMED", {
      item: "NAT_D",
      detail: "we see a NAT and the initiator does not: the payloads were changed on the way",
    });
  }
  if (nat && changed) nat.forced = true;
  sa.local = message!.to;
  sa.remote = message!.from;
}

// ---- identities and proofs -----------------------------------------------------------------------------------------

export function readCertificateRequests({ sa, message }: Context): void {
  for (const body of bodiesOf(message!.payloads, PAYLOAD.CERT_REQUEST)) {
    sa.negotiation!.requests.push(CERT_REQUEST_LAYOUT.decode(body));
  }
}

/** Our ID: what the configuration says, else our address. */
export function makeId({ sa }: Context): void {
  sa.localId = sa.peer.localId ?? addressId(sa.local.address);
  const body = ID_LAYOUT.encode(sa.localId);
  if (sa.role === "initiator") sa.negotiation!.IDii_b = body;
  else sa.negotiation!.IDir_b = body;
}

/** The peer's ID must be the one we expect; its octets go into the hash as they came. */
export function readId({ core, sa, message }: Context): void {
  const body = bodyOf(message!.payloads, PAYLOAD.ID)!;
  const id = ID_LAYOUT.decode(body);
  const { peer } = sa;
  const refuse = (detail: string) => new NegotiationError("INVALID_ID_INFORMATION", { item: "ID", detail });
  if (!PHASE_1_ID_TYPES.includes(id.type)) throw refuse(`${nameOf(ID_TYPE, id.type)} cannot identify a peer`);
  const fault = faultOfId(id);
  if (fault) throw refuse(fault);
  if (id.port !== 0 && (id.protocol !== 17 || (id.port !== core.ports.ike && id.port !== core.ports.nat))) {
    log(core, "Negotiation", 10, () => `Peer ${peer.name} sends ID with protocol ${id.protocol}, port ${id.port}`);
  }
  const expected = peer.remoteId;
  if (expected && !sameIdentity(expected, id)) {
    throw new NegotiationError("INVALID_ID_INFORMATION", {
      item: "Remote-ID",
      offered: [describeId(id)],
      allowed: [describeId(expected)],
      origin: peer.origins.remoteId ?? peer.origin,
    });
  }
  sa.remoteId = id;
  if (sa.role === "initiator") sa.negotiation!.IDir_b = body;
  else sa.negotiation!.IDii_b = body;
}

/** HASH_I or HASH_R. */
function proofHash(sa: Phase1Sa, of: Phase1Sa["role"]): Bytes {
  const n = sa.negotiation!;
  const H = methodOf(sa.terms!.method).hash ?? sa.terms!.hash;
  const parts = {
    g_xi: n.g_xi!,
    g_xr: n.g_xr!,
    CKY_I: sa.initiatorCookie,
    CKY_R: sa.responderCookie,
    SAi_b: n.SAi_b!,
  };
  return of === "initiator"
    ? HASH_I(H, sa.keys!.SKEYID, { ...parts, IDii_b: n.IDii_b! })
    : HASH_R(H, sa.keys!.SKEYID, { ...parts, IDir_b: n.IDir_b! });
}

/** Our proof: the hash itself, or its signature with the certificates that go with it. */
export function* prove({ core, sa }: Context): Generator<Wait, void, any> {
  const n = sa.negotiation!;
  const octets = proofHash(sa, sa.role);
  const { base, proof } = methodOf(sa.terms!.method);
  n.sendInitialContact = !knowsOther(core, sa);
  if (proof === "hash") {
    n.proof = { type: PAYLOAD.HASH, body: HASH_LAYOUT.encode({ hash: octets }) };
    return;
  }
  const signed = yield* compute({
    op: "sign",
    method: base,
    peer: sa.peer.name,
    localId: sa.localId!,
    requests: n.requests,
    octets,
  });
  n.certificates = signed.certificates;
  n.proof = { type: PAYLOAD.SIG, body: SIG_LAYOUT.encode({ signature: signed.signature }) };
}

/** The peer's proof. */
export function* verify({ sa, message }: Context): Generator<Wait, void, any> {
  const n = sa.negotiation!;
  const other = sa.role === "initiator" ? "responder" : "initiator";
  const octets = proofHash(sa, other);
  const { base, proof } = methodOf(sa.terms!.method);
  const { payloads } = message!;
  if (proof === "hash") {
    const body = bodyOf(payloads, PAYLOAD.HASH);
    if (body && equalConstantTime(HASH_LAYOUT.decode(body).hash, octets)) return;
    throw new NegotiationError(body ? "INVALID_HASH_INFORMATION" : "AUTHENTICATION_FAILED", {
      item: "Authentication",
      detail: body
        ? "the peer's hash is not the one our pre-shared key gives: probably different pre-shared keys"
        : "the peer sends a signature, a hash was negotiated",
      origin: n.secretOrigin,
    });
  }
  const body = bodyOf(payloads, PAYLOAD.SIG);
  if (!body) {
    throw new NegotiationError("AUTHENTICATION_FAILED", { item: "SIG", detail: "is missing, a hash came instead" });
  }
  const certificates = bodiesOf(payloads, PAYLOAD.CERT).map((certificate) => CERT_LAYOUT.decode(certificate));
  try {
    const { credential } = yield* compute({
      op: "verify",
      method: base,
      peer: sa.peer.name,
      remoteId: sa.remoteId!,
      certificates,
      octets,
      signature: SIG_LAYOUT.decode(body).signature,
    });
    sa.credential = credential;
  } catch (error) {
    if (!(error instanceof NegotiationError)) throw error;
    throw new NegotiationError("AUTHENTICATION_FAILED", {
      item: `ID ${describeId(sa.remoteId!)}`,
      detail: error.fault.detail,
      origin: sa.peer.origins.remoteId ?? sa.peer.origin,
      advice:
        "Correct certificate, key or ID where they are wrong: ours in the directories of [X509-certificates], or the peer's",
    });
  }
}

/**
 * INITIAL-CONTACT is noted here and acted on once the peer is proven. HASH_I and HASH_R do not cover it: what came in clear
 * anybody may have added.
 */
export function readNotifies({ sa, message }: Context): void {
  if (!message!.nextIv) return;
  const CKY = concat(sa.initiatorCookie, sa.responderCookie);
  for (const body of bodiesOf(message!.payloads, PAYLOAD.NOTIFY)) {
    const { type, spi } = NOTIFY_LAYOUT.decode(body);
    if (type === NOTIFY.INITIAL_CONTACT && equal(spi, CKY)) sa.negotiation!.receivedInitialContact = true;
  }
}

/** Phase 1 is done. */
export function establish({ core, sa, exchange }: Context): void {
  sa.lastBlock = exchange.iv!;
  const { endsEarlier } = sa.negotiation!;
  established(core, sa);
  if (endsEarlier) tellLifetime(core, sa);
}
