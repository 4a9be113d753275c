/**
 * isakmpd.conf(5) to the typed configuration of the IKE core and the settings of the daemon. Every section and tag is
 * looked at, every reference followed, and all faults are found at once.
 *
 * @module
 */
import type { ClientAddressing, Configuration, Origin, Peer } from "../ike/configuration.ts";
import { LOG_CLASSES } from "../ike/events.ts";
import { type Address, formatAddress, isAddress, parseAddress, parsePrefix, type Prefix } from "../ip/address.ts";
import { didYouMean, nearestWord } from "../octets/nearest.ts";
import type { Secret } from "../octets/secret.ts";
import type { Fault, Section, Tree, Value } from "./ini.ts";
import { holdsName, lifetime, phase1Id, phase2Id } from "./isakmpd_ids.ts";
import { Phase1Reader, warnGuessable } from "./isakmpd_phase1.ts";
import { Phase2Reader } from "./isakmpd_phase2.ts";
import { ConfReader, originOf } from "./isakmpd_reader.ts";
import { ROOT_SECTIONS, type SectionKind, TELLING_TAGS } from "./isakmpd_tags.ts";

/** What of the file the daemon itself needs; the rest is in the core's Configuration. */
export interface IsakmpdSettings {
  /** Addresses and interface names; undefined: all. */
  readonly listenOn?: readonly string[];
  readonly policyFile: string;
  readonly useKeynote: boolean;
  readonly pubkeyDirectory: string;
  readonly renegotiateOnHup: boolean;
  /** Connections wait for traffic instead of being brought up at start. */
  readonly acquireOnly: boolean;
  /** DELETEs are sent at exit. */
  readonly deleteSas: boolean;
  /** `CLASS=LEVEL` by class number or `A`. */
  readonly logLevels: readonly { readonly name: typeof LOG_CLASSES[number] | "all"; readonly level: number }[];
  readonly logVerbose: boolean;
  readonly caDirectory: string;
  readonly certDirectory: string;
  readonly crlDirectory: string;
  readonly privateKey: string;
  readonly privateKeyDirectory?: string;
  readonly acceptSelfSigned: boolean;
  readonly credentialDirectory: string;
}

/** What a file says. */
export interface IsakmpdConf {
  /** Without the sections that have faults. */
  readonly configuration: Configuration;
  readonly settings: IsakmpdSettings;
  /** In the order of the file. With an error among them the configuration is not to be used. */
  readonly faults: readonly Fault[];
}

/** What the command line says about the configuration. */
export interface ConfOptions {
  /** Default yes; `-T` switches it off. */
  readonly natTraversal?: boolean;
}

const IKECFG_PREFIX = /^(ipv4|ipv6|fqdn|ufqdn|asn1_dn)\/(.+)$/i;

/** The mode config sections, and whether any of them is to be pushed. */
function clientAddressing(reader: ConfReader): { rows: ClientAddressing[]; push: boolean } {
  const rows: ClientAddressing[] = [];
  let push = false;
  for (const section of reader.tree.values()) {
    const match = IKECFG_PREFIX.exec(section.name);
    if (!match) continue;
    const [, kind, id] = match;
    const view = reader.view(section.name, "IKECFG-ID")!;
    const place: Value = { file: section.file, line: section.line, section: section.name, tag: "", text: section.name };
    if (/^ipv[46]$/i.test(kind) && !isAddress(id)) {
      reader.refuse(place, id, `an IP${kind.slice(2)} address after "${kind}/"`);
    }
    const one = (tag: string): Address | undefined => {
      const value = reader.get(view, tag);
      return value && reader.address(value);
    };
    const many = (tag: string): Address[] => {
      const list = reader.list(view, tag);
      return (list?.elements ?? []).flatMap((text) => reader.address(list!.value, text) ?? []);
    };
    const prefixes = (tag: string): Prefix[] => {
      const list = reader.list(view, tag);
      return (list?.elements ?? []).flatMap((text) => {
        try {
          return [parsePrefix(text)];
        } catch {
          return reader.refuse(list!.value, text, "networks such as 192.168.1.0/24") ?? [];
        }
      });
    };
    const mode = reader.get(view, "Mode");
    if (mode && reader.choice(mode, ["SET", "REQUEST"]) === "SET") push = true;
    rows.push({
      id: /^ipv[46]$/i.test(kind) && isAddress(id) ? formatAddress(parseAddress(id)) : id,
      address: one("Address"),
      netmask: one("Netmask"),
      nameservers: many("Nameserver"),
      winsServers: many("WINS-server"),
      dhcpServers: many("DHCP-server"),
      networks: prefixes("Network"),
      splitInclude: prefixes("Split-include"),
      defaultDomain: reader.get(view, "Default-domain")?.text,
      banner: reader.get(view, "Banner")?.text,
      lifeSeconds: reader.integer(view, "Lifetime", 1, 2 ** 32 - 1) ?? 1200,
      origin: { file: section.file, line: section.line, section: section.name },
    });
  }
  return { rows, push };
}

