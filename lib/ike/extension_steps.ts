/**
 * Transactions: XAUTH (draft-beaulieu-ike-xauth-02), mode config (draft-dukes-ike-mode-cfg) and the Unity attributes, as
 * client and as server. They come between phase 1 and phase 2.
 *
 * @module
 */
import { type Address, maskOf } from "../ip/address.ts";
import {
  type Attribute,
  decodeAttributes,
  encodeAttributes,
  numberAttribute,
  numberOf,
  textAttribute,
} from "../isakmp/attributes.ts";
import { formatCfgValue } from "../isakmp/describe.ts";
import { formatId } from "../isakmp/identification.ts";
import { bodyOf, type Payload } from "../isakmp/message.ts";
import { CFG_ATTRIBUTE as CFG, CFG_TYPE, nameOf, PAYLOAD } from "../isakmp/numbers.ts";
import { ATTRIBUTE_LAYOUT } from "../isakmp/payloads.ts";
import { Builder } from "../octets/builder.ts";
import { type Bytes, decodeText, encodeText, equalConstantTime } from "../octets/bytes.ts";
import { xauthRole } from "./authentication.ts";
import type { ClientAddressing } from "./configuration.ts";
import { phase1Established } from "./connections.ts";
import { beginProtected } from "./exchange.ts";
import { NegotiationError } from "./fault.ts";
import { log } from "./log.ts";
import { reportSaFailure } from "./outcome.ts";
import { endPhase1, identified } from "./phase1_sa.ts";
import type { Context, Core, Phase1Sa, TransactionState } from "./state.ts";

const XAUTH_OK = 1;
const XAUTH_FAIL = 0;
const MOST_XAUTH_ATTEMPTS = 3;
const EMPTY = new Uint8Array(0);

const isXauth = ({ type }: Attribute) => type >= CFG.XAUTH_TYPE && type <= CFG.XAUTH_ANSWER;

function attributePayload(type: number, identifier: number, attributes: readonly Attribute[]): Payload {
  return {
    type: PAYLOAD.ATTRIBUTE,
    body: ATTRIBUTE_LAYOUT.encode({ type, identifier, attributes: encodeAttributes(attributes) }),
  };
}

function read({ message }: Context): { type: number; identifier: number; attributes: Attribute[] } {
  const { type, identifier, attributes } = ATTRIBUTE_LAYOUT.decode(bodyOf(message!.payloads, PAYLOAD.ATTRIBUTE)!);
  return { type, identifier, attributes: decodeAttributes(withoutPadding(attributes)) };
}

/** Some peers pad what is inside the payload with up to three zeros. */
function withoutPadding(octets: Bytes): Bytes {
  let end = 0;
  while (end + 4 <= octets.length) {
    const basic = octets[end] & 0x80;
    const next = end + 4 + (basic ? 0 : octets[end + 2] << 8 | octets[end + 3]);
    if (next > octets.length) break;
    end = next;
  }
  const tail = octets.subarray(end);
  return tail.length < 4 && tail.every((octet) => octet === 0) ? octets.slice(0, end) : octets;
}

function transact(
  core: Core,
  sa: Phase1Sa,
  purpose: TransactionState["purpose"],
  type: number,
  attributes: readonly Attribute[],
  identifier = 0,
): void {
  beginProtected(core, sa, "TRANSACTION", (exchange) => {
    exchange.transaction = { identifier, purpose };
    exchange.outgoing = [attributePayload(type, identifier, attributes)];
  });
}

// ---- what comes after phase 1 --------------------------------------------------------------------------------------

/** Our part in XAUTH. */
function xauthOf({ terms, role }: Phase1Sa): "client" | "server" | undefined {
  const asked = xauthRole(terms!.method);
  return asked && (asked === role ? "client" : "server");
}

/** Whether the peer has to name a user yet: who it is stands fast only then. */
export const asksUser = (sa: Phase1Sa): boolean => xauthOf(sa) === "server";

