/** The steps of Quick Mode (RFC 2409 5.5). What they gather is `exchange.quick`. @module */
import { connectionsWith } from "./indexes.ts";
import { address, formatAddress, prefixOf } from "../ip/address.ts";
import {
  type ClientSelector,
  describeSelector,
  equalSelector,
  selectorId,
  selectorOf,
  withinSelector,
} from "../isakmp/identification.ts";
import { bodiesOf, bodyOf } from "../isakmp/message.ts";
import { IKE_GROUP, IPSEC_ATTRIBUTE, nameOf, NOTIFY, PAYLOAD, PROTOCOL_ID } from "../isakmp/numbers.ts";
import { ID_LAYOUT, KEY_EXCH_LAYOUT, NAT_OA_LAYOUT, NONCE_LAYOUT, NOTIFY_LAYOUT } from "../isakmp/payloads.ts";
import { decodeSa, encodeSa, type Proposal } from "../isakmp/proposals.ts";
import { type Bytes, equal } from "../octets/bytes.ts";
import { Reader } from "../octets/reader.ts";
import type { Connection, Suite } from "./configuration.ts";
import { pairEstablished, releaseSpi } from "./connections.ts";
import type { NegotiatedSa } from "./events.ts";
import { NegotiationError } from "./fault.ts";
import { KEYMAT } from "./keys.ts";
import { pairLimits, readLifetime } from "./lifetimes.ts";
import { log } from "./log.ts";
import { encapsulates, encapsulationTranslation, isTunnel } from "./nat.ts";
import { acceptAnswer, choosePhase2, offerPhase2, ruleOf, type SuiteChoice } from "./negotiate.ts";
import { u32 } from "./notify.ts";
import { addPair, installInboundSas, installOutboundSas, protocolName } from "./pairs.ts";
import { compute } from "./phase1_steps.ts";
import { fraction } from "./phase1_sa.ts";
import { authorize } from "./policy.ts";
import type { Context, Phase1Sa, QuickState, SaPair, Wait } from "./state.ts";
import { type Phase2Terms, phase2Terms } from "./terms.ts";
import { SOFT_FRACTION } from "./timers.ts";

const NONCE_OCTETS = 32;
/** vpnc, which announces Unity, writes its own nonce of 20 octets over ours and answers with what that leaves. */
const UNITY_NONCE_OCTETS = 20;
const LEAST_SPI = 256;

// ---- who and what --------------------------------------------------------------------------------------------------

const hostSelector = (sa: Phase1Sa, end: "local" | "remote"): ClientSelector => ({
  prefix: prefixOf(sa[end].address, 8 * sa[end].address.octets.length),
  protocol: 0,
  port: 0,
});

const invalidId = (fault: ConstructorParameters<typeof NegotiationError>[1]) =>
  new NegotiationError("INVALID_ID_INFORMATION", fault);

/** The two client IDs of a message as selectors: the initiator's, the responder's. @throws {NegotiationError} */
function readIds({ message }: Context): [ClientSelector, ClientSelector] | undefined {
  const bodies = bodiesOf(message!.payloads, PAYLOAD.ID);
  if (bodies.length === 0) return undefined;
  if (bodies.length === 1) throw invalidId({ item: "ID", detail: "one client ID came alone, two or none are needed" });
  try {
    const [IDci, IDcr] = bodies.map((body) => selectorOf(ID_LAYOUT.decode(body)));
    return [IDci, IDcr];
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw invalidId({ item: "ID", detail: error.message });
  }
}

/** The selectors that a connection has under an SA. */
function selectorsOf(connection: Connection, sa: Phase1Sa): { local?: ClientSelector; remote?: ClientSelector } {
  const host = !connection.localId && !connection.remoteId && !connection.anyRemote;
  return {
    local: connection.localId ?? (host ? hostSelector(sa, "local") : undefined),
    remote: connection.remoteId ?? (host ? hostSelector(sa, "remote") : undefined),
  };
}

/**
 * Responder: the connection whose IDs the initiator names. First one with both IDs the same; then one whose remote ID is
 * open or holds what is asked (road warriors); then, where a policy decides, none.
 */