/** `[Phase 1]`: addresses and Default to peers. */
function phase1Root(
  reader: ConfReader,
  phase1: Phase1Reader,
): Pick<Configuration, "peersByAddress" | "defaultPeer" | "phase1Origin"> {
  const { section } = reader.root("Phase 1");
  const peersByAddress: { address: Address; peer: string; origin: Origin }[] = [];
  let defaultPeer: Configuration["defaultPeer"];
  for (const value of section?.values.values() ?? []) {
    const isDefault = value.tag.toLowerCase() === "default";
    if (!isDefault && !isAddress(value.tag)) {
      reader.error(
        value,
        `found the tag "${value.tag}", allowed an IP address or Default${didYouMean(value.tag, ["Default"])}`,
      );
      continue;
    }
    const view = reader.follow(value, value.text, "ISAKMP-peer");
    const peer = view && phase1.peer(view);
    if (!peer) continue;
    if (isDefault) {
      defaultPeer = { peer: peer.name, origin: originOf(value) };
      continue;
    }
    const address = parseAddress(value.tag);
    peersByAddress.push({ address, peer: peer.name, origin: originOf(value) });
    if (peer.address && formatAddress(peer.address) !== formatAddress(address)) {
      const at = peer.origins.address!;
      reader.warn(
        value,
        `found ${value.tag}, but ${at.file}:${at.line} [${at.section}] Address is ${formatAddress(peer.address)}`,
      );
    }
  }
  const phase1Origin = section && { file: section.file, line: section.line, section: section.name };
  return { peersByAddress, defaultPeer, phase1Origin };
}

/** `[Phase 2]` and the connections: the listed ones, and those that only `c NAME` brings up. */
function connections(reader: ConfReader, phase2: Phase2Reader): Configuration["connections"] {
  const root = reader.root("Phase 2");
  const found: Configuration["connections"][number][] = [];
  const listed = new Map<string, { active: boolean; passive: boolean; value: Value; name: string }>();
  for (const [tag, active] of [["Connections", true], ["Passive-connections", false]] as const) {
    const list = reader.list(root, tag);
    for (const name of list?.elements ?? []) {
      const before = listed.get(name.toLowerCase());
      if (before) {
        if (before.active === active) reader.warn(list!.value, `found "${name}" twice`);
        else before.passive = true;
      } else listed.set(name.toLowerCase(), { active, passive: !active, value: list!.value, name });
    }
  }
  for (const { active, passive, value, name } of listed.values()) {
    const view = reader.follow(value, name, "IPsec-connection");
    const connection = view && phase2.connection(view, { active, passive });
    if (connection) found.push(connection);
  }
  for (const section of reader.tree.values()) {
    if (reader.seen.has(section.name.toLowerCase()) || kindOfUnnamed(section) !== "IPsec-connection") continue;
    const view = reader.view(section.name, "IPsec-connection")!;
    const connection = withoutErrors(reader, () => phase2.connection(view, { active: false, passive: false }));
    if (connection) found.push(connection);
  }
  return found;
}

/** Nothing needs what is read here: what would be an error is a warning, and what would be a warning is nothing. */
function withoutErrors<T>(reader: ConfReader, read: () => T): T {
  const before = reader.faults.length;
  const result = read();
  const found = reader.faults.splice(before).filter(({ severity }) => severity === "error");
  reader.faults.push(...found.map((fault) => ({ ...fault, severity: "warning" as const })));
  return result;
}

