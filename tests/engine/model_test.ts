// The engine against a naive model: the same random requests, the same answers, the same tables; and a datapath that only
// ever saw the effects ends up with what the engine says it has.
import { assert, assertEquals } from "@std/assert";
import type { Flow, SaParameters } from "../../lib/ipsec/types.ts";
import type { Effect } from "../../lib/engine/effects.ts";
import { selectorKey } from "../../lib/engine/tables.ts";
import type { Errno } from "../../lib/pfkey/numbers.ts";
import { flowExtensions } from "../../lib/pfkey/flow_message.ts";
import { pairExtensions } from "../../lib/pfkey/pair_message.ts";
import { identityExtensions, saExtensions } from "../../lib/pfkey/sa_message.ts";
import { espSa, flow, Harness, seeded, WEST } from "./harness.ts";

const NONE = { allocations: 0, bytes: 0, addSeconds: 0, useSeconds: 0 };
const STEPS = 6000;

/** An SA of the model: a list is searched from end to end. */
interface ModelSa {
  sa: SaParameters;
  state: "larval" | "mature" | "dying";
  addedMs: number;
  outer?: ModelSa;
}

/** What a list and a handful of rules say. */
class Model {
  sas: ModelSa[] = [];
  flows: Flow[] = [];

  find(spi: number): ModelSa | undefined {
    return this.sas.find(({ sa }) => sa.spi === spi);
  }
  remove(gone: ModelSa): void {
    this.sas = this.sas.filter((each) => each !== gone);
    for (const each of this.sas) if (each.outer === gone) each.outer = undefined;
  }
  add(sa: SaParameters, nowMs: number): Errno | undefined {
    if (this.find(sa.spi)) return "EEXIST";
    this.sas.push({ sa, state: "mature", addedMs: nowMs });
    return undefined;
  }
  update(sa: SaParameters, keys: boolean, nowMs: number): Errno | undefined {
    const found = this.find(sa.spi);
    if (!found) return "ESRCH";
    if (found.state === "larval") {
      if (!keys) return "EINVAL";
      this.remove(found);
      this.sas.push({ sa, state: "mature", addedMs: nowMs });
      return undefined;
    }
    if (keys) return "EINVAL";
    const given = (limit: typeof NONE, old: typeof NONE) => Object.values(limit).some(Boolean) ? limit : old;
    found.sa = { ...found.sa, hard: given(sa.hard, found.sa.hard), soft: given(sa.soft, found.sa.soft) };
    if (found.state === "dying" && nowMs < found.addedMs + 1000 * (found.sa.soft.addSeconds || Infinity)) {
      found.state = "mature";
    }
    return undefined;
  }
  group(first: number, second: number): Errno | undefined {
    const [inner, outer] = [this.find(first), this.find(second)];
    if (!inner || !outer || inner.state === "larval" || outer.state === "larval") return "ESRCH";
    for (let each: ModelSa | undefined = outer; each; each = each.outer) if (each === inner) return "ESRCH";
    for (const each of this.sas) if (each.outer === outer) each.outer = undefined;
    inner.outer = outer;
    return undefined;
  }
  tick(nowMs: number): void {
    for (const each of [...this.sas]) {
      const age = nowMs - each.addedMs;
      const { hard, soft } = each.sa;
      if (each.state === "larval") {
        if (age >= 60_000) this.remove(each);
      } else if (hard.addSeconds && age >= 1000 * hard.addSeconds) this.remove(each);
      else if (each.state === "mature" && soft.addSeconds && age >= 1000 * soft.addSeconds) each.state = "dying";
    }
  }
  addFlow(flow: Flow): undefined {
    const at = this.flows.findIndex((each) => selectorKey(each.selector) === selectorKey(flow.selector));
    if (at < 0) this.flows.push(flow);
    else if (!this.flows[at].static || flow.static) this.flows[at] = flow;
    return undefined;
  }
  deleteFlow(flow: Flow): Errno | undefined {
    const found = this.flows.find((each) => selectorKey(each.selector) === selectorKey(flow.selector));
    if (!found) return "ESRCH";
    if (!found.static || flow.static) this.flows = this.flows.filter((each) => each !== found);
    return undefined;
  }
}

/** What a datapath knows from effects alone. */
class Mirror {
  readonly sas = new Map<number, { spi: number; state: string; outer?: number }>();
  readonly flows = new Map<string, Flow>();

  take(effects: Effect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case "installSa":
          assert(!this.sas.has(effect.id));
          this.sas.set(effect.id, { spi: effect.sa.spi, state: "mature" });
          break;
        case "updateSa":
          this.sas.get(effect.id)!.state = effect.state;
          break;
        case "removeSa":
          assert(this.sas.delete(effect.id));
          break;
        case "link":
          this.sas.get(effect.inner)!.outer = effect.outer;
          break;
        case "addFlow": {
          const key = selectorKey(effect.flow.selector);
          assertEquals(this.flows.get(key), effect.replaced);
          this.flows.set(key, effect.flow);
          break;
        }
        case "removeFlow":
          assert(this.flows.delete(selectorKey(effect.flow.selector)));
          break;
        case "flush":
          this.sas.clear();
          this.flows.clear();
      }
    }
  }
}

