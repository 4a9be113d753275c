/** IPsec-connection, -configuration, -suite, -protocol and -transform sections of isakmpd.conf. @module */
import { AUTHENTICATORS, ESP_CIPHERS, forKeyLength } from "../crypto/algorithms.ts";
import type { AttributeRule, Connection, Peer, ProtocolRule, Suite, TransformRule } from "../ike/configuration.ts";
import { prefixOf } from "../ip/address.ts";
import type { ClientSelector } from "../isakmp/identification.ts";
import { ENCAPSULATION_MODE, IKE_GROUP, IPSEC_ATTRIBUTE, nameOf, PROTOCOL_ID } from "../isakmp/numbers.ts";
import type { Value } from "./ini.ts";
import { checkDoi, exchangeType, lives, phase2Id } from "./isakmpd_ids.ts";
import { exactAttribute, keyLengthRule, type Phase1Reader, weaknesses, wordOrAny } from "./isakmpd_phase1.ts";
import { type ConfReader, originOf, placed, type View } from "./isakmpd_reader.ts";
import { AH_WORDS, ENCAPSULATION_WORDS, ESP_WORDS, GROUP_WORDS, HMAC_WORDS } from "./isakmpd_words.ts";
import { predefinedNames } from "./predefined.ts";

const DEFAULT_REPLAY_WINDOW = 16;
const REPLAY_WINDOW_LIMIT = 4096;
const ESP = PROTOCOL_ID.IPSEC_ESP, AH = PROTOCOL_ID.IPSEC_AH;

/** Where a section is, as an origin. */
function sectionOrigin(reader: ConfReader, view: View) {
  const { file = reader.file, line = 0 } = view.section ?? {};
  return { file, line, section: view.name };
}

/** The AH transform goes with one authentication algorithm (RFC 2407 4.4.3). */
function checkAhPair(
  reader: ConfReader,
  id: number,
  rule: AttributeRule | undefined,
  view: View,
): AttributeRule | undefined {
  const fitting = AUTHENTICATORS.filter((row) => row.uses.includes("ah") && forKeyLength(row.ahTransform, 16) === id);
  if (!rule) {
    const row = fitting[0];
    const number = row && forKeyLength(row.authentication, 16);
    if (number === undefined) return undefined;
    return {
      attribute: IPSEC_ATTRIBUTE.AUTHENTICATION_ALGORITHM,
      allowed: { offer: number, least: number, most: number },
      origin: originOf(reader.get(view, "TRANSFORM_ID")!),
    };
  }
  const { allowed } = rule;
  if (allowed !== "ANY" && !fitting.some((row) => forKeyLength(row.authentication, 16) === allowed.offer)) {
    const value = reader.get(view, "AUTHENTICATION_ALGORITHM")!;
    const names = fitting.map((row) => row.authenticationName).join(", ");
    return reader.error(
      value,
      `found "${value.text}", allowed ${names} with TRANSFORM_ID=${reader.get(view, "TRANSFORM_ID")!.text}`,
    );
  }
  return rule;
}

/** Reads phase 2 sections, each once. */
export class Phase2Reader {
  readonly #warned = new Set<Suite>();
  readonly #suites = new Map<string, Suite | undefined>();
  readonly #configurations = new Map<string, { suites: readonly Suite[]; at: Value } | undefined>();

  constructor(
    readonly reader: ConfReader,
    readonly phase1: Phase1Reader,
    readonly sharedSadb: boolean,
  ) {}

  /** Reads a section that nothing refers to, for its faults. */
  readUnused(view: View): void {
    const { reader } = this;
    switch (view.kind) {
      case "IPsec-configuration":
        this.#configuration(view);
        break;
      case "IPsec-suite":
        this.#suite(view);
        break;
      case "IPsec-protocol":
        this.#protocol(view);
        break;
      case "IPsec-transform": {
        // Whether it is for ESP or AH only a protocol section says.
        const esp = ESP_WORDS.usable.includes(reader.get(view, "TRANSFORM_ID")?.text.toUpperCase() ?? "");
        this.#transform(view, esp ? ESP : AH);
      }
    }
  }

