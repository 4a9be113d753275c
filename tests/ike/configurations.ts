/** Configurations for tests, with origins that look like lines of a file. @module */
import type {
  Allowed,
  AttributeRule,
  Configuration,
  Connection,
  LifeRule,
  Origin,
  Peer,
  ProtocolRule,
  Suite,
  TransformRule,
} from "../../lib/ike/configuration.ts";
import { parseAddress, parsePrefix } from "../../lib/ip/address.ts";
import type { ClientSelector } from "../../lib/isakmp/identification.ts";
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
  PROTOCOL_ID,
} from "../../lib/isakmp/numbers.ts";
import { encodeText } from "../../lib/octets/bytes.ts";
import { Secret } from "../../lib/octets/secret.ts";

export const exactly = (value: number): Allowed => ({ offer: value, least: value, most: value });

export function at(file: string, line: number, section: string, tag?: string): Origin {
  return { file, line, section, tag };
}

const rule = (attribute: number, allowed: Allowed, origin: Origin): AttributeRule => ({ attribute, allowed, origin });

export interface Phase1Options {
  cipher?: keyof typeof IKE_ENCRYPTION;
  keyBits?: number;
  hash?: keyof typeof IKE_HASH;
  method?: keyof typeof IKE_AUTHENTICATION;
  group?: keyof typeof IKE_GROUP;
  life?: Allowed;
  file?: string;
}

export function phase1Transform(options: Phase1Options = {}): TransformRule {
  const { cipher = "AES_CBC", hash = "SHA", method = "PRE_SHARED", group = "CURVE_25519", file = "test.conf" } =
    options;
  const keyBits = options.keyBits ?? (cipher === "AES_CBC" ? 128 : undefined);
  const origin = (line: number, tag: string) => at(file, line, "transform-1", tag);
  const lives: LifeRule[] = [{
    type: "SECONDS",
    duration: options.life ?? { offer: 3600, least: 60, most: 86400 },
    origin: origin(29, "Life"),
  }];
  return {
    name: "transform-1",
    id: 1,
    attributes: [
      rule(IKE_ATTRIBUTE.ENCRYPTION_ALGORITHM, exactly(IKE_ENCRYPTION[cipher]), origin(21, "ENCRYPTION_ALGORITHM")),
      ...(keyBits ? [rule(IKE_ATTRIBUTE.KEY_LENGTH, exactly(keyBits), origin(22, "KEY_LENGTH"))] : []),
      rule(IKE_ATTRIBUTE.HASH_ALGORITHM, exactly(IKE_HASH[hash]), origin(23, "HASH_ALGORITHM")),
      rule(
        IKE_ATTRIBUTE.AUTHENTICATION_METHOD,
        exactly(IKE_AUTHENTICATION[method]),
        origin(24, "AUTHENTICATION_METHOD"),
      ),
      rule(IKE_ATTRIBUTE.GROUP_DESCRIPTION, exactly(IKE_GROUP[group]), origin(25, "GROUP_DESCRIPTION")),
    ],
    lives,
    origin: at(file, 20, "transform-1"),
  };
}

export interface Phase2Options {
  protocol?: "ESP" | "AH";
  cipher?: keyof typeof ESP_TRANSFORM;
  ah?: keyof typeof AH_TRANSFORM;
  keyBits?: number;
  authentication?: keyof typeof AUTHENTICATION_ALGORITHM | null;
  mode?: keyof typeof ENCAPSULATION_MODE;
  pfs?: keyof typeof IKE_GROUP;
  life?: Allowed;
  kilobytes?: Allowed;
  file?: string;
}

