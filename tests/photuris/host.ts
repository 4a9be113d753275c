/**
 * A Photuris host in virtual time, with an engine that only remembers what it was told. Two of them on a Network run
 * whole exchanges in milliseconds.
 *
 * @module
 */
import { type Address, parseAddress } from "../../lib/ip/address.ts";
import { type Bytes, encodeText } from "../../lib/octets/bytes.ts";
import { formatHex, parseHex } from "../../lib/octets/hex.ts";
import { Secret } from "../../lib/octets/secret.ts";
import type { AttributeDefinition, AttributeUse } from "../../lib/photuris/attributes.ts";
import { offersOf } from "../../lib/photuris/choose.ts";
import type { Effect, Job } from "../../lib/photuris/effects.ts";
import { Photuris } from "../../lib/photuris/endpoint.ts";
import { type OfferedScheme, schemeOf } from "../../lib/photuris/schemes.ts";
import type { Identity, SecretBook, Settings, StartRequest, Times } from "../../lib/photuris/settings.ts";
import { PHOTURIS_PORT } from "../../lib/photuris/messages.ts";
import type { Endpoint, Network, Node } from "../simulation/network.ts";
import { SeededRandom } from "../simulation/network.ts";

/** Safe primes, small so that thousands of exchanges are cheap: 64, 96 and 128 bits, and 256 bits. */
export const SMALL_PRIMES = {
  64: parseHex("c4a6209630cac5bb"),
  96: parseHex("eac9a44bdd85e8a36ceaab2b"),
  128: parseHex("e8dce97991abf3eea782530d5491cd8f"),
  256: parseHex("e2eac27a98e6b07369c778e07a244ebf11a4d0fe934a17ce3e66713c7e5ec4f3"),
} as const;

export function toBigInt(octets: Uint8Array): bigint {
  return octets.length ? BigInt(`0x${formatHex(octets)}`) : 0n;
}

/** base ^ exponent mod modulus, by squaring. */
export function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (let left = exponent, square = base % modulus; left > 0n; left >>= 1n, square = square * square % modulus) {
    if (left & 1n) result = result * square % modulus;
  }
  return result;
}

/** The computations of the edge, done at once. */
export function computeNow(job: Job): Bytes | boolean {
  if (job.kind === "safePrime") {
    return Object.values(SMALL_PRIMES).some((prime) => formatHex(prime) === formatHex(job.candidate));
  }
  const result = power(toBigInt(job.base), toBigInt(job.exponent), toBigInt(job.modulus));
  return parseHex(result.toString(16).padStart(2 * job.modulus.length, "0"));
}

const define = (number: number, name: string, keyOctets: number, ...uses: AttributeUse[]): AttributeDefinition => ({
  number,
  name,
  keyOctets,
  uses: new Set(uses),
});

/** The shipped attributes.conf with all that it comments out. */
export const DEFINITIONS: readonly AttributeDefinition[] = [
  define(6, "AT_SHA1_IPMAC", 20, "identity", "authentication"),
  define(5, "AT_MD5_IPMAC", 16, "identity", "authentication"),
  define(7, "AT_RIPEMD_IPMAC", 20, "identity", "authentication"),
  define(254, "AT_HMAC_FLAG", 0, "flag"),
  define(16, "AT_BLF_NEW", 56, "encryption"),
  define(18, "AT_3DES_NEW", 24, "encryption"),
  define(17, "AT_CAST_NEW", 16, "encryption"),
  define(8, "AT_DES_CBC", 8, "encryption"),
];

/** SHA1, MD5 to identify; ESP with HMAC flag, Blowfish, 3DES, CAST, SHA1, MD5; AH with flag, MD5, SHA1. */
export const DEFAULT_OFFERS = [6, 5, 2, 254, 16, 18, 17, 6, 5, 1, 254, 5, 6];

export const TIMES: Times = {
  maxRetransmits: 3,
  retransmitTimeout: 7,
  exchangeTimeout: 60,
  exchangeLifetime: 1800,
  spiLifetime: 600,
};

const entry = (name: string, secret: string, at: string): Identity => ({
  name,
  secret: new Secret(encodeText(secret)),
  entry: at,
});

/** secrets.conf of one local and some remote entries. */
export function secretBook(local: [string, string], remotes: Record<string, string>): SecretBook {
  return {
    local: () => entry(...local, "secrets.conf:1"),
    pairLocal: () => undefined,
    remote: (name) => name in remotes ? entry(name, remotes[name], "secrets.conf:2") : undefined,
  };
}

/** An offer of one scheme with a group of the given prime. */
export function offer(scheme: number, modulus?: Uint8Array): OfferedScheme {
  const { generator } = schemeOf(scheme)!;
  if (!modulus) return { scheme };
  return {
    scheme,
    group: { generator: new Uint8Array([generator === "variable" ? 11 : generator]), modulus: modulus as Bytes },
  };
}

export interface HostOptions {
  schemes?: OfferedScheme[];
  offers?: number[];
  times?: Partial<Times>;
  secrets?: SecretBook;
  requestFor?: Settings["requestFor"];
  isWanted?: Settings["isWanted"];
  maximumUnidentified?: number;
  maximumExchanges?: number;
}

export function settingsOf(options: HostOptions, secrets: SecretBook): Settings {
  return {
    schemes: options.schemes ?? [offer(8), offer(4), offer(2, SMALL_PRIMES[64])],
    attributes: {
      definitions: new Map(DEFINITIONS.map((definition) => [definition.number, definition])),
      offersFor: () => offersOf(options.offers ?? DEFAULT_OFFERS),
    },
    secrets,
    requestFor: options.requestFor ?? (() => undefined),
    isWanted: options.isWanted ?? (() => true),
    times: { ...TIMES, ...options.times },
    maximumExchanges: options.maximumExchanges ?? 10_000,
    maximumUnidentified: options.maximumUnidentified ?? 1_000,
  };
}