function run(seed: number): void {
  const random = seeded(seed);
  const pick = (limit: number) => new DataView(random(4).buffer).getUint32(0) % limit;
  const h = new Harness({ random: seeded(seed + 1) }).client(1);
  const model = new Model();
  const mirror = new Mirror();
  const spi = () => 0x100 + pick(24);
  const aFlow = () =>
    flow(
      { static: pick(2) === 0, type: (["use", "require", "deny"] as const)[pick(3)] },
      `10.0.${pick(4)}.0/24`,
      `10.${pick(3)}.0.0/16`,
    );
  const anSa = () => {
    const soft = { ...NONE, addSeconds: pick(3) * 20 };
    return espSa({ spi: spi(), hard: { ...NONE, addSeconds: pick(3) * 50 }, soft });
  };
  for (let step = 0; step < STEPS; step++) {
    let got: Errno | undefined;
    let expected: Errno | undefined;
    const ask = (...request: Parameters<Harness["answer"]> extends [number, ...infer R] ? R : never) => {
      const answer = h.answer(1, ...request);
      mirror.take(h.effects);
      return answer;
    };
    switch (pick(12)) {
      case 0:
      case 1:
      case 2: {
        const sa = anSa();
        [got, expected] = [ask("ADD", "ESP", saExtensions(sa, true)).errno, model.add(sa, h.now)];
        break;
      }
      case 3: {
        const sa = anSa();
        const keys = pick(2) === 0;
        [got, expected] = [ask("UPDATE", "ESP", saExtensions(sa, keys)).errno, model.update(sa, keys, h.now)];
        break;
      }
      case 4: {
        const one = spi();
        const found = model.find(one);
        got = ask("DELETE", "ESP", identityExtensions(espSa({ spi: one }))).errno;
        if (found) model.remove(found);
        else expected = "ESRCH";
        break;
      }
      case 5: {
        const ends = {
          ADDRESS_SRC: { address: WEST, port: 0 },
          ADDRESS_DST: { address: espSa().destination, port: 0 },
        };
        const answer = ask("GETSPI", "ESP", { ...ends, SPIRANGE: { min: 0x100, max: 0x117 } });
        got = answer.errno;
        if (model.sas.length === 24) expected = "EEXIST";
        else {
          const one = answer.extensions.SA!.spi;
          assert(!model.find(one) && one >= 0x100 && one <= 0x117);
          model.sas.push({ sa: espSa({ spi: one }), state: "larval", addedMs: h.now });
        }
        break;
      }
      case 6: {
        const [first, second] = [spi(), spi()];
        got = ask("X_GRPSPIS", "ESP", pairExtensions(espSa({ spi: first }), espSa({ spi: second }))).errno;
        expected = model.group(first, second);
        break;
      }
      case 7:
      case 8: {
        const one = aFlow();
        [got, expected] = [ask("X_ADDFLOW", "ESP", flowExtensions(one)).errno, model.addFlow(one)];
        break;
      }
      case 9: {
        const one = aFlow();
        [got, expected] = [ask("X_DELFLOW", "ESP", flowExtensions(one, "delete")).errno, model.deleteFlow(one)];
        break;
      }
      case 10:
        h.tick(1 + pick(10));
        mirror.take(h.effects);
        model.tick(h.now);
        break;
      default:
        if (pick(20)) break;
        ask("FLUSH", "UNSPEC");
        model.sas = [];
        model.flows = [];
    }
    assertEquals(got, expected, `seed ${seed}, step ${step}`);
    assertEquals([h.engine.saCount, h.engine.flowCount], [model.sas.length, model.flows.length], `step ${step}`);
    if (step % 97) continue;
    compare(h, model, mirror);
  }
  compare(h, model, mirror);
}

function compare(h: Harness, model: Model, mirror: Mirror): void {
  const bySpi = <T extends { spi: number }>(rows: T[]) => rows.sort((a, b) => a.spi - b.spi);
  const engine = [...h.engine.sas()];
  assertEquals(
    bySpi(engine.map(({ sa, state }) => ({ spi: sa.spi, state }))),
    bySpi(model.sas.map(({ sa, state }) => ({ spi: sa.spi, state: state as string }))) as any,
  );
  const spiOf = new Map(engine.map(({ id, sa }) => [id, sa.spi]));
  assertEquals(
    bySpi([...mirror.sas.values()].map(({ spi, state, outer }) => ({ spi, state, outer: outer && spiOf.get(outer) }))),
    bySpi(
      model.sas.filter(({ state }) => state !== "larval").map(({ sa, state, outer }) => ({
        spi: sa.spi,
        state: state as string,
        outer: outer?.sa.spi,
      })),
    ),
  );
  const keyed = (flows: Iterable<Flow>) =>
    [...flows].map((flow) => [selectorKey(flow.selector), flow.type, flow.static]).sort();
  assertEquals(keyed(h.engine.flows()), keyed(model.flows));
  assertEquals(keyed(mirror.flows.values()), keyed(model.flows));
}

for (const seed of [1, 2, 3, 4]) {
  Deno.test(`${STEPS} random requests give what a naive model gives, seed ${seed}`, () => run(seed));
}
