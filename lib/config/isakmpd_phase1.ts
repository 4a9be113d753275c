/** ISAKMP-peer, ISAKMP-configuration and ISAKMP-transform sections of isakmpd.conf. @module */
import { SERVICES } from "../ip/names.ts";
import { AUTHENTICATORS, ESP_CIPHERS } from "../crypto/algorithms.ts";
import { GROUPS } from "../crypto/group.ts";
import type { Allowed, AttributeRule, Peer, TransformRule } from "../ike/configuration.ts";
import { IKE_ATTRIBUTE, IKE_AUTHENTICATION, IKE_GROUP, ISAKMP_TRANSFORM, nameOf } from "../isakmp/numbers.ts";
import type { Secret } from "../octets/secret.ts";
import type { Value } from "./ini.ts";
import { checkDoi, exchangeType, lives, phase1Id } from "./isakmpd_ids.ts";
import { type ConfReader, originOf, placed, type View } from "./isakmpd_reader.ts";
import { AUTHENTICATION_WORDS, ENCRYPTION_WORDS, GROUP_WORDS, HASH_WORDS, type Words } from "./isakmpd_words.ts";
import { predefinedNames } from "./predefined.ts";

/** Things that all peers share. */
export interface PeerDefaults {
  readonly natTraversal: boolean;
  readonly dpdSeconds: number;
  /** IKECFG-ID sections exist: we give clients addresses; `push`: without being asked. */
  readonly modeConfigServer?: { readonly push: boolean };
}

/** In the order in which they are offered. */
const MAIN_MODE_TAGS = [
  ["ENCRYPTION_ALGORITHM", ENCRYPTION_WORDS],
  ["HASH_ALGORITHM", HASH_WORDS],
  ["AUTHENTICATION_METHOD", AUTHENTICATION_WORDS],
  ["GROUP_DESCRIPTION", GROUP_WORDS],
] as const satisfies readonly (readonly [keyof typeof IKE_ATTRIBUTE, Words])[];

const exactly = (value: number): Allowed => ({ offer: value, least: value, most: value });
const only = (allowed: Allowed | undefined) =>
  typeof allowed === "object" && allowed.least === allowed.most ? allowed.offer : undefined;

/** A word of a table, or ANY. */
export function wordOrAny(reader: ConfReader, value: Value, words: Words): Allowed | undefined {
  if (value.text.toUpperCase() === "ANY") return "ANY";
  const number = reader.word(value, words);
  return number === undefined ? undefined : exactly(number);
}

/** Why an attribute of a transform is weak. MODP_1024 alone is what every predefined transform of the time has. */
export function weaknesses(
  rules: readonly AttributeRule[],
  attributes: { cipher?: number; hash?: number; group: number },
  predefined: boolean,
): { rule: AttributeRule; why: string }[] {
  return rules.flatMap((rule) => {
    const value = only(rule.allowed);
    if (value === undefined) return [];
    const why = rule.attribute === attributes.cipher
      ? ESP_CIPHERS.find((row) => row.ikeCipher === value)?.weak
      : rule.attribute === attributes.hash
      ? AUTHENTICATORS.find((row) => row.ikeHash === value)?.weak
      : rule.attribute === attributes.group && !(predefined && value === IKE_GROUP.MODP_1024)
      ? GROUPS[value]?.weak
      : undefined;
    return why ? [{ rule, why }] : [];
  });
}

/** The key length rule of a cipher with several; checks that a length is one the cipher has. */
export function keyLengthRule(
  reader: ConfReader,
  view: View,
  cipher: typeof ESP_CIPHERS[number] | undefined,
  attribute: number,
): AttributeRule | undefined {
  const value = reader.get(view, "KEY_LENGTH");
  if (!value) {
    if (cipher?.keyLengthAttribute !== "required") return undefined;
    // RFC 3602: 128 bits where nothing is said.
    const at = reader.placeOf(view, "KEY_LENGTH");
    reader.missing(view, "KEY_LENGTH", "128,128:256 and the like; 128,128:256 is used", "warning");
    return { attribute, allowed: { offer: 128, least: 128, most: 256 }, origin: originOf(at) };
  }
  if (cipher?.keyLengthAttribute === "forbidden") {
    if (value.line > 0) {
      reader.warn(value, `ignored: ${cipher.espTransformName} has one key length and none is negotiated`);
    }
    return undefined;
  }
  const least = cipher ? 8 * cipher.key.min : 1, most = cipher ? 8 * cipher.key.max : 1024;
  const allowed = reader.range(value, least, most);
  if (!allowed) return undefined;
  if (typeof allowed === "object" && allowed.offer % 8) return reader.refuse(value, value.text, "multiples of 8 bits");
  return { attribute, allowed, origin: originOf(value) };
}

