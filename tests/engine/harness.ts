/** An engine with scripted clients, without sockets. */
import { assert } from "@std/assert";
import { parseAddress } from "../../lib/ip/address.ts";
import { type Flow, NO_LIMIT, type SaParameters } from "../../lib/ipsec/types.ts";
import { parsePrefix } from "../../lib/ip/address.ts";
import type { Effect } from "../../lib/engine/effects.ts";
import { KeyEngine } from "../../lib/engine/key_engine.ts";
import type { EngineOptions } from "../../lib/engine/state.ts";
import type { Bytes } from "../../lib/octets/bytes.ts";
import type { Extensions } from "../../lib/pfkey/extensions.ts";
import { decodeMessage, encodeMessage, type Message } from "../../lib/pfkey/message.ts";
import type { MessageType, SaType } from "../../lib/pfkey/numbers.ts";

/** A small generator with a seed; not for secrets. */
export function seeded(seed: number): (octets: number) => Bytes {
  let state = seed >>> 0 || 1;
  return (octets) =>
    Uint8Array.from({ length: octets }, () => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return state >>> 8 & 0xff;
    });
}

export interface Sent {
  readonly to: number[];
  readonly message: Message;
}

/** The engine, the messages it sent and every other effect. */
export class Harness {
  readonly engine: KeyEngine;
  now = 1_000_000_000_000;
  sent: Sent[] = [];
  effects: Effect[] = [];

  constructor(options: Partial<EngineOptions> = {}) {
    this.engine = new KeyEngine({ random: seeded(7), ...options });
  }

  /** Connects client `id` with pid 1000 + id. */
  client(id: number): this {
    this.engine.connect(id);
    return this;
  }

  /** Takes over effects; dumps are read to their end. */
  take(effects: Effect[]): void {
    for (const effect of effects) {
      if (effect.kind === "send") this.sent.push({ to: [...effect.to], message: decodeMessage(effect.message) });
      else if (effect.kind === "dump") {
        for (let row = effect.messages.next(); !row.done; row = effect.messages.next()) {
          this.sent.push({ to: [effect.to], message: decodeMessage(row.value) });
        }
      } else if (effect.kind !== "log") this.effects.push(effect);
    }
  }

  /** Sends a request; answers what the engine sent because of it. */
  ask(
    client: number,
    type: MessageType,
    satype: SaType,
    extensions: Extensions = {},
    seq = 1,
    wrapped?: Uint8Array,
  ): Sent[] {
    this.sent = [];
    this.effects = [];
    const octets = encodeMessage({ type, satype, seq, pid: 1000 + client, extensions, wrapped });
    this.take(this.engine.onMessage(client, octets, this.now));
    return this.sent;
  }

  /** The one answer to the requester. */
  answer(client: number, ...request: Parameters<Harness["ask"]> extends [number, ...infer R] ? R : never): Message {
    const mine = this.ask(client, ...request).filter(({ to }) => to.includes(client));
    assert(mine.length === 1, `${mine.length} answers`);
    return mine[0].message;
  }

  tick(seconds: number): Sent[] {
    this.sent = [];
    this.effects = [];
    this.now += 1000 * seconds;
    this.take(this.engine.onTick(this.now));
    return this.sent;
  }

  /** The first effect of a kind since the last request. */
  effect<K extends Effect["kind"]>(kind: K): Extract<Effect, { kind: K }> {
    const found = this.effects.find((effect) => effect.kind === kind);
    if (!found) throw new Error(`no ${kind} among ${this.kinds()}`);
    return found as Extract<Effect, { kind: K }>;
  }

  kinds(): string[] {
    return this.effects.map(({ kind }) => kind);
  }
}

export const WEST = parseAddress("192.168.5.1");
export const EAST = parseAddress("192.168.25.9");

/** An ESP SA of 13.6's example. */
export function espSa(change: Partial<SaParameters> = {}): SaParameters {
  return {
    protocol: 50,
    spi: 0x1000,
    source: WEST,
    destination: EAST,
    encryption: "3des",
    authentication: "sha1",
    encryptionKey: Uint8Array.from({ length: 24 }, (_, i) => 7 * i + 1),
    authenticationKey: Uint8Array.from({ length: 20 }, (_, i) => i),
    tunnel: true,
    oldHeader: false,
    halfIv: false,
    randomPadding: false,
    replayWindow: 0,
    hard: NO_LIMIT,
    soft: NO_LIMIT,
    ...change,
  };
}

/** A flow of 13.6's example. */
export function flow(change: Partial<Flow> = {}, source = "192.168.99.0/24", destination = "208.1.2.0/24"): Flow {
  return {
    selector: {
      source: parsePrefix(source),
      destination: parsePrefix(destination),
      transport: 0,
      sourcePort: 0,
      destinationPort: 0,
      direction: "out",
    },
    type: "require",
    protocol: 50,
    peer: EAST,
    local: WEST,
    static: true,
    ...change,
  };
}

/** A packet between the two nets. */
export const PACKET = {
  source: parseAddress("192.168.99.7"),
  destination: parseAddress("208.1.2.3"),
  transport: 6,
  sourcePort: 1024,
  destinationPort: 80,
};
