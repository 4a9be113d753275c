import { assertEquals } from "@std/assert";
import { FlowCache } from "../../lib/datapath/flow_cache.ts";
import { createTuple, TUPLE } from "../../lib/ip/tuple.ts";

function tupleOf(family: 4 | 6, flow: number, port = 0): Int32Array {
  const tuple = createTuple();
  tuple[TUPLE.FAMILY] = family;
  tuple[TUPLE.SOURCE] = 0x0a000001;
  tuple[TUPLE.DESTINATION + (family === 6 ? 3 : 0)] = flow;
  tuple[TUPLE.PROTOCOL] = 17;
  tuple[TUPLE.DESTINATION_PORT] = port;
  return tuple;
}

Deno.test("A flow cache gives what was stored last for just this tuple, salt and generation, or nothing", () => {
  const cache = new FlowCache<string>();
  const stored = new Map<string, string>();
  let state = 1, hits = 0;
  const below = (limit: number) => (state = Math.imul(state, 1103515245) + 12345 >>> 0) % 65521 % limit;
  // As many flows as rows, so that rows are shared, and generations beyond 32 bits.
  const generations = [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 7];
  for (let i = 0; i < 200_000; i++) {
    const [family, flow, port, salt] = [below(2) ? 4 : 6, below(50_000), below(3), below(2) - 1] as const;
    const generation = generations[below(generations.length)];
    const tuple = tupleOf(family as 4 | 6, flow, port);
    const key = `${tuple} ${salt} ${generation}`;
    const found = cache.find(tuple, salt, generation);
    if (found !== null) {
      hits++;
      assertEquals(found, stored.get(key));
    } else {
      stored.set(key, String(i));
      cache.store(tuple, salt, generation, String(i));
      assertEquals(cache.find(tuple, salt, generation), String(i));
    }
  }
  assertEquals(hits > 1_000, true, `${hits} hits`);
});

Deno.test("A flow cache keeps 10,000 flows, and forgets them all when the tables change", () => {
  const cache = new FlowCache<number>();
  for (let flow = 0; flow < 10_000; flow++) cache.store(tupleOf(4, flow), 0, 5, flow);
  let kept = 0;
  for (let flow = 0; flow < 10_000; flow++) kept += Number(cache.find(tupleOf(4, flow), 0, 5) === flow);
  assertEquals(kept > 9_900, true, `${kept} kept`);
  for (let flow = 0; flow < 10_000; flow++) assertEquals(cache.find(tupleOf(4, flow), 0, 6), null);
});