/** Sections that nothing refers to are read for their faults: a reference to them may be what is misspelled. */
function readUnused(reader: ConfReader, phase1: Phase1Reader, phase2: Phase2Reader): void {
  for (const section of reader.tree.values()) {
    const kind = kindOfUnnamed(section);
    if (!kind || reader.seen.has(section.name.toLowerCase())) continue;
    withoutErrors(reader, () => {
      const view = reader.view(section.name, kind)!;
      if (kind === "Lifetime") lifetime(reader, view);
      else if (kind === "IPsec-ID") {
        if (holdsName(section.values.get("id-type")?.text ?? "")) phase1Id(reader, view);
        else phase2Id(reader, view);
      } else {
        phase1.readUnused(view);
        phase2.readUnused(view);
      }
    });
  }
}

/** What a section that nothing refers to seems to be. */
function kindOfUnnamed(section: Section): SectionKind | undefined {
  if (section.values.get("phase")?.text === "2") return "IPsec-connection";
  return TELLING_TAGS.find(([tag]) => section.values.has(tag.toLowerCase()))?.[1];
}

/** Initiator-ID sections: `Authentication` by a name that is an ID (isakmpd.conf(5)). */
function initiatorSecrets(reader: ConfReader, isAggressive: boolean): Configuration["initiatorSecrets"] {
  const secrets = new Map<string, { secret: Secret; origin: Origin }>();
  for (const section of reader.tree.values()) {
    const value = section.values.get("authentication");
    if (!value || reader.seen.has(section.name.toLowerCase()) || section.values.has("phase")) continue;
    reader.seen.set(section.name.toLowerCase(), "Initiator-ID");
    const secret = reader.secret(value);
    const { name } = section;
    if (secret && isAggressive) warnGuessable(reader, value, secret);
    if (secret) {
      secrets.set(isAddress(name) ? formatAddress(parseAddress(name)) : name, { secret, origin: originOf(value) });
    }
  }
  return secrets;
}

function xauthUsers(reader: ConfReader): Configuration["xauthUsers"] {
  const users = new Map<string, Secret>();
  for (const value of reader.root("XAUTH-users").section?.values.values() ?? []) {
    const secret = reader.secret(value);
    if (secret) users.set(value.tag, secret);
  }
  return users;
}

/** Peers that call us from an address that `[Phase 1]` does not have are refused: say so before they call. */
function warnUnanswered(reader: ConfReader, peers: readonly Peer[], roots: ReturnType<typeof phase1Root>): void {
  if (roots.defaultPeer) return;
  const answered = new Set(roots.peersByAddress.map(({ address }) => formatAddress(address)));
  for (const peer of peers) {
    const { address } = peer;
    if (!address || answered.has(formatAddress(address))) continue;
    const { file, line, section, tag = "" } = peer.origins.address!;
    reader.warn(
      { file, line, section, tag, text: "" },
      `[Phase 1] has neither ${formatAddress(address)} nor Default: this peer's calls are refused`,
    );
  }
}

/** Tags that nobody knows, and sections that nothing refers to and that are nothing in themselves. */
function warnUnknown(reader: ConfReader): void {
  for (const [key, section] of reader.tree) {
    const root = ROOT_SECTIONS.find((name) => name.toLowerCase() === key);
    const kind = reader.seen.get(key) ?? root ?? kindOfUnnamed(section);
    if (kind) reader.checkTags(section, kind);
    if (kind || reader.seen.has(key)) continue;
    const near = nearestWord(section.name, ROOT_SECTIONS);
    const place: Value = { file: section.file, line: section.line, section: section.name, tag: "", text: "" };
    reader.faults.push({
      severity: "warning",
      file: place.file,
      line: place.line,
      section: place.section,
      message: near ? `unknown section; did you mean "${near}"?` : "nothing refers to this section",
    });
  }
}