export function findConnection(context: Context): void {
  const { core, sa, exchange, message } = context;
  if (sa.extension?.admitted === false) {
    throw new NegotiationError("NO_PROPOSAL_CHOSEN", { item: "XAUTH", detail: "is not finished" });
  }
  const ids = readIds(context);
  const [remote, local] = ids ?? [hostSelector(sa, "remote"), hostSelector(sa, "local")];
  const candidates = connectionsWith(core.configuration, sa.peer.name).filter(({ passive }) => passive);
  const exact = candidates.find((connection) => {
    const own = selectorsOf(connection, sa);
    return own.local && own.remote && equalSelector(own.local, local) && equalSelector(own.remote, remote);
  });
  const assigned = sa.extension?.xauth === "server" ? sa.extension.assigned : undefined;
  const isAssigned = !assigned || equal(assigned, remote.prefix.address.octets);
  const open = candidates.find((connection) => {
    const { local: ours, remote: theirs } = selectorsOf(connection, sa);
    if (!ours || !withinSelector(ours, local)) return false;
    if (!theirs) return isAssigned;
    return connection.anyRemote === true && withinSelector(theirs, remote);
  });
  const connection = exact ?? open;
  const quick: QuickState = {
    connection,
    key: "",
    local,
    remote,
    suites: connection?.suites ?? core.configuration.defaultSuites,
    withIds: ids !== undefined,
    spis: new Map(),
    offer: decodeSa(bodyOf(message!.payloads, PAYLOAD.SA)!).proposals,
    Ni_b: NONCE_LAYOUT.decode(bodyOf(message!.payloads, PAYLOAD.NONCE)!).nonce,
    ids: message!.payloads.filter(({ type }) => type === PAYLOAD.ID),
  };
  exchange.quick = quick;
  if (connection) return;
  if (core.environment.authorize && quick.suites.length) {
    quick.connection = {
      name: `${sa.peer.name}-${describeSelector(remote)}-${describeSelector(local)}`,
      peer: sa.peer.name,
      suites: quick.suites,
      active: false,
      passive: true,
      dynamic: true,
      origin: sa.peer.origin,
      origins: {},
    };
    return;
  }
  throw noConnection(context, candidates, { local, remote });
}

/** No connection has the client IDs: what this peer may ask for, and a connection that it may not begin. */
function noConnection(
  { core, sa }: Context,
  candidates: readonly Connection[],
  { local, remote }: { local: ClientSelector; remote: ClientSelector },
): NegotiationError {
  const word = (selector?: ClientSelector) => selector ? describeSelector(selector) : "any";
  const others = connectionsWith(core.configuration, sa.peer.name).filter((each) => !candidates.includes(each));
  const unlisted = others.find((each) => {
    const own = selectorsOf(each, sa);
    return own.local && own.remote && equalSelector(own.local, local) && equalSelector(own.remote, remote);
  });
  const [first] = candidates;
  return invalidId({
    item: "client IDs",
    offered: [`${describeSelector(remote)} to ${describeSelector(local)}`],
    allowed: candidates.map((each) => {
      const own = selectorsOf(each, sa);
      return `${word(own.remote)} to ${word(own.local)} (connection ${each.name})`;
    }),
    detail: unlisted && `connection ${unlisted.name} has them, but the peer may not begin it`,
    origin: unlisted?.origin ?? first?.origins.remoteId ?? first?.origin ?? sa.peer.origin,
    advice: unlisted && `Name ${unlisted.name} in Passive-connections`,
  });
}

/** Responder: the first proposal that a suite allows and the policy agrees to. */
export function choose(context: Context): void {
  const { core, sa, exchange } = context;
  const quick = exchange.quick!;
  const { connection, offer, suites } = quick;
  checkSpis(offer!);
  const acceptable = (choice: SuiteChoice) => authorize(core, sa, quick, termsOf(choice), "responder");
  const origin = connection!.origins.suites ?? connection!.origin;
  const choice = choosePhase2(offer!, suites, encapsulationTranslation(sa), origin, acceptable);
  settle(quick, choice);
  readOriginalAddresses(context);
  readPublicValue(context);
}

const termsOf = (choice: SuiteChoice): Phase2Terms[] =>
  choice.protocols.map(({ proposal, transform }) => phase2Terms(proposal.protocol, transform));

function settle(quick: QuickState, choice: SuiteChoice): void {
  quick.choice = choice;
  quick.terms = termsOf(choice);
  quick.group = quick.terms[0].group;
}

function checkSpis(proposals: readonly Proposal[]): void {
  for (const { protocol, spi } of proposals) {
    if (protocol !== PROTOCOL_ID.IPSEC_AH && protocol !== PROTOCOL_ID.IPSEC_ESP) continue;
    if (spi.length === 4 && new Reader(spi).u32() >= LEAST_SPI) continue;
    throw new NegotiationError("INVALID_SPI", { item: "SPI", detail: "must have 4 octets and be at least 256" });
  }
}