/** One ISAKMP-transform section. Undefined when it has a fault. */
function transform(reader: ConfReader, view: View): TransformRule | undefined {
  const before = reader.faults.length;
  const rules = new Map<string, { rule: AttributeRule; value: Value }>();
  for (const [tag, words] of MAIN_MODE_TAGS) {
    const value = reader.get(view, tag);
    if (!value) {
      reader.missing(view, tag, [...words.usable, "ANY"].join(", "));
      continue;
    }
    const allowed = wordOrAny(reader, value, words);
    if (allowed) rules.set(tag, { rule: { attribute: IKE_ATTRIBUTE[tag], allowed, origin: originOf(value) }, value });
  }
  const cipherNumber = only(rules.get("ENCRYPTION_ALGORITHM")?.rule.allowed);
  const cipher = ESP_CIPHERS.find((row) => row.ikeCipher !== undefined && row.ikeCipher === cipherNumber);
  const keyLength = keyLengthRule(reader, view, cipher, IKE_ATTRIBUTE.KEY_LENGTH);
  const prf = reader.get(view, "PRF");
  if (prf && prf.text.toUpperCase() !== "ANY" && prf.text !== "") {
    reader.refuse(prf, prf.text, "ANY (no PRF but the hash's HMAC is defined)");
  }
  const life = lives(reader, view);
  if (reader.faults.slice(before).some(({ severity }) => severity === "error")) return undefined;

  const order = ["ENCRYPTION_ALGORITHM", "KEY_LENGTH", "HASH_ALGORITHM", "AUTHENTICATION_METHOD", "GROUP_DESCRIPTION"];
  if (keyLength) rules.set("KEY_LENGTH", { rule: keyLength, value: reader.placeOf(view, "KEY_LENGTH") });
  const { file, section } = view.section
    ? { file: view.section.file, section: view.section }
    : { file: reader.file, section: undefined };
  return {
    name: view.name,
    id: ISAKMP_TRANSFORM.KEY_IKE,
    attributes: order.flatMap((tag) => rules.get(tag)?.rule ?? []),
    lives: life,
    origin: { file, line: section?.line ?? 0, section: view.name },
  };
}

/** The value of an attribute that is exactly one number. */
export function exactAttribute(rule: TransformRule, attribute: number): number | undefined {
  return only(rule.attributes.find((one) => one.attribute === attribute)?.allowed);
}

interface MainMode {
  readonly exchange: Peer["exchange"];
  readonly exchangeAt: Value;
  readonly transforms: readonly TransformRule[];
  readonly transformsAt: Value;
}

/** Reads phase 1 sections, each once. */
export class Phase1Reader {
  readonly #transforms = new Map<string, TransformRule | undefined>();
  readonly #warned = new Set<string>();
  readonly #configurations = new Map<string, MainMode | undefined>();
  readonly #peers = new Map<string, Peer | undefined>();

  constructor(readonly reader: ConfReader, readonly defaults: PeerDefaults) {}

  /** Reads a section that nothing refers to, for its faults. */
  readUnused(view: View): void {
    if (view.kind === "ISAKMP-configuration") this.#configuration(view);
    else if (view.kind === "ISAKMP-transform") this.#transform(view);
    else if (view.kind === "ISAKMP-peer") this.peer(view);
  }

  #transform(view: View): TransformRule | undefined {
    const key = view.name.toLowerCase();
    if (!this.#transforms.has(key)) this.#transforms.set(key, transform(this.reader, view));
    return this.#transforms.get(key);
  }

  #configuration(view: View): MainMode | undefined {
    const key = view.name.toLowerCase();
    if (this.#configurations.has(key)) return this.#configurations.get(key);
    const { reader } = this;
    checkDoi(reader, view);
    const exchange = exchangeType(reader, view, ["ID_PROT", "AGGRESSIVE"]);
    const list = reader.list(view, "Transforms");
    if (!list?.elements.length) {
      reader.missing(view, "Transforms", "a list of ISAKMP-transform sections such as 3DES-SHA");
    }
    const transforms = (list?.elements ?? []).flatMap((name) => {
      const section = reader.follow(list!.value, name, "ISAKMP-transform", predefinedNames("transform"));
      const rule = section && this.#transform(section);
      if (rule) this.#warnWeak(list!.value, rule);
      return rule ? placed(rule, originOf(list!.value)) : [];
    });
    const complete = exchange && list && transforms.length
      ? { exchange: exchange.type, exchangeAt: exchange.at, transforms, transformsAt: list.value }
      : undefined;
    if (complete?.exchange === "AGGRESSIVE") checkAggressive(reader, complete);
    this.#configurations.set(key, complete);
    return complete;
  }