/** Begins XAUTH and mode config where they are needed; phase 2 waits for them. */
export function beginExtensions(core: Core, sa: Phase1Sa): void {
  const { peer } = sa;
  const xauth = xauthOf(sa);
  if (!xauth && !peer.modeConfig) return;
  sa.extension = { xauth, attempts: 0, admitted: !xauth, ready: false };
  core.timers.set(sa, "extension", core.now + 1000 * core.configuration.exchangeMaxTimeSeconds);
  if (xauth === "server") askUser(core, sa);
  else if (!xauth) beginModeConfig(core, sa);
}

function beginModeConfig(core: Core, sa: Phase1Sa): void {
  const { modeConfig } = sa.peer;
  if (modeConfig?.role === "client" && !modeConfig.push) {
    const wanted = [
      CFG.INTERNAL_IP4_ADDRESS,
      CFG.INTERNAL_IP4_NETMASK,
      CFG.INTERNAL_IP4_DNS,
      CFG.INTERNAL_IP4_NBNS,
      CFG.UNITY_BANNER,
      CFG.UNITY_DEFAULT_DOMAIN,
      CFG.UNITY_SPLIT_INCLUDE,
    ];
    transact(core, sa, "config-request", CFG_TYPE.REQUEST, wanted.map((type) => ({ type, value: EMPTY })));
  } else if (modeConfig?.role === "server" && modeConfig.push) {
    transact(core, sa, "config-set", CFG_TYPE.SET, addressingAttributes(sa, addressingOf(core, sa), undefined));
  } else if (modeConfig?.role === "client") return; // the server sets
  else ready(core, sa);
}

function ready(core: Core, sa: Phase1Sa): void {
  if (sa.extension!.ready) return;
  sa.extension!.ready = true;
  phase1Established(core, sa);
}

function giveUpPhase1(core: Core, sa: Phase1Sa, item: string, detail: string): void {
  reportSaFailure(core, sa, { code: "AUTHENTICATION_FAILED", item, detail, origin: sa.peer.origin });
  endPhase1(core, sa, "refused");
}

/** XAUTH or mode config has not come to an end in time. */
export function extensionLate(core: Core, sa: Phase1Sa): void {
  if (sa.extension?.ready) return;
  const item = sa.extension?.admitted ? "mode config" : "XAUTH";
  giveUpPhase1(core, sa, item, "the peer did not finish it");
}

// ---- XAUTH, server -------------------------------------------------------------------------------------------------

function askUser(core: Core, sa: Phase1Sa): void {
  sa.extension!.attempts++;
  const wanted = [CFG.XAUTH_USER_NAME, CFG.XAUTH_USER_PASSWORD].map((type) => ({ type, value: EMPTY }));
  transact(core, sa, "xauth-request", CFG_TYPE.REQUEST, wanted);
}

function judge(core: Core, sa: Phase1Sa, attributes: readonly Attribute[]): void {
  const of = (type: number) => attributes.find((attribute) => attribute.type === type)?.value;
  const user = of(CFG.XAUTH_USER_NAME), password = of(CFG.XAUTH_USER_PASSWORD);
  const name = user && decodeText(user);
  const known = name === undefined ? undefined : core.configuration.xauthUsers.get(name);
  const isRight = known !== undefined && password !== undefined && equalConstantTime(known.reveal(), password);
  log(core, "Negotiation", 0, () => `XAUTH user ${JSON.stringify(name ?? "")} ${isRight ? "accepted" : "refused"}`);
  if (isRight) {
    sa.extension!.user = name;
    sa.extension!.admitted = true;
    identified(core, sa);
  }
  transact(core, sa, "xauth-status", CFG_TYPE.SET, [
    numberAttribute(CFG.XAUTH_STATUS, isRight ? XAUTH_OK : XAUTH_FAIL),
  ]);
}

// ---- answers to our requests ---------------------------------------------------------------------------------------

/** The answer to a transaction of ours. */
export function readAnswer(context: Context): void {
  const { core, sa, exchange } = context;
  const { type, attributes } = read(context);
  const { purpose } = exchange.transaction!;
  const extension = sa.extension;
  if (!extension) return;
  switch (purpose) {
    case "xauth-request":
      if (type === CFG_TYPE.REPLY) judge(core, sa, attributes);
      return;
    case "xauth-status":
      if (extension.user !== undefined) {
        return sa.peer.modeConfig?.role === "server" ? offerAddressing(core, sa) : ready(core, sa);
      }
      if (extension.attempts < MOST_XAUTH_ATTEMPTS) return askUser(core, sa);
      return giveUpPhase1(core, sa, "XAUTH", `user refused ${extension.attempts} times`);
    case "config-request":
      if (type === CFG_TYPE.REPLY) takeAddressing(core, sa, attributes);
      return;
    case "config-set":
      return ready(core, sa);
    default:
      return;
  }
}