  #transform(view: View, protocol: number): TransformRule | undefined {
    const { reader } = this;
    const before = reader.faults.length;
    const idAt = reader.get(view, "TRANSFORM_ID");
    const words = protocol === ESP ? ESP_WORDS : AH_WORDS;
    if (!idAt) return reader.missing(view, "TRANSFORM_ID", words.usable.join(", "));
    const id = reader.word(idAt, words);
    const cipher = protocol === ESP ? ESP_CIPHERS.find((row) => row.espTransform === id) : undefined;
    const attribute = (
      tag: "ENCAPSULATION_MODE" | "AUTHENTICATION_ALGORITHM" | "GROUP_DESCRIPTION",
    ): AttributeRule | undefined => {
      const value = reader.get(view, tag);
      if (!value) return undefined;
      const table = {
        ENCAPSULATION_MODE: ENCAPSULATION_WORDS,
        AUTHENTICATION_ALGORITHM: HMAC_WORDS,
        GROUP_DESCRIPTION: GROUP_WORDS,
      }[tag];
      const allowed = wordOrAny(reader, value, table);
      return allowed && { attribute: IPSEC_ATTRIBUTE[tag], allowed, origin: originOf(value) };
    };
    const mode = attribute("ENCAPSULATION_MODE") ?? this.#defaultMode(view);
    let authentication = attribute("AUTHENTICATION_ALGORITHM");
    const group = attribute("GROUP_DESCRIPTION");
    const keyLength = cipher && keyLengthRule(reader, view, cipher, IPSEC_ATTRIBUTE.KEY_LENGTH);
    const life = lives(reader, view);
    if (reader.faults.slice(before).some(({ severity }) => severity === "error") || id === undefined) return undefined;
    if (protocol === AH) {
      authentication = checkAhPair(reader, id, authentication, view);
      if (!authentication) return undefined;
    } else if (cipher?.aead && authentication) {
      const value = reader.get(view, "AUTHENTICATION_ALGORITHM")!;
      return reader.error(
        value,
        `found "${value.text}", allowed nothing: ${cipher.espTransformName} authenticates by itself`,
      );
    } else if (cipher?.name === "null" && !authentication) {
      return reader.missing(
        view,
        "AUTHENTICATION_ALGORITHM",
        "HMAC_SHA and the like: NULL without it protects nothing",
      );
    }
    const attributes = [mode, authentication, keyLength, group].filter((rule) => rule !== undefined);
    return { name: view.name, id, attributes, lives: life, origin: sectionOrigin(reader, view) };
  }

  /** RFC 2407 4.5: without the attribute the mode depends on the host; tunnel is what a gateway means. */
  #defaultMode(view: View): AttributeRule {
    const { reader } = this;
    reader.missing(view, "ENCAPSULATION_MODE", "TUNNEL, TRANSPORT; TUNNEL is used", "warning");
    const { TUNNEL } = ENCAPSULATION_MODE;
    return {
      attribute: IPSEC_ATTRIBUTE.ENCAPSULATION_MODE,
      allowed: { offer: TUNNEL, least: TUNNEL, most: TUNNEL },
      origin: originOf(reader.placeOf(view, "ENCAPSULATION_MODE")),
    };
  }

  #protocol(view: View): ProtocolRule | undefined {
    const { reader } = this;
    const idAt = reader.get(view, "PROTOCOL_ID");
    if (!idAt) reader.missing(view, "PROTOCOL_ID", "IPSEC_ESP, IPSEC_AH");
    const id = idAt && reader.choice(idAt, ["IPSEC_ESP", "IPSEC_AH"]);
    const list = reader.list(view, "Transforms");
    if (!list?.elements.length) reader.missing(view, "Transforms", "a list of IPsec-transform sections");
    const windowAt = reader.get(view, "ReplayWindow");
    const window = windowAt ? reader.integer(view, "ReplayWindow", 0, REPLAY_WINDOW_LIMIT) : DEFAULT_REPLAY_WINDOW;
    if (!id || !list || window === undefined) return undefined;
    const protocol = PROTOCOL_ID[id];
    const transforms = list.elements.flatMap((name) => {
      const section = reader.follow(list.value, name, "IPsec-transform");
      return section && this.#transform(section, protocol) || [];
    });
    if (transforms.length < list.elements.length) return undefined;
    return {
      name: view.name,
      protocol,
      transforms,
      replayWindow: this.sharedSadb ? 0 : window,
      origin: sectionOrigin(reader, view),
    };
  }

  #suite(view: View): Suite | undefined {
    const key = view.name.toLowerCase();
    if (this.#suites.has(key)) return this.#suites.get(key);
    const { reader } = this;
    const list = reader.list(view, "Protocols");
    if (!list?.elements.length) {
      reader.missing(view, "Protocols", "an IPsec-protocol section, or one for AH and one for ESP");
    }
    const protocols = (list?.elements ?? []).flatMap((name) => {
      const section = reader.follow(list!.value, name, "IPsec-protocol");
      return section && this.#protocol(section) || [];
    });
    let suite: Suite | undefined;
    if (list && protocols.length === list.elements.length && protocols.length) {
      const numbers = protocols.map(({ protocol }) => protocol);
      if (new Set(numbers).size < numbers.length) {
        const name = nameOf(PROTOCOL_ID, numbers[0]);
        reader.error(
          list.value,
          `found ${protocols.length} protocols of ${name}, allowed one of IPSEC_AH and one of IPSEC_ESP`,
        );
      } else suite = { name: view.name, protocols, origin: sectionOrigin(reader, view) };
    }
    this.#suites.set(key, suite);
    return suite;
  }

  /** The suites of a list; those without fault. */
  suitesOf(list: { value: Value; elements: string[] }): Suite[] {
    const suites = list.elements.flatMap((name) => {
      const section = this.reader.follow(list.value, name, "IPsec-suite", predefinedNames("suite"));
      const suite = section && this.#suite(section);
      if (suite) this.#warnWeak(list.value, suite);
      return suite ? placed(suite, originOf(list.value)) : [];
    });
    this.#checkPfs(list.value, suites);
    return suites;
  }

  /** Once a suite: at the lines that say so, or at the list that names a predefined one. */
  #warnWeak(list: Value, suite: Suite): void {
    const { reader } = this;
    if (this.#warned.has(suite)) return;
    this.#warned.add(suite);
    for (const { protocol, transforms } of suite.protocols) {
      for (const { id, attributes, origin } of transforms) {
        const cipher = protocol === ESP ? ESP_CIPHERS.find((row) => row.espTransform === id) : undefined;
        const { GROUP_DESCRIPTION: group } = IPSEC_ATTRIBUTE;
        const found = weaknesses(attributes, { group }, origin.line === 0).map(({ rule, why }) => ({
          at: rule.origin,
          why,
        }));
        if (cipher?.weak) found.push({ at: { ...origin, tag: "TRANSFORM_ID" }, why: cipher.weak });
        for (const { at: { file, line, section, tag = "" }, why } of found) {
          if (line > 0) reader.warn({ file, line, section, tag, text: "" }, `weak: ${why}`);
          else reader.warn(list, `"${suite.name}" is weak: ${why}`);
        }
      }
    }
  }

  /**
   * RFC 2409 5.5: a proposal has one KE payload. Suites with and without PFS exclude each other; of several groups the
   * first suite's is offered, the others only serve to answer.
   */
  #checkPfs(at: Value, suites: readonly Suite[]): void {
    const groups = new Map<number | undefined, string>();
    for (const { name, protocols } of suites) {
      for (const rule of protocols.flatMap(({ transforms }) => transforms)) {
        const group = exactAttribute(rule, IPSEC_ATTRIBUTE.GROUP_DESCRIPTION);
        if (!groups.has(group)) groups.set(group, name);
      }
    }
    if (groups.size < 2) return;
    const found = Array.from(
      groups,
      ([group, name]) => `${name} with ${group === undefined ? "no PFS" : `PFS group ${nameOf(IKE_GROUP, group)}`}`,
    );
    const text = `found ${found.join(" and ")}`;
    if (groups.has(undefined)) this.reader.error(at, `${text}, allowed suites all with PFS or all without`);
    else this.reader.warn(at, `${text}; only suites with the first one's group are offered`);
  }

  #configuration(view: View): { suites: readonly Suite[]; at: Value } | undefined {
    const key = view.name.toLowerCase();
    if (this.#configurations.has(key)) return this.#configurations.get(key);
    const { reader } = this;
    checkDoi(reader, view);
    exchangeType(reader, view, ["QUICK_MODE"]);
    const list = reader.list(view, "Suites");
    if (!list?.elements.length) {
      reader.missing(view, "Suites", "a list of IPsec-suite sections such as QM-ESP-3DES-SHA-PFS-SUITE");
    }
    const suites = list ? this.suitesOf(list) : [];
    const complete = list && suites.length ? { suites, at: list.value } : undefined;
    this.#configurations.set(key, complete);
    return complete;
  }

  /** The connection of that section; undefined when it has a fault. */
  connection(view: View, listed: { active: boolean; passive: boolean }): Connection | undefined {
    const { reader } = this;
    const before = reader.faults.length;
    const phase = reader.get(view, "Phase");
    if (!phase) reader.missing(view, "Phase", "2");
    else if (phase.text !== "2") reader.refuse(phase, phase.text, "2 (an IPsec-connection section)");
    const peerAt = reader.get(view, "ISAKMP-peer");
    if (!peerAt) reader.missing(view, "ISAKMP-peer", "the name of an ISAKMP-peer section");
    const peerView = peerAt && reader.follow(peerAt, peerAt.text, "ISAKMP-peer");
    const peer = peerView && this.phase1.peer(peerView);
    const configurationAt = reader.get(view, "Configuration");
    const section = configurationAt && reader.follow(configurationAt, configurationAt.text, "IPsec-configuration");
    const general = reader.root("General");
    const suites = configurationAt ? section && this.#configuration(section) : {
      suites: this.suitesOf(reader.list(general, "Default-phase-2-suites")!),
      at: reader.get(general, "Default-phase-2-suites")!,
    };
    const ids = this.#ids(view, peer, listed.active);
    const flags = reader.list(view, "Flags");
    const words = ["Active-only", "Stayalive", "ikecfg"];
    for (const word of flags?.elements ?? []) {
      if (!words.some((one) => one.toLowerCase() === word.toLowerCase())) reader.refuse(flags!.value, word, words);
    }
    const activeOnly = flags?.elements.some((word) => word.toLowerCase() === "active-only") ?? false;
    if (listed.active && peerView && peer && !peer.address) {
      reader.error(
        peerAt!,
        `found "${
          peerAt!.text
        }", which has no Address, allowed a peer with one, as long as Connections and not Passive-connections has this`,
      );
    }
    if (reader.faults.slice(before).some(({ severity }) => severity === "error")) return undefined;
    if (!peer || !suites || !ids) return undefined;
    const origins: Record<string, Value | undefined> = {
      peer: peerAt,
      localId: reader.get(view, "Local-ID"),
      remoteId: reader.get(view, "Remote-ID"),
      suites: suites.at,
    };
    const passive = listed.passive || listed.active && !activeOnly;
    return {
      name: view.name,
      peer: peer.name,
      suites: suites.suites,
      localId: ids.local,
      remoteId: ids.remote,
      active: listed.active,
      passive,
      // Without any ID it is host to host with whoever calls.
      ...(passive && !peer.address && ids.local ? { anyRemote: true } : {}),
      origin: sectionOrigin(reader, view),
      origins: Object.fromEntries(Object.entries(origins).flatMap(([field, at]) => at ? [[field, originOf(at)]] : [])),
    };
  }

  /** Local-ID and Remote-ID. With one of them the other is the address of its end, where that is known. */
  #ids(
    view: View,
    peer: Peer | undefined,
    active: boolean,
  ): { local?: ClientSelector; remote?: ClientSelector } | undefined {
    const { reader } = this;
    const [localAt, remoteAt] = [reader.get(view, "Local-ID"), reader.get(view, "Remote-ID")];
    const identify = (value: Value) => {
      const section = reader.follow(value, value.text, "IPsec-ID");
      return section && phase2Id(reader, section);
    };
    let local = localAt && identify(localAt);
    let remote = remoteAt && identify(remoteAt);
    if (localAt && !local || remoteAt && !remote) return undefined;
    const host = (address: Peer["address"]): ClientSelector | undefined =>
      address && { prefix: prefixOf(address, 8 * address.octets.length), protocol: 0, port: 0 };
    if (local && !remote) remote = host(peer?.address);
    if (remote && !local) local = host(peer?.localAddress);
    if (remote && !local && peer) {
      reader.missing(
        view,
        "Local-ID",
        "an IPsec-ID section, because Remote-ID is given and the peer has no Local-address",
      );
    }
    if (local && !remote && active && peer) reader.missing(view, "Remote-ID", "an IPsec-ID section");
    if (local && remote && local.prefix.address.family !== remote.prefix.address.family) {
      reader.error(remoteAt ?? localAt!, "found Local-ID and Remote-ID of different IP versions, allowed the same");
    }
    return { local, remote };
  }
}