type Install = Extract<Effect, { do: "install" }>;

/** An SA as the engine of a host has it. */
export interface Installed extends Install {
  readonly at: number;
}

export class Host implements Node {
  readonly addresses: readonly Address[];
  core: Photuris;
  readonly installed: Installed[] = [];
  readonly outcomes: { text: string; established: boolean; request: StartRequest }[] = [];
  readonly log: string[] = [];
  readonly removed: Extract<Effect, { do: "remove" }>[] = [];
  /** Every computation and its answer, for recordings. */
  readonly computations: { job: Job; result: Bytes | boolean }[] = [];
  /** How long a computation or reservation takes. */
  computeMs: () => number = () => 1;
  /** Refuses SPIs while false. */
  hasSpis = true;
  nextSpi: number;
  readonly random: SeededRandom;

  constructor(
    readonly network: Network,
    readonly name: string,
    address: string,
    readonly settings: Settings,
    seed: number,
  ) {
    this.addresses = [parseAddress(address)];
    this.random = new SeededRandom(seed);
    this.nextSpi = 0x100 + seed % 1000 * 0x10000;
    this.core = new Photuris(settings, network.now, this.random.octets);
    network.add(this);
  }

  get endpoint(): Endpoint {
    return { address: this.addresses[0], port: PHOTURIS_PORT };
  }

  start(peer: Host, more: Partial<StartRequest> = {}): void {
    const request = { peer: peer.endpoint, local: this.endpoint, ...more };
    this.perform(this.core.start(this.network.now, request));
    this.network.touched(this);
  }

  onDatagram(now: number, from: Endpoint, to: Endpoint, octets: Bytes): void {
    this.perform(this.core.receive(now, from, to, octets));
  }

  onTimer(now: number): void {
    this.perform(this.core.tick(now));
  }

  deadline(): number | undefined {
    const { nextAt } = this.core;
    return nextAt === Infinity ? undefined : nextAt;
  }

  perform(effects: readonly Effect[]): void {
    const { now } = this.network;
    for (const effect of effects) {
      switch (effect.do) {
        case "send":
          this.network.send(effect.from, effect.to, effect.datagram);
          break;
        case "compute": {
          const result = computeNow(effect.job);
          this.computations.push({ job: structuredClone(effect.job), result }); // the core erases exponents
          // As at the edge: the answer is an event of its own.
          this.network.at(
            now + 1,
            () => this.perform(this.core.computed(this.network.now, effect.token, result)),
            this,
          );
          break;
        }
        case "reserve": {
          const spi = this.hasSpis ? this.nextSpi++ : undefined;
          const at = now + this.computeMs();
          this.network.at(at, () => this.perform(this.core.reserved(this.network.now, effect.token, spi)), this);
          break;
        }
        case "install":
          this.installed.push({ ...effect, at: now });
          break;
        case "remove":
          this.removed.push(effect);
          break;
        case "outcome":
          this.outcomes.push(effect);
          break;
        case "log":
          this.log.push(`${effect.level}: ${effect.text}`);
      }
    }
  }

  /** The SAs of a role, oldest first. */
  of(role: "owner" | "user"): Installed[] {
    return this.installed.filter((sa) => sa.role === role);
  }
}

/** Keys of an SPI's SAs as text, to compare both ends. */
export function keysOf({ spi, sections }: Installed): string {
  return `${spi} ` + sections.map(({ protocol, hmac, encryption, authentication }) =>
    [
      protocol,
      hmac,
      ...[encryption, authentication].map((one) => one ? `${one.definition.name}=${formatHex(one.key)}` : "-"),
    ].join(" ")
  ).join("; ");
}

/** Two hosts, west and east, that know each other's secrets. */
export function pair(
  network: Network,
  seed: number,
  west: HostOptions = {},
  east: HostOptions = {},
): { west: Host; east: Host } {
  const westBook = west.secrets ?? secretBook(["west", "the west's secret"], { east: "the east's secret" });
  const eastBook = east.secrets ?? secretBook(["east", "the east's secret"], { west: "the west's secret" });
  return {
    west: new Host(network, "west", "10.0.0.1", settingsOf(west, westBook), 2 * seed + 1),
    east: new Host(network, "east", "10.0.0.2", settingsOf(east, eastBook), 2 * seed + 2),
  };
}

/**
 * The keys that both hosts hold agree: what one owns, the other uses. An SPI whose owner never had it comes from an
 * Identity_Request to which every answer was lost, which its sender has then given up.
 */
export function assertAgreement(west: Host, east: Host): void {
  for (const [owner, user] of [[west, east], [east, west]]) {
    const owned = new Map(owner.of("owner").map((sa) => [sa.spi, keysOf(sa)]));
    const lost = user.of("user").filter(({ spi }) => !owned.has(spi));
    const given = owner.log.filter((line) => /to Identity_Request$/.test(line)).length;
    if (lost.length > given) {
      const words = `${user.name} uses ${lost.length} SPIs that ${owner.name} never had`;
      throw new Error([words, ...owner.log, `${user.name}:`, ...user.log].join("\n"));
    }
    for (const sa of user.of("user")) {
      const keys = owned.get(sa.spi);
      if (keys && keys !== keysOf(sa)) throw new Error(`${user.name} uses ${keysOf(sa)}; ${owner.name} has ${keys}`);
    }
  }
}