/** A server that sets does so now; one that is asked is ready, and answers when asked. */
function offerAddressing(core: Core, sa: Phase1Sa): void {
  if (sa.peer.modeConfig!.push) beginModeConfig(core, sa);
  else ready(core, sa);
}

// ---- requests of the peer ------------------------------------------------------------------------------------------

/** Makes the answer to a request or set of the peer. */
export function answer(context: Context): void {
  const { core, sa, exchange } = context;
  const { type, identifier, attributes } = read(context);
  const asked = attributes.some(isXauth);
  exchange.transaction = { identifier, purpose: "answer" };
  const respond = (answerType: number, answers: readonly Attribute[]) => {
    exchange.outgoing = [attributePayload(answerType, identifier, answers)];
  };
  if (type === CFG_TYPE.REQUEST && asked) respond(CFG_TYPE.REPLY, credentials(sa, attributes));
  else if (type === CFG_TYPE.SET && asked) {
    const status = attributes.find((attribute) => attribute.type === CFG.XAUTH_STATUS);
    exchange.transaction.status = status !== undefined && numberOf(status) === XAUTH_OK;
    respond(CFG_TYPE.ACK, [{ type: CFG.XAUTH_STATUS, value: EMPTY }]);
  } else if (type === CFG_TYPE.REQUEST) {
    if (sa.peer.modeConfig?.role !== "server" || (sa.extension?.xauth === "server" && !sa.extension.user)) {
      throw new NegotiationError("ATTRIBUTES_NOT_SUPPORTED", {
        item: "mode config",
        detail: "we are no server for it",
      });
    }
    respond(CFG_TYPE.REPLY, addressingAttributes(sa, addressingOf(core, sa), attributes));
  } else if (type === CFG_TYPE.SET) {
    if (sa.peer.modeConfig?.role === "client") exchange.transaction.set = attributes;
    respond(CFG_TYPE.ACK, attributes.map((attribute) => ({ type: attribute.type, value: EMPTY })));
  } else {throw new NegotiationError("PAYLOAD_MALFORMED", {
      item: "ATTRIBUTE",
      detail: `${nameOf(CFG_TYPE, type)} begins nothing`,
    });}
}

/** XAUTH's verdict and what was set count once our acknowledgement has left. */
export function afterAnswer({ core, sa, exchange }: Context): void {
  const { status, set } = exchange.transaction!;
  const extension = sa.extension;
  if (set) return takeAddressing(core, sa, set);
  if (status === undefined || extension?.xauth !== "client") return;
  if (!status) return giveUpPhase1(core, sa, "XAUTH", "the peer refuses our user name or password");
  extension.admitted = true;
  if (sa.peer.modeConfig) beginModeConfig(core, sa);
  else ready(core, sa);
}

/** User name and password, as far as they are asked for. */
function credentials(sa: Phase1Sa, asked: readonly Attribute[]): Attribute[] {
  const { xauth } = sa.peer;
  if (xauth?.role !== "client") {
    throw new NegotiationError("ATTRIBUTES_NOT_SUPPORTED", {
      item: "XAUTH",
      detail: "the peer asks for a user, none is configured",
      origin: sa.peer.origin,
    });
  }
  return asked.flatMap((attribute): Attribute[] => {
    switch (attribute.type) {
      case CFG.XAUTH_TYPE:
        return [numberAttribute(CFG.XAUTH_TYPE, 0)];
      case CFG.XAUTH_USER_NAME:
        return [textAttribute(CFG.XAUTH_USER_NAME, encodeText(xauth.user))];
      case CFG.XAUTH_USER_PASSWORD:
      case CFG.XAUTH_PASSCODE:
        return [textAttribute(attribute.type, xauth.password.reveal())];
      default:
        return [];
    }
  });
}

