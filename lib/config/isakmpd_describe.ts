/** A resolved isakmpd.conf as text: what `ipsecbox check FILE` prints and what the golden tests compare. @module */
import type {
  Allowed,
  Configuration,
  Connection,
  LifeRule,
  Origin,
  Peer,
  Suite,
  TransformRule,
} from "../ike/configuration.ts";
import { formatAddress, formatPrefix } from "../ip/address.ts";
import { describeId, describeSelector } from "../isakmp/identification.ts";
import {
  AH_TRANSFORM,
  AUTHENTICATION_ALGORITHM,
  ENCAPSULATION_MODE,
  ESP_TRANSFORM,
  IKE_ATTRIBUTE,
  IKE_AUTHENTICATION,
  IKE_ENCRYPTION,
  IKE_GROUP,
  IKE_HASH,
  IPSEC_ATTRIBUTE,
  nameOf,
  PROTOCOL_ID,
  type Registry,
} from "../isakmp/numbers.ts";
import type { IsakmpdConf, IsakmpdSettings } from "./isakmpd_conf.ts";

const PHASE_1_VALUES: Readonly<Record<number, Registry>> = {
  [IKE_ATTRIBUTE.ENCRYPTION_ALGORITHM]: IKE_ENCRYPTION,
  [IKE_ATTRIBUTE.HASH_ALGORITHM]: IKE_HASH,
  [IKE_ATTRIBUTE.AUTHENTICATION_METHOD]: IKE_AUTHENTICATION,
  [IKE_ATTRIBUTE.GROUP_DESCRIPTION]: IKE_GROUP,
};
const PHASE_2_VALUES: Readonly<Record<number, Registry>> = {
  [IPSEC_ATTRIBUTE.ENCAPSULATION_MODE]: ENCAPSULATION_MODE,
  [IPSEC_ATTRIBUTE.AUTHENTICATION_ALGORITHM]: AUTHENTICATION_ALGORITHM,
  [IPSEC_ATTRIBUTE.GROUP_DESCRIPTION]: IKE_GROUP,
};

function allowedText(allowed: Allowed, registry?: Registry): string {
  if (allowed === "ANY") return "ANY";
  const word = (value: number) => registry ? nameOf(registry, value) : String(value);
  const { offer, least, most } = allowed;
  return least === most ? word(offer) : `${word(offer)},${word(least)}:${word(most)}`;
}

const livesText = (lives: readonly LifeRule[] | "ANY") =>
  lives === "ANY"
    ? ["life ANY"]
    : lives.map(({ type, duration }) => `life ${allowedText(duration)} ${type.toLowerCase()}`);

/** A predefined section has the place that names it, which is in another section. */
const at = ({ line, section }: Origin, name = section) =>
  name !== section || !line ? `predefined${line ? `, line ${line}` : ""}` : `line ${line}`;

function transformText(rule: TransformRule, classes: Registry, values: Readonly<Record<number, Registry>>): string {
  const attributes = rule.attributes.map(({ attribute, allowed }) =>
    `${nameOf(classes, attribute)} ${allowedText(allowed, values[attribute])}`
  );
  return `${rule.name} (${at(rule.origin, rule.name)}): ${[...attributes, ...livesText(rule.lives)].join(", ")}`;
}

function* peerLines(peer: Peer): Generator<string> {
  yield `peer ${peer.name} (${at(peer.origin)})`;
  yield `  ${peer.address ? `address ${formatAddress(peer.address)} port ${peer.port}` : "any address"}${
    peer.localAddress ? ` from ${formatAddress(peer.localAddress)}` : ""
  }`;
  yield `  ${peer.exchange}${peer.secret ? `, pre-shared key of ${peer.secret.length} octets` : ""}`;
  if (peer.localId) yield `  we are ${describeId(peer.localId)}`;
  if (peer.remoteId) yield `  it is ${describeId(peer.remoteId)}`;
  const extras = [
    !peer.natTraversal && "no NAT traversal",
    peer.forceEncapsulation && "always in UDP",
    !peer.fragmentation && "no fragments",
    peer.dpdSeconds > 0 && `dead peer detection after ${peer.dpdSeconds} s`,
    peer.xauth && `XAUTH ${peer.xauth.role}${peer.xauth.role === "client" ? ` as ${peer.xauth.user}` : ""}`,
    peer.modeConfig && `mode config ${peer.modeConfig.role}${peer.modeConfig.push ? ", pushed" : ""}`,
  ].filter((text) => typeof text === "string");
  if (extras.length) yield `  ${extras.join(", ")}`;
  for (const rule of peer.transforms) yield `  transform ${transformText(rule, IKE_ATTRIBUTE, PHASE_1_VALUES)}`;
}

