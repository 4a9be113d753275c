/** Performing what the IKE core decides: messages, computations, SAs and flows, log lines. @module */
import { generateKeyPair } from "../crypto/group.ts";
import type { Computation, ComputationResult, Effect, Outcome } from "../ike/events.ts";
import type { Ike } from "../ike/ike.ts";
import type { Bytes } from "../octets/bytes.ts";
import type { ComputePool } from "./compute_pool.ts";
import type { IkeTransport } from "./ike_transport.ts";
import type { Credentials } from "./isakmpd_credentials.ts";
import type { StandingFlows } from "./isakmpd_flows.ts";
import type { Kernel } from "./isakmpd_kernel.ts";
import type { Records } from "./isakmpd_records.ts";
import type { Log } from "./log.ts";

/** SPIs without an engine: isakmpd's range. */
const LEAST_SPI = 0x100;

/** What effects are performed with. */
export interface EffectParts {
  readonly log: Log;
  readonly transport: IkeTransport;
  readonly kernel: Kernel | undefined;
  readonly pool: ComputePool;
  readonly standing: StandingFlows;
  readonly records: Records;
  readonly random: (octets: number) => Bytes;
  /** `-r`: Diffie-Hellman keys, too, are made of `random`, which Workers do not have. */
  readonly seeded: boolean;
  /** These change when the files are read again. */
  readonly credentials: () => Credentials;
  readonly verbose: () => boolean;
  readonly ike: () => Ike;
  /** Gives the core an input and performs what comes of it. */
  readonly input: (give: (ike: Ike, now: number) => readonly Effect[]) => void;
}

/** Performs effects in their order. */
export class EffectPerformer {
  constructor(readonly parts: EffectParts) {}

  perform(effects: readonly Effect[]): void {
    // A peer that gets our message may use the new SA at once, and so may who reads that it is established: what follows
    // an SA waits until the engine has it.
    let before: Promise<unknown> | undefined;
    for (const effect of effects) {
      if (before) before = before.then(() => this.#performOne(effect));
      else before = this.#performOne(effect) ?? undefined;
    }
  }

  /** Answers a promise when what follows has to wait for it. */
  #performOne(effect: Effect): Promise<unknown> | undefined | void {
    const { log, transport, kernel, records, standing, ike } = this.parts;
    switch (effect.type) {
      case "send":
        return transport.send(effect.local, effect.remote, effect.octets);
      case "keepalive":
        return transport.keepalive(effect.local, effect.remote);
      case "compute":
        return this.#compute(effect.id, effect.task);
      case "reserveSpi":
        return void this.#reserveSpi(effect);
      case "installSa":
        records.esp(effect.sa);
        return kernel?.installSa(effect.sa, ike().selectorsOf(effect.sa.pair));
      case "bundle":
        return kernel?.bundle(effect.members);
      case "removeSa":
        return void kernel?.removeSa(effect.sa);
      case "installFlow":
        return void kernel?.installFlow(effect.flow);
      case "removeFlow":
        if (standing.has(effect.flow.connection)) return;
        return void kernel?.removeFlow(effect.flow);
      case "peerMoved":
        return void kernel?.movePeer(effect.sas, effect.remote.port);
      case "addressing":
        return log.notice(
          `${effect.peer} gives us ${
            Object.entries(effect.values).map(([name, values]) => `${name} ${values.join(" ")}`).join(", ")
          }`,
        );
      case "outcome":
        return this.#tellOutcome(effect.outcome);
      case "log":
        return log.debug(effect.class, effect.level, effect.text);
      case "capture":
        return records.packet(effect);
      case "secrets":
        return records.ike(effect);
    }
  }

  #compute(id: number, task: Computation): void {
    const { credentials, pool, input, seeded, random } = this.parts;
    const done = (result: ComputationResult) => input((ike, now) => ike.onComputed(now, id, result));
    if (seeded && task.op === "generateKeyPair") {
      return done({ ok: true, value: generateKeyPair(task.group, random) });
    }
    switch (task.op) {
      case "sign":
        return credentials().sign(task, done);
      case "verify":
        return credentials().verify(task, done);
      default:
        pool.run(task as { op: "sharedSecret" } & typeof task, (value, error) => {
          done(value ? { ok: true, value } : { ok: false, error: error! });
        });
    }
  }

  async #reserveSpi({ id, protocol, local, remote }: Extract<Effect, { type: "reserveSpi" }>): Promise<void> {
    const { kernel, random, input } = this.parts;
    const spi = kernel
      ? await kernel.reserveSpi(protocol, local, remote)
      : LEAST_SPI + new DataView(random(4).buffer).getUint32(0) % (2 ** 32 - LEAST_SPI);
    input((ike, now) => ike.onSpi(now, id, spi ?? { error: "the IPsec engine gave no SPI" }));
  }

  #tellOutcome({ result, text }: Outcome): void {
    const { log, verbose } = this.parts;
    if (result === "failed") log.warn(text);
    else if (verbose()) log.notice(text);
    else log.debug("Exchange", 10, text);
  }
}