function settings(reader: ConfReader): IsakmpdSettings {
  const general = reader.root("General");
  const x509 = reader.root("X509-certificates");
  const text = (tag: string) => reader.get(general, tag)!.text;
  const logLevels: IsakmpdSettings["logLevels"][number][] = [];
  const levels = reader.list(general, "Loglevel");
  for (const element of levels?.elements ?? []) {
    const match = /^(\w+)=(\d{1,2})$/.exec(element);
    const name = match?.[1].toUpperCase() === "A"
      ? "all"
      : LOG_CLASSES.find((one, i) => match && (match[1] === String(i) || match[1].toLowerCase() === one.toLowerCase()));
    if (match && name) logLevels.push({ name, level: Number(match[2]) });
    else {reader.refuse(
        levels!.value,
        element,
        `CLASS=LEVEL with A, 0 to ${LOG_CLASSES.length - 1} or a name (${LOG_CLASSES.join(", ")}) and 0 to 99`,
      );}
  }
  return {
    listenOn: reader.list(general, "Listen-on")?.elements,
    policyFile: text("Policy-file"),
    useKeynote: text("Use-Keynote").toLowerCase() === "yes",
    pubkeyDirectory: text("Pubkey-directory"),
    renegotiateOnHup: reader.get(general, "Renegotiate-on-HUP") !== undefined,
    acquireOnly: reader.flag(general, "Acquire-Only") ?? false,
    deleteSas: reader.flag(general, "Delete-SAs") ?? true,
    logLevels,
    logVerbose: reader.flag(general, "Logverbose") ?? false,
    caDirectory: reader.get(x509, "CA-directory")!.text,
    certDirectory: reader.get(x509, "Cert-directory")!.text,
    crlDirectory: reader.get(x509, "CRL-directory")!.text,
    privateKey: reader.get(x509, "Private-key")!.text,
    privateKeyDirectory: reader.get(x509, "Private-key-directory")?.text,
    acceptSelfSigned: reader.get(x509, "Accept-self-signed") !== undefined,
    credentialDirectory: reader.get(reader.root("KeyNote"), "Credential-directory")!.text,
  };
}

/**
 * Resolves a tree.
 *
 * @param file the name for what has no line of its own
 * @param syntaxFaults what parseIni found, to be reported with the rest
 */
export function resolveIsakmpdConf(
  tree: Tree,
  file: string,
  { natTraversal = true }: ConfOptions = {},
  syntaxFaults: readonly Fault[] = [],
): IsakmpdConf {
  const reader = new ConfReader(tree, file);
  const general = reader.root("General");
  for (const name of ["RSA_SIG"] as const) reader.root(name);
  const addressing = clientAddressing(reader);
  const sharedSadb = reader.get(general, "Shared-SADB") !== undefined;
  const phase1 = new Phase1Reader(reader, {
    natTraversal,
    dpdSeconds: reader.integer(general, "DPD-check-interval", 0, 86400) ?? 0,
    modeConfigServer: addressing.rows.length ? { push: addressing.push } : undefined,
  });
  const phase2 = new Phase2Reader(reader, phase1, sharedSadb);
  const roots = phase1Root(reader, phase1);
  const allConnections = connections(reader, phase2);
  const seconds = (tag: string, most: number) => reader.integer(general, tag, tag === "NAT-T-Keepalive" ? 0 : 1, most);
  const configuration: Configuration = {
    retransmits: reader.integer(general, "Retransmits", 0, 100) ?? 3,
    exchangeMaxTimeSeconds: seconds("Exchange-max-time", 86400) ?? 120,
    checkIntervalSeconds: seconds("Check-interval", 86400) ?? 60,
    natKeepaliveSeconds: seconds("NAT-T-Keepalive", 3600) ?? 20,
    sharedSadb,
    peers: phase1.peers(),
    ...roots,
    connections: allConnections,
    defaultSuites: phase2.suitesOf(reader.list(general, "Default-phase-2-suites")!),
    initiatorSecrets: initiatorSecrets(reader, phase1.peers().some(({ exchange }) => exchange === "AGGRESSIVE")),
    xauthUsers: xauthUsers(reader),
    clientAddressing: addressing.rows,
  };
  const daemon = settings(reader);
  readUnused(reader, phase1, phase2);
  warnUnanswered(reader, configuration.peers, roots);
  warnUnknown(reader);
  const faults = dedupe([...syntaxFaults, ...reader.faults].toSorted((a, b) => a.line - b.line));
  return { configuration, settings: daemon, faults };
}

/** A value that is read twice has its fault once; faults of one cause become the first of them, which names the others. */
function dedupe(faults: readonly Fault[]): Fault[] {
  const seen = new Set<string>();
  const others = new Map<Fault, string[]>();
  const kept = faults.filter((fault) => {
    const key = JSON.stringify(fault);
    if (seen.has(key)) return false;
    seen.add(key);
    const first = fault.once &&
      [...others.keys()].find(({ message, severity }) => message === fault.message && severity === fault.severity);
    if (first) others.get(first)!.push(`line ${fault.line} [${fault.section}] ${fault.tag}`);
    else others.set(fault, []);
    return !first;
  });
  return kept.map((fault) => {
    const also = others.get(fault)!;
    return also.length ? { ...fault, message: `${fault.message}; also at ${also.join(", ")}` } : fault;
  });
}