function* suiteLines(suite: Suite): Generator<string> {
  yield `suite ${suite.name} (${at(suite.origin, suite.name)})`;
  for (const { protocol, transforms, replayWindow } of suite.protocols) {
    const ids = protocol === PROTOCOL_ID.IPSEC_ESP ? ESP_TRANSFORM : AH_TRANSFORM;
    for (const rule of transforms) {
      const name = protocol === PROTOCOL_ID.IPSEC_ESP ? "ESP" : "AH";
      const text = transformText(rule, IPSEC_ATTRIBUTE, PHASE_2_VALUES);
      yield `  ${name} ${nameOf(ids, rule.id)} replay window ${replayWindow}, ${text}`;
    }
  }
}

function* connectionLines(connection: Connection): Generator<string> {
  const modes = [connection.active && "active", connection.passive && "passive"].filter(Boolean);
  yield `connection ${connection.name} (${at(connection.origin)}): ${modes.join(", ") || "on demand"}`;
  yield `  peer ${connection.peer}`;
  const { localId, remoteId, anyRemote } = connection;
  const remote = remoteId ? describeSelector(remoteId) : anyRemote ? "whatever the initiator says" : "the peer";
  yield `  ${localId ? describeSelector(localId) : "we"} <-> ${remote}${remoteId && anyRemote ? " or within" : ""}`;
  yield `  suites ${connection.suites.map(({ name }) => name).join(", ")}`;
}

function* settingsLines(configuration: Configuration, settings: IsakmpdSettings): Generator<string> {
  yield `listen on ${settings.listenOn?.join(", ") ?? "all addresses"}`;
  yield `policy ${settings.useKeynote ? settings.policyFile : "none"}`;
  yield `retransmits ${configuration.retransmits}, exchange time ${configuration.exchangeMaxTimeSeconds} s, ` +
    `connections checked every ${configuration.checkIntervalSeconds} s, NAT keepalive ${configuration.natKeepaliveSeconds} s`;
  const extras = [
    configuration.sharedSadb && "shared SADB",
    settings.renegotiateOnHup && "renegotiate on HUP",
    settings.acquireOnly && "acquire only",
    !settings.deleteSas && "no DELETE at exit",
  ].filter((text) => typeof text === "string");
  if (extras.length) yield extras.join(", ");
}

function* lines({ configuration, settings }: Omit<IsakmpdConf, "faults">): Generator<string> {
  yield* settingsLines(configuration, settings);
  for (const { address, peer } of configuration.peersByAddress) yield `${formatAddress(address)} is ${peer}`;
  if (configuration.defaultPeer) yield `anybody else is ${configuration.defaultPeer.peer}`;
  for (const peer of configuration.peers) yield* peerLines(peer);
  for (const connection of configuration.connections) yield* connectionLines(connection);
  const suites = new Map<string, Suite>();
  for (const suite of [...configuration.connections.flatMap((one) => one.suites), ...configuration.defaultSuites]) {
    suites.set(suite.name, suite);
  }
  for (const suite of suites.values()) yield* suiteLines(suite);
  for (const [id, { secret }] of configuration.initiatorSecrets) {
    yield `initiator ${id}: pre-shared key of ${secret.length} octets`;
  }
  for (const [user, secret] of configuration.xauthUsers) {
    yield `XAUTH user ${user}: password of ${secret.length} octets`;
  }
  for (const row of configuration.clientAddressing) {
    const words = [
      row.address && `address ${formatAddress(row.address)}`,
      row.netmask && `netmask ${formatAddress(row.netmask)}`,
      ...row.nameservers.map((address) => `nameserver ${formatAddress(address)}`),
      ...row.winsServers.map((address) => `WINS server ${formatAddress(address)}`),
      ...row.dhcpServers.map((address) => `DHCP server ${formatAddress(address)}`),
      ...row.networks.map((prefix) => `network ${formatPrefix(prefix)}`),
      ...row.splitInclude.map((prefix) => `split ${formatPrefix(prefix)}`),
      row.defaultDomain && `domain ${row.defaultDomain}`,
      row.lifeSeconds && `${row.lifeSeconds} s`,
    ].filter((text) => typeof text === "string");
    yield `client ${row.id ?? "any"}: ${words.join(", ")}`;
  }
}

/** The whole, one fact a line. No secret is in it. */
export function describeIsakmpdConf(conf: Omit<IsakmpdConf, "faults">): string {
  return `${Array.from(lines(conf)).join("\n")}\n`;
}
