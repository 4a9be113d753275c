/** A gateway in the simulated network: the IKE core, a kernel that holds its SAs, computations that take no time. @module */
import { generateKeyPair, sharedSecret } from "../../lib/crypto/group.ts";
import type { Configuration } from "../../lib/ike/configuration.ts";
import type {
  Computation,
  ComputationResult,
  Effect,
  Environment,
  NegotiatedFlow,
  NegotiatedSa,
  Outcome,
  SaName,
} from "../../lib/ike/events.ts";
import { Ike, INTERNAL_ERROR } from "../../lib/ike/ike.ts";
import { type Address, formatAddress, parseAddress } from "../../lib/ip/address.ts";
import { Builder } from "../../lib/octets/builder.ts";
import { type Bytes, equal } from "../../lib/octets/bytes.ts";
import { type Endpoint, type Network, type Node, SeededRandom } from "./network.ts";

export type Compute = (task: Computation, random: (octets: number) => Bytes) => ComputationResult;

const done = (value: unknown) => ({ ok: true, value } as ComputationResult);

/** Diffie-Hellman as it is; there are no signatures. */
export const realCompute: Compute = (task, random) => {
  try {
    if (task.op === "generateKeyPair") return done(generateKeyPair(task.group, random));
    if (task.op === "sharedSecret") return done(sharedSecret(task.group, task.privateKey, task.peerPublicValue));
  } catch (error) {
    return { ok: false, error: (error as Error).message };
  }
  return { ok: false, error: `no ${task.op} in this test` };
};

const TOY_PRIME = 2n ** 61n - 1n;
const TOY_OCTETS = 32;
const toOctets = (value: bigint): Bytes => new Builder().zeros(TOY_OCTETS - 8).u64(value).finish();
const toNumber = (octets: Uint8Array) => new DataView(octets.buffer, octets.byteOffset).getBigUint64(octets.length - 8);

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let b = base % TOY_PRIME, e = exponent; e > 0n; e >>= 1n, b = b * b % TOY_PRIME) {
    if (e & 1n) result = result * b % TOY_PRIME;
  }
  return result;
}

/** Diffie-Hellman modulo a prime of 61 bits, whatever the group: no security, but ten thousand negotiations in a minute. */
export const toyCompute: Compute = (task, random) => {
  if (task.op === "generateKeyPair") {
    const privateKey = random(8);
    return done({ privateKey, publicValue: toOctets(power(3n, toNumber(privateKey) >> 4n | 1n)) });
  }
  if (task.op === "sharedSecret") {
    if (task.peerPublicValue.length !== TOY_OCTETS) {
      return { ok: false, error: "Cannot use public value: wrong length" };
    }
    return done(toOctets(power(toNumber(task.peerPublicValue), toNumber(task.privateKey) >> 4n | 1n)));
  }
  return { ok: false, error: `no ${task.op} in this test` };
};

const saKey = ({ protocol, spi, destination }: SaName) => `${protocol} ${spi} ${formatAddress(destination)}`;

/** What is installed, and the complaints about what a kernel would refuse. */
export class Kernel {
  readonly inbound = new Map<string, NegotiatedSa>();
  readonly outbound = new Map<string, NegotiatedSa>();
  readonly reserved = new Set<number>();
  readonly flows: NegotiatedFlow[] = [];
  readonly complaints: string[] = [];
  /** Outbound SAs of each connection, oldest first: the last is the one that packets take. */
  readonly order = new Map<string, NegotiatedSa[]>();

  install(sa: NegotiatedSa): void {
    const table = sa.direction === "in" ? this.inbound : this.outbound;
    const key = saKey(sa);
    if (table.has(key)) this.complaints.push(`${sa.direction} ${key} installed twice`);
    if (sa.direction === "in" && !this.reserved.delete(sa.spi)) this.complaints.push(`in ${key} was not reserved`);
    table.set(key, sa);
    if (sa.direction === "out") this.order.set(sa.connection, [...this.order.get(sa.connection) ?? [], sa]);
  }

  remove(name: SaName): void {
    const table = name.direction === "in" ? this.inbound : this.outbound;
    const sa = table.get(saKey(name));
    table.delete(saKey(name));
    if (name.direction === "in") this.reserved.delete(name.spi);
    if (sa && name.direction === "out") {
      const left = this.order.get(sa.connection)!.filter((each) => each !== sa);
      if (left.length) this.order.set(sa.connection, left);
      else this.order.delete(sa.connection);
    }
  }