// ---- SPIs, Diffie-Hellman, proposals -------------------------------------------------------------------------------

/** The PFS group of a suite; undefined: none. */
function groupOfSuite({ protocols }: Suite): number | undefined {
  const rule = protocols[0]?.transforms[0]?.attributes.find(({ attribute }) =>
    attribute === IPSEC_ATTRIBUTE.GROUP_DESCRIPTION
  );
  return rule && rule.allowed !== "ANY" ? rule.allowed.offer : undefined;
}

/** Our SPIs for every protocol that the proposals or the choice have. */
export function* reserveSpis({ core, sa, exchange }: Context): Generator<Wait, void, any> {
  const quick = exchange.quick!;
  if (!quick.choice) {
    // Only one public value can be sent: suites with another group must stay at home.
    quick.group = groupOfSuite(quick.suites[0]);
    const same = quick.suites.filter((suite) => groupOfSuite(suite) === quick.group);
    if (same.length < quick.suites.length) {
      log(
        core,
        "Negotiation",
        0,
        () =>
          `Connection ${quick.connection!.name}: suites with another PFS group than the first are not offered to ${
            formatAddress(sa.remote.address)
          }`,
      );
    }
    quick.suites = same;
  }
  const protocols = quick.choice
    ? quick.choice.protocols.map(({ protocolRule }) => protocolRule.protocol)
    : quick.suites.flatMap((suite) => suite.protocols.map(({ protocol }) => protocol));
  for (const protocol of new Set(protocols)) {
    quick.spis.set(protocol, yield { op: "reserveSpi", protocol: protocolName(protocol) });
  }
}

/** With PFS, a key pair of our own for this exchange alone. */
export function* makeKeyPair({ core, sa, exchange }: Context): Generator<Wait, void, any> {
  const quick = exchange.quick!;
  const nonce = core.environment.random(sa.capabilities.has("unity") ? UNITY_NONCE_OCTETS : NONCE_OCTETS);
  if (exchange.role === "initiator") quick.Ni_b = nonce;
  else quick.Nr_b = nonce;
  if (quick.group !== undefined) quick.keyPair = yield* compute({ op: "generateKeyPair", group: quick.group });
}

/** Initiator: proposals, IDs. */
export function offer({ sa, exchange }: Context): void {
  const quick = exchange.quick!;
  const { connection, suites, spis, local, remote } = quick;
  const origin = connection!.origins.suites ?? connection!.origin;
  quick.offer = offerPhase2(suites, encapsulationTranslation(sa), (protocol) => u32(spis.get(protocol)!), origin);
  quick.sa_b = encodeSa(quick.offer);
  const id = (selector: ClientSelector) => ({ type: PAYLOAD.ID, body: ID_LAYOUT.encode(selectorId(selector)) });
  quick.ids = quick.withIds ? [id(local), id(remote)] : [];
  const transports = suites.some(({ protocols }) =>
    protocols.some(({ transforms }) =>
      transforms.some(({ attributes }) =>
        attributes.some(({ attribute, allowed }) =>
          attribute === IPSEC_ATTRIBUTE.ENCAPSULATION_MODE && allowed !== "ANY" && !isTunnel(allowed.offer)
        )
      )
    )
  );
  if (encapsulates(sa) && transports) quick.natOriginal = {};
}

/** KE is there exactly when the chosen transform has a group. */
function readPublicValue({ exchange, message }: Context): void {
  const quick = exchange.quick!;
  const body = bodyOf(message!.payloads, PAYLOAD.KEY_EXCH);
  if (quick.group === undefined) return;
  if (!body) {
    throw new NegotiationError("INVALID_KEY_INFORMATION", {
      item: "KEY_EXCH",
      detail: `is missing although ${nameOf(IKE_GROUP, quick.group)} was chosen for PFS`,
    });
  }
  quick.peerPublicValue = KEY_EXCH_LAYOUT.decode(body).publicValue;
  if (quick.keyPair && equal(quick.keyPair.publicValue, quick.peerPublicValue)) {
    throw new NegotiationError("INVALID_KEY_INFORMATION", { item: "KEY_EXCH", detail: "is our own, sent back" });
  }
}