  /** Once a transform: at its own lines, or at the list that names a predefined one. */
  #warnWeak(list: Value, { name, attributes, origin }: TransformRule): void {
    if (this.#warned.has(name.toLowerCase())) return;
    this.#warned.add(name.toLowerCase());
    const { ENCRYPTION_ALGORITHM: cipher, HASH_ALGORITHM: hash, GROUP_DESCRIPTION: group } = IKE_ATTRIBUTE;
    for (const { rule, why } of weaknesses(attributes, { cipher, hash, group }, origin.line === 0)) {
      const { file, line, section, tag = "" } = rule.origin;
      if (line > 0) this.reader.warn({ file, line, section, tag, text: "" }, `weak: ${why}`);
      else this.reader.warn(list, `"${name}" is weak: ${why}`);
    }
  }

  /** The peer of that section, read once; undefined when it has a fault. */
  peer(view: View): Peer | undefined {
    const key = view.name.toLowerCase();
    if (!this.#peers.has(key)) this.#peers.set(key, this.#readPeer(view));
    return this.#peers.get(key);
  }

  /** The peers that were read without a fault. */
  peers(): Peer[] {
    return Array.from(this.#peers.values()).filter((peer) => peer !== undefined);
  }

  #readPeer(view: View): Peer | undefined {
    const { reader, defaults } = this;
    const before = reader.faults.length;
    const phase = reader.get(view, "Phase");
    if (!phase) reader.missing(view, "Phase", "1");
    else if (phase.text !== "1") reader.refuse(phase, phase.text, "1 (an ISAKMP-peer section)");
    const transport = reader.get(view, "Transport");
    if (transport) reader.choice(transport, ["udp", "udp_encap"]);
    const portAt = reader.get(view, "Port");
    const port = portAt ? reader.numberOrName(portAt, SERVICES, 65535) : 500;
    const localAddressAt = reader.get(view, "Local-address");
    const addressAt = reader.get(view, "Address");
    const secretAt = reader.get(view, "Authentication");
    const address = addressAt && reader.address(addressAt);
    const localAddress = localAddressAt && reader.address(localAddressAt);
    if (address && localAddress && address.family !== localAddress.family) {
      reader.error(
        localAddressAt,
        `found "${localAddressAt.text}", allowed an IPv${address.family} address as Address is (line ${addressAt.line})`,
      );
    }
    const secret = secretAt && reader.secret(secretAt);
    const mode = this.#mode(view, secret !== undefined);
    const general = reader.root("General");
    const localIdAt = reader.get(view, "ID") ?? reader.get(general, "Default-phase-1-ID");
    const remoteIdAt = reader.get(view, "Remote-ID");
    const identify = (value: Value | undefined) => {
      const section = value && reader.follow(value, value.text, "Phase1-ID");
      return section && phase1Id(reader, section);
    };
    const localId = identify(localIdAt);
    const remoteId = identify(remoteIdAt);
    const flags = this.#flags(view);
    const extensions = this.#extensions(view, flags);
    if (secretAt && secret && mode) this.#checkSecret(secretAt, secret, mode);
    if (mode && !secretAt && address && mode.transforms.every(usesSecret)) {
      reader.missing(
        view,
        "Authentication",
        `the pre-shared key, because ${mode.transformsAt.file}:${mode.transformsAt.line} [${mode.transformsAt.section}] Transforms has PRE_SHARED only`,
      );
    }
    if (reader.faults.slice(before).some(({ severity }) => severity === "error") || !mode || port === undefined) {
      return undefined;
    }

    const origins: Record<string, Value | undefined> = {
      address: addressAt,
      localAddress: localAddressAt,
      exchange: mode.exchangeAt,
      secret: secretAt,
      localId: localIdAt,
      remoteId: remoteIdAt,
      transforms: mode.transformsAt,
    };
    const place = view.section!;
    return {
      name: view.name,
      address,
      port,
      localAddress,
      exchange: mode.exchange,
      transforms: mode.transforms,
      secret,
      localId,
      remoteId,
      natTraversal: defaults.natTraversal,
      forceEncapsulation: flags.has("Force-encapsulation"),
      fragmentation: !flags.has("No-fragmentation"),
      dpdSeconds: defaults.dpdSeconds,
      ...extensions,
      origin: { file: place.file, line: place.line, section: view.name },
      origins: Object.fromEntries(Object.entries(origins).flatMap(([field, at]) => at ? [[field, originOf(at)]] : [])),
    };
  }

  #mode(view: View, hasSecret: boolean): MainMode | undefined {
    const { reader } = this;
    const value = reader.get(view, "Configuration");
    const name = value?.text ?? `Default-phase-1-configuration${hasSecret ? "" : "-RSA_SIG"}`;
    const section = reader.follow(value ?? reader.placeOf(view, "Configuration"), name, "ISAKMP-configuration", [
      "Default-phase-1-configuration",
    ]);
    return section && this.#configuration(section);
  }