// ---- addressing ----------------------------------------------------------------------------------------------------

/** What the client of an SA gets: by the user's name, by its ID, or what anybody gets. */
function addressingOf(core: Core, sa: Phase1Sa): ClientAddressing {
  const { clientAddressing } = core.configuration;
  const user = sa.extension?.user;
  const id = formatId(sa.remoteId!);
  const found = (user !== undefined && clientAddressing.find((each) => each.id === user)) ||
    clientAddressing.find((each) => each.id === id) || clientAddressing.find((each) => each.id === undefined);
  if (found) return found;
  throw new NegotiationError("ATTRIBUTES_NOT_SUPPORTED", {
    item: "mode config",
    detail: `nothing is configured for ${user ?? id}`,
    origin: sa.peer.origin,
  });
}

/** The values as attributes; with `asked`, only those. */
function addressingAttributes(
  sa: Phase1Sa,
  from: ClientAddressing,
  asked: readonly Attribute[] | undefined,
): Attribute[] {
  const all: Attribute[] = [];
  const add = (type: number, value: Bytes | undefined) => value && all.push(textAttribute(type, value));
  const each = (v4: number, v6: number, addresses: readonly Address[]) => {
    for (const { family, octets } of addresses) add(family === 4 ? v4 : v6, octets);
  };
  if (from.address) {
    each(CFG.INTERNAL_IP4_ADDRESS, CFG.INTERNAL_IP6_ADDRESS, [from.address]);
    sa.extension ??= { attempts: 0, admitted: true, ready: true };
    sa.extension.assigned = from.address.octets;
  }
  if (from.netmask) each(CFG.INTERNAL_IP4_NETMASK, CFG.INTERNAL_IP6_NETMASK, [from.netmask]);
  each(CFG.INTERNAL_IP4_DNS, CFG.INTERNAL_IP6_DNS, from.nameservers);
  each(CFG.INTERNAL_IP4_NBNS, CFG.INTERNAL_IP6_NBNS, from.winsServers);
  each(CFG.INTERNAL_IP4_DHCP, CFG.INTERNAL_IP6_DHCP, from.dhcpServers);
  for (const { address, length } of from.networks) {
    if (address.family === 4) {
      add(CFG.INTERNAL_IP4_SUBNET, new Builder().bytes(address.octets, maskOf(4, length).octets).finish());
    } else add(CFG.INTERNAL_IP6_SUBNET, new Builder().bytes(address.octets).u8(length).finish());
  }
  if (from.lifeSeconds) add(CFG.INTERNAL_ADDRESS_EXPIRY, new Builder().u32(from.lifeSeconds).finish());
  if (from.banner) add(CFG.UNITY_BANNER, encodeText(from.banner));
  if (from.defaultDomain) add(CFG.UNITY_DEFAULT_DOMAIN, encodeText(from.defaultDomain));
  const splits = from.splitInclude.filter(({ address }) => address.family === 4);
  if (splits.length) {
    // Each: address, mask, and six octets (protocol, ports) that nobody uses.
    const value = new Builder();
    for (const { address, length } of splits) value.bytes(address.octets, maskOf(4, length).octets).zeros(6);
    add(CFG.UNITY_SPLIT_INCLUDE, value.finish());
  }
  return asked ? all.filter(({ type }) => asked.some((attribute) => attribute.type === type)) : all;
}

/** Client: takes what the server gives. */
function takeAddressing(core: Core, sa: Phase1Sa, attributes: readonly Attribute[]): void {
  const values: Record<string, string[]> = {};
  for (const attribute of attributes) {
    const name = nameOf(CFG, attribute.type);
    const { length } = attribute.value;
    const isAddress = attribute.type === CFG.INTERNAL_IP4_ADDRESS || attribute.type === CFG.INTERNAL_IP6_ADDRESS;
    if (isAddress && (length === 4 || length === 16)) sa.extension!.assigned = attribute.value;
    if (length) (values[name] ??= []).push(formatCfgValue(attribute));
  }
  core.effects.push({ type: "addressing", peer: sa.peer.name, values });
  if (sa.extension?.assigned) ready(core, sa);
  else giveUpPhase1(core, sa, "mode config", "the peer gives us no address");
}