/** NAT-OA: RFC 3947's two addresses (initiator's, responder's) or the draft's one (the sender's own). */
function readOriginalAddresses({ sa, exchange, message }: Context): void {
  const quick = exchange.quick!;
  if (!encapsulates(sa) || quick.terms!.some(({ encapsulation }) => isTunnel(encapsulation))) return;
  const read = (type: number) =>
    bodiesOf(message!.payloads, type).map((body) => NAT_OA_LAYOUT.decode(body).address as Bytes)
      .filter(({ length }) => length === 4 || length === 16);
  const rfc = read(PAYLOAD.NAT_OA), [draft] = read(PAYLOAD.NAT_OA_DRAFT);
  const [initiator, responder] = rfc;
  quick.natOriginal = exchange.role === "initiator"
    ? { remote: responder ?? draft, local: initiator }
    : { remote: initiator ?? draft, local: responder };
}

/** Initiator: the answer must be one of our proposals, for the IDs that we sent. */
export function acceptChoice(context: Context): void {
  const { core, sa, exchange, message } = context;
  const quick = exchange.quick!;
  const { payloads } = message!;
  const answered = acceptAnswer(2, quick.offer!, decodeSa(bodyOf(payloads, PAYLOAD.SA)!).proposals);
  checkSpis(answered.map(({ answer }) => answer));
  const tell = (change: string) =>
    log(core, "Negotiation", 20, () => `Connection ${quick.connection!.name}: ${change}`);
  for (const { changes } of answered) for (const change of changes) tell(change);
  const translation = encapsulationTranslation(sa);
  const suite = quick.suites[answered[0].offered.number - 1] ?? quick.suites[0];
  const protocols = suite.protocols.map((protocolRule) => {
    const { answer, transform } = answered.find(({ answer }) => answer.protocol === protocolRule.protocol)!;
    const rule = ruleOf(2, answer.protocol, transform, protocolRule.transforms, translation);
    return { proposal: answer, transform, rule, protocolRule };
  });
  settle(quick, { suite, protocols });
  quick.Nr_b = NONCE_LAYOUT.decode(bodyOf(payloads, PAYLOAD.NONCE)!).nonce;
  if (equal(quick.Nr_b, quick.Ni_b!)) {
    throw new NegotiationError("INVALID_KEY_INFORMATION", { item: "NONCE", detail: "is our own, sent back" });
  }
  const ids = readIds(context);
  const same = ids ? equalSelector(ids[0], quick.local) && equalSelector(ids[1], quick.remote) : !quick.withIds;
  if (!same) {
    throw invalidId({
      item: "client IDs",
      offered: ids ? ids.map(describeSelector) : ["none"],
      allowed: [quick.local, quick.remote].map(describeSelector),
      detail: "the answer must return the IDs of the request",
      origin: quick.connection!.origins.localId ?? quick.connection!.origin,
    });
  }
  readOriginalAddresses(context);
  readPublicValue(context);
  for (const body of bodiesOf(payloads, PAYLOAD.NOTIFY)) {
    const { type, protocol, data } = NOTIFY_LAYOUT.decode(body);
    if (type === NOTIFY.RESPONDER_LIFETIME && protocol !== PROTOCOL_ID.ISAKMP) {
      const lifetime = defined(readLifetime(2, data));
      quick.lifetime = { ...quick.lifetime, ...lifetime };
      tell(`RESPONDER-LIFETIME ${Object.entries(lifetime).map(([unit, number]) => `${number} ${unit}`).join(", ")}`);
    }
  }
  const refused = authorize(core, sa, quick, quick.terms!, "initiator");
  if (refused) throw refused;
}

const defined = <T extends object>(values: T): T =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;

// ---- keys and SAs --------------------------------------------------------------------------------------------------

/** g(qm)^xy, KEYMAT for each protocol and direction, and the pair made of them. */
export function* deriveKeys({ core, sa, exchange }: Context): Generator<Wait, void, any> {
  const quick = exchange.quick!;
  const g_qm_xy = quick.group === undefined ? undefined : yield* compute({
    op: "sharedSecret",
    group: quick.group,
    privateKey: quick.keyPair!.privateKey,
    peerPublicValue: quick.peerPublicValue!,
  });
  quick.pair = makePair(core, sa, exchange, g_qm_xy);
  if (exchange.role === "initiator") return;
  quick.sa_b = encodeSa(quick.choice!.protocols.map(({ proposal, transform }) => ({
    ...proposal,
    spi: u32(quick.spis.get(proposal.protocol)!),
    transforms: [transform],
  })));
}