  #flags(view: View): Set<PeerFlag> {
    const list = this.reader.list(view, "Flags");
    const flags = new Set<PeerFlag>();
    for (const word of list?.elements ?? []) {
      const flag = PEER_FLAGS.find((one) => one.toLowerCase() === word.toLowerCase());
      if (flag) flags.add(flag);
      else this.reader.refuse(list!.value, word, PEER_FLAGS);
    }
    return flags;
  }

  #extensions(view: View, flags: Set<PeerFlag>): Pick<Peer, "xauth" | "modeConfig"> {
    const { reader, defaults: { modeConfigServer: server } } = this;
    const userAt = reader.get(view, "XAUTH-user");
    const passwordAt = reader.get(view, "XAUTH-password");
    const isClient = userAt !== undefined || passwordAt !== undefined;
    const ikecfg = flags.has("ikecfg");
    const modeConfig: Peer["modeConfig"] = ikecfg && (isClient || !server)
      ? { role: "client", push: false }
      : server
      ? { role: "server", push: server.push && ikecfg }
      : undefined;
    if (!flags.has("xauth")) {
      if (isClient) reader.error((userAt ?? passwordAt)!, "found without Flags=xauth, allowed with it");
      return { modeConfig };
    }
    if (!isClient) return { modeConfig, xauth: { role: "server" } };
    if (!userAt) reader.missing(view, "XAUTH-user", "the user's name");
    if (!passwordAt) reader.missing(view, "XAUTH-password", "the user's password, or 0x and hexadecimal digits");
    const password = passwordAt && reader.secret(passwordAt);
    return userAt && password ? { modeConfig, xauth: { role: "client", user: userAt.text, password } } : {};
  }

  #checkSecret(at: Value, secret: Secret, mode: MainMode): void {
    if (!mode.transforms.some(usesSecret)) {
      this.reader.warn(
        at,
        `not used: ${mode.transformsAt.file}:${mode.transformsAt.line} [${mode.transformsAt.section}] Transforms has no PRE_SHARED`,
      );
    } else if (mode.exchange === "AGGRESSIVE") warnGuessable(this.reader, at, secret);
  }
}

/** Octets, and different ones among them, that a key needs which anybody may try to guess off line. */
const ENOUGH_OCTETS = 16, ENOUGH_DIFFERENT = 8;

/** In aggressive mode the responder sends a hash made with the key to anybody who asks, who then has all the time to guess. */
export function warnGuessable(reader: ConfReader, at: Value, secret: Secret): void {
  const octets = secret.reveal();
  const different = new Set(octets).size;
  const why = octets.length < ENOUGH_OCTETS
    ? `only ${octets.length} octets long`
    : different < ENOUGH_DIFFERENT
    ? `only ${different} different octets`
    : undefined;
  if (!why) return;
  reader.warn(
    at,
    `${why}: aggressive mode lets anybody who asks guess it off line; make one with "ipsecbox genkey 256", or use main mode or certificates`,
  );
}

/** Words of a peer's Flags. `Stayalive` is 1999's: connections that are to be kept up are. */
const PEER_FLAGS = ["Stayalive", "ikecfg", "xauth", "Force-encapsulation", "No-fragmentation"] as const;
type PeerFlag = typeof PEER_FLAGS[number];

const usesSecret = (rule: TransformRule): boolean => {
  const method = rule.attributes.find(({ attribute }) => attribute === IKE_ATTRIBUTE.AUTHENTICATION_METHOD);
  return method?.allowed === "ANY" || only(method?.allowed) === IKE_AUTHENTICATION.PRE_SHARED;
};

/** RFC 2409 5: in aggressive mode KE is in the first message, so the group cannot be negotiated. */
function checkAggressive(reader: ConfReader, { transforms, transformsAt }: MainMode): void {
  const groups = new Set(transforms.map((rule) => exactAttribute(rule, IKE_ATTRIBUTE.GROUP_DESCRIPTION)));
  if (groups.size < 2) return;
  const names = Array.from(groups, (group) => group === undefined ? "ANY" : nameOf(IKE_GROUP, group));
  reader.error(
    transformsAt,
    `found transforms with the groups ${names.join(" and ")}, allowed one group in aggressive mode`,
  );
}