export function protocolRule(options: Phase2Options = {}): ProtocolRule {
  const { protocol = "ESP", cipher = "AES", ah = "SHA", authentication = "HMAC_SHA", mode = "TUNNEL", pfs } = options;
  const file = options.file ?? "test.conf";
  const keyBits = options.keyBits ?? (protocol === "ESP" && cipher.startsWith("AES") ? 128 : undefined);
  const origin = (line: number, tag: string) => at(file, line, `${protocol}-transform`, tag);
  const lives: LifeRule[] = [{
    type: "SECONDS",
    duration: options.life ?? { offer: 1200, least: 60, most: 86400 },
    origin: origin(59, "Life"),
  }];
  if (options.kilobytes) lives.push({ type: "KILOBYTES", duration: options.kilobytes, origin: origin(59, "Life") });
  return {
    name: `${protocol}-protocol`,
    protocol: protocol === "ESP" ? PROTOCOL_ID.IPSEC_ESP : PROTOCOL_ID.IPSEC_AH,
    replayWindow: 16,
    origin: at(file, 50, `${protocol}-protocol`),
    transforms: [{
      name: `${protocol}-transform`,
      id: protocol === "ESP" ? ESP_TRANSFORM[cipher] : AH_TRANSFORM[ah],
      attributes: [
        rule(
          IPSEC_ATTRIBUTE.ENCAPSULATION_MODE,
          exactly(ENCAPSULATION_MODE[mode]),
          origin(54, "ENCAPSULATION_MODE"),
        ),
        ...(authentication
          ? [rule(
            IPSEC_ATTRIBUTE.AUTHENTICATION_ALGORITHM,
            exactly(AUTHENTICATION_ALGORITHM[authentication]),
            origin(55, "AUTHENTICATION_ALGORITHM"),
          )]
          : []),
        ...(pfs
          ? [rule(IPSEC_ATTRIBUTE.GROUP_DESCRIPTION, exactly(IKE_GROUP[pfs]), origin(56, "GROUP_DESCRIPTION"))]
          : []),
        ...(keyBits ? [rule(IPSEC_ATTRIBUTE.KEY_LENGTH, exactly(keyBits), origin(57, "KEY_LENGTH"))] : []),
      ],
      lives,
      origin: at(file, 52, `${protocol}-transform`),
    }],
  };
}

export function suite(...protocols: Phase2Options[]): Suite {
  const list = protocols.length ? protocols : [{}];
  return {
    name: "suite",
    protocols: list.map(protocolRule),
    origin: at(list[0].file ?? "test.conf", 45, "suite", "Protocols"),
  };
}

export const selector = (prefix: string, protocol = 0, port = 0): ClientSelector => ({
  prefix: parsePrefix(prefix),
  protocol,
  port,
});

export const secret = (text = "mekmitasdigoat") => new Secret(encodeText(text));

export function peer(name: string, address: string | undefined, options: Partial<Peer> & { file?: string } = {}): Peer {
  const { file = "test.conf", ...rest } = options;
  return {
    name,
    address: address === undefined ? undefined : parseAddress(address),
    port: 500,
    exchange: "ID_PROT",
    transforms: [phase1Transform({ file })],
    secret: secret(),
    natTraversal: true,
    forceEncapsulation: false,
    fragmentation: true,
    dpdSeconds: 0,
    origin: at(file, 10, name),
    origins: {
      secret: at(file, 14, name, "Authentication"),
      transforms: at(file, 18, "main-mode", "Transforms"),
      exchange: at(file, 17, "main-mode", "EXCHANGE_TYPE"),
      remoteId: at(file, 15, name, "Remote-ID"),
    },
    ...rest,
  };
}

export function connection(
  name: string,
  peerName: string,
  ids: { local?: string; remote?: string },
  options: Partial<Connection> & { file?: string } = {},
): Connection {
  const { file = "test.conf", ...rest } = options;
  return {
    name,
    peer: peerName,
    suites: [suite({ file })],
    localId: ids.local === undefined ? undefined : selector(ids.local),
    remoteId: ids.remote === undefined ? undefined : selector(ids.remote),
    active: true,
    passive: true,
    origin: at(file, 30, name),
    origins: {
      localId: at(file, 33, name, "Local-ID"),
      remoteId: at(file, 34, name, "Remote-ID"),
      suites: at(file, 40, "quick-mode", "Suites"),
    },
    ...rest,
  };
}

export function configuration(
  peers: readonly Peer[],
  connections: readonly Connection[],
  options: Partial<Configuration> = {},
): Configuration {
  return {
    retransmits: 5,
    exchangeMaxTimeSeconds: 120,
    checkIntervalSeconds: 60,
    natKeepaliveSeconds: 20,
    sharedSadb: false,
    peers,
    peersByAddress: peers.flatMap(({ address, name, origin }) => address ? [{ address, peer: name, origin }] : []),
    defaultPeer: peers.filter(({ address }) => !address).map(({ name, origin }) => ({ peer: name, origin }))[0],
    connections,
    defaultSuites: [],
    initiatorSecrets: new Map(),
    xauthUsers: new Map(),
    clientAddressing: [],
    ...options,
  };
}