function makePair(core: Context["core"], sa: Phase1Sa, exchange: Context["exchange"], g_qm_xy?: Bytes): SaPair {
  const quick = exchange.quick!;
  const { connection, choice, terms, local, remote } = quick;
  const id = core.nextId++;
  const limits = pairLimits(quick);
  const [least, most] = SOFT_FRACTION[exchange.role];
  const part = least + (most - least) * fraction(core);
  const hard = { seconds: limits.seconds, bytes: 1024 * limits.kilobytes };
  const soft = { seconds: Math.max(1, Math.floor(part * hard.seconds)), bytes: Math.floor(part * hard.bytes) };
  const udp = encapsulates(sa) ? { localPort: sa.local.port, remotePort: sa.remote.port } : undefined;
  const { hash: H } = sa.terms!;
  // ESP inside, AH outside (RFC 2401 4.3); only the innermost SA is a tunnel, the others wrap what it made.
  const order = choice!.protocols.map((_, i) => i).sort((a, b) => terms![b].protocol - terms![a].protocol);
  const natOriginal = (direction: "in" | "out") => {
    const { remote: theirs, local: ours } = quick.natOriginal ?? {};
    if (!theirs && !ours) return undefined;
    const [far, near] = [theirs && address(theirs), ours && address(ours)];
    return direction === "in" ? { source: far, destination: near } : { source: near, destination: far };
  };
  const make = (i: number, depth: number, direction: "in" | "out"): NegotiatedSa => {
    const { proposal, protocolRule } = choice!.protocols[i];
    const t = terms![i];
    const spi = direction === "in" ? u32(quick.spis.get(t.protocol)!) : proposal.spi;
    const keymat = KEYMAT(H, {
      SKEYID_d: sa.keys!.SKEYID_d,
      g_qm_xy,
      protocol: t.protocol,
      spi,
      Ni_b: quick.Ni_b!,
      Nr_b: quick.Nr_b!,
    }, t.encryptionOctets + t.authenticationOctets);
    const [source, destination] = direction === "in"
      ? [sa.remote.address, sa.local.address]
      : [sa.local.address, sa.remote.address];
    return {
      pair: id,
      connection: connection!.name,
      direction,
      protocol: protocolName(t.protocol),
      spi: new Reader(spi).u32(),
      source,
      destination,
      encryption: t.cipher?.name,
      authentication: t.authenticator?.name,
      encryptionKey: t.encryptionOctets ? keymat.slice(0, t.encryptionOctets) : undefined,
      authenticationKey: t.authenticationOctets ? keymat.slice(t.encryptionOctets) : undefined,
      tunnel: depth === 0 && isTunnel(t.encapsulation),
      replayWindow: core.configuration.sharedSadb ? 0 : protocolRule.replayWindow,
      encapsulation: udp && t.protocol === PROTOCOL_ID.IPSEC_ESP ? udp : undefined,
      natOriginal: natOriginal(direction),
      soft,
      hard,
      localIdentity: sa.localId!,
      remoteIdentity: sa.remoteId!,
    };
  };
  return {
    id,
    phase1: sa.id,
    messageId: exchange.messageId,
    key: `${connection!.name} ${describeSelector(local)} ${describeSelector(remote)} ${sa.identity}`,
    role: exchange.role,
    connection: connection!,
    peer: sa.peer,
    identity: sa.identity,
    remoteId: sa.remoteId!,
    localId: sa.localId!,
    local: sa.local,
    remote: sa.remote,
    localSelector: local,
    remoteSelector: remote,
    protocols: order.map((i, depth) => ({
      protocol: terms![i].protocol,
      inbound: make(i, depth, "in"),
      outbound: make(i, depth, "out"),
    })),
    tunnel: isTunnel(terms![order[0]].encapsulation),
    createdAt: core.now,
    softAt: core.now + 1000 * soft.seconds,
    hardAt: core.now + 1000 * hard.seconds,
    inboundInstalled: false,
    outboundInstalled: false,
    farewells: 0,
    farewellAt: 0,
    doubted: false,
    text: `${terms!.map(({ text }) => text).join(" + ")}, ${hard.seconds} seconds` +
      (hard.bytes ? `, ${limits.kilobytes} kilobytes` : ""),
  };
}

/** Responder: before message 2, so that the initiator may send as soon as it has it. Initiator: before message 3. */
export function installInbound({ core, exchange }: Context): void {
  const quick = exchange.quick!;
  const pair = quick.pair!;
  for (const protocol of quick.spis.keys()) {
    if (!pair.protocols.some((used) => used.protocol === protocol)) releaseSpi(core, exchange, protocol);
  }
  addPair(core, pair);
  installInboundSas(core, pair);
}

/** The other side can receive by now: the responder has installed its inbound SAs before message 2, the initiator before 3. */
export function installOutbound({ core, exchange }: Context): void {
  const pair = exchange.quick!.pair!;
  installOutboundSas(core, pair);
  pairEstablished(core, exchange, pair);
}