  /** The SA that a packet of a connection leaves through. */
  current(connection: string): NegotiatedSa | undefined {
    return this.order.get(connection)?.at(-1);
  }
}

/** A gateway. */
export class Gateway implements Node {
  readonly addresses: readonly Address[];
  readonly address: Address;
  readonly ike: Ike;
  readonly kernel = new Kernel();
  readonly outcomes: Outcome[] = [];
  readonly log: string[] = [];
  readonly addressing: Extract<Effect, { type: "addressing" }>[] = [];
  readonly captured: Bytes[] = [];
  readonly network: Network;
  #compute: Compute;
  #random: SeededRandom;

  constructor(
    network: Network,
    address: string,
    configuration: Configuration,
    options: { compute?: Compute; environment?: Partial<Environment> } = {},
  ) {
    this.network = network;
    this.address = parseAddress(address);
    this.addresses = [this.address];
    this.#random = new SeededRandom(network.random.u32());
    this.#compute = options.compute ?? toyCompute;
    this.ike = new Ike(configuration, {
      random: this.#random.octets,
      localAddressFor: () => this.address,
      ...options.environment,
    });
    network.add(this);
  }

  /** Gives the core an input from outside the network. */
  input(give: (ike: Ike, now: number) => Effect[] | { effects: Effect[] }): void {
    const result = give(this.ike, this.network.now);
    this.perform(Array.isArray(result) ? result : result.effects);
    this.network.touched(this);
  }

  onDatagram(now: number, from: Endpoint, to: Endpoint, octets: Bytes): void {
    this.perform(this.ike.onDatagram(now, from, to, octets));
  }

  onTimer(now: number): void {
    this.perform(this.ike.onTimer(now));
  }

  deadline(): number | undefined {
    return this.ike.deadline();
  }

  perform(effects: readonly Effect[]): void {
    const now = this.network.now;
    for (const effect of effects) {
      switch (effect.type) {
        case "send":
          this.network.send(effect.local, effect.remote, effect.octets);
          break;
        case "compute":
          this.perform(this.ike.onComputed(now, effect.id, this.#compute(effect.task, this.#random.octets)));
          break;
        case "reserveSpi": {
          const spi = 256 + this.#random.below(2 ** 32 - 256);
          this.kernel.reserved.add(spi);
          this.perform(this.ike.onSpi(now, effect.id, spi));
          break;
        }
        case "installSa":
          this.kernel.install(effect.sa);
          break;
        case "removeSa":
          this.kernel.remove(effect.sa);
          break;
        case "installFlow":
          this.kernel.flows.push(effect.flow);
          break;
        case "removeFlow":
          this.kernel.flows.splice(
            this.kernel.flows.findIndex((flow) => flow.connection === effect.flow.connection),
            1,
          );
          break;
        case "outcome":
          this.outcomes.push(effect.outcome);
          break;
        case "log":
          if (effect.text.startsWith(INTERNAL_ERROR)) throw new Error(effect.text);
          this.log.push(effect.text);
          break;
        case "addressing":
          this.addressing.push(effect);
          break;
        case "capture":
          this.captured.push(effect.octets);
          break;
        default:
          break;
      }
    }
  }

  /** Texts of the outcomes of a kind. */
  texts(result: Outcome["result"], phase?: 1 | 2): string[] {
    return this.outcomes.filter((each) => each.result === result && (!phase || each.phase === phase)).map(({ text }) =>
      text
    );
  }
}

/** Why a packet of `connection` would not get from one gateway to the other; undefined: it would. */
export function blocked(from: Gateway, to: Gateway, connection: string): string | undefined {
  const sa = from.kernel.current(connection);
  if (!sa) return `${formatAddress(from.address)} has no outbound SA for ${connection}`;
  const spi = `${sa.protocol} ${sa.spi} ${formatAddress(to.address)}`;
  const other = to.kernel.inbound.get(spi);
  if (!other) return `${formatAddress(to.address)} has no inbound SA ${spi} for ${connection}`;
  const same = (a?: Uint8Array, b?: Uint8Array) => a === b || (a !== undefined && b !== undefined && equal(a, b));
  if (!same(sa.encryptionKey, other.encryptionKey) || !same(sa.authenticationKey, other.authenticationKey)) {
    return `different keys for ${spi}`;
  }
  if (sa.encryption !== other.encryption || sa.authentication !== other.authentication || sa.tunnel !== other.tunnel) {
    return `different algorithms for ${spi}`;
  }
  return undefined;
}
