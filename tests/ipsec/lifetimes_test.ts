import { assertEquals, assertThrows } from "@std/assert";
import { isJudgedByUse, mayBecome, nextLimitMs, passedLimit, setState, type Usage } from "../../lib/ipsec/lifetimes.ts";
import { type Lifetime, NO_LIMIT, type SaState } from "../../lib/ipsec/types.ts";
import { bench, counting } from "./support.ts";

const STATES: SaState[] = ["larval", "mature", "dying", "dead"];
const USED: Usage = { allocations: 3, bytes: 1000, addedMs: 100_000, firstUsedSeconds: 150, sequence: 9 };

Deno.test("The life of an SA goes from larval to dead; only dying can be taken back", () => {
  const allowed = STATES.flatMap((from) => STATES.filter((to) => mayBecome(from, to)).map((to) => `${from} ${to}`));
  assertEquals(allowed, [
    "larval mature",
    "larval dead",
    "mature dying",
    "mature dead",
    "dying mature",
    "dying dead",
  ]);
});

Deno.test("A state decides whether packets may use the SA; an impossible change is refused and changes nothing", () => {
  const sa = bench().sa({ encryption: "aes-gcm", encryptionKey: counting(0, 20) });
  setState(sa, "dying");
  assertEquals(sa.usable, true);
  setState(sa, "dead");
  assertEquals(sa.usable, false);
  assertThrows(() => setState(sa, "mature"), RangeError, "it is dead");
  assertEquals([sa.state, sa.usable], ["dead", false]);
});

const limit = (more: Partial<Lifetime>): Lifetime => ({ ...NO_LIMIT, ...more });
const passed = (
  hard: Partial<Lifetime>,
  soft: Partial<Lifetime>,
  state: SaState = "mature",
  now = 200,
  usage = USED,
) => {
  const found = passedLimit({ hard: limit(hard), soft: limit(soft) }, state, usage, 1000 * now);
  return found && `${found.kind} ${found.limit}`;
};

Deno.test("Each limit is passed when it is reached, not before", () => {
  const rows: [Partial<Lifetime>, Partial<Lifetime>, string][] = [
    [{ allocations: 3 }, { allocations: 4 }, "allocations"],
    [{ bytes: 1000 }, { bytes: 1001 }, "bytes"],
    [{ addSeconds: 100 }, { addSeconds: 101 }, "add time"],
    [{ useSeconds: 50 }, { useSeconds: 51 }, "use time"],
  ];
  for (const [reached, ahead, name] of rows) {
    assertEquals(passed(reached, {}), `hard ${name}`);
    assertEquals(passed({}, reached), `soft ${name}`);
    assertEquals(passed(ahead, ahead), undefined, name);
  }
});

Deno.test("0 is no limit; use time starts with the first use", () => {
  assertEquals(passed({}, {}, "mature", 1e9), undefined);
  assertEquals(passed({ useSeconds: 1 }, {}, "mature", 1e9, { ...USED, firstUsedSeconds: 0 }), undefined);
});

Deno.test("A hard limit comes before a soft one; a soft one counts once", () => {
  assertEquals(passed({ bytes: 900 }, { allocations: 1 }), "hard bytes");
  assertEquals(passed({ bytes: 2000 }, { bytes: 500 }, "dying"), undefined);
  assertEquals(passed({ bytes: 900 }, { bytes: 500 }, "dying"), "hard bytes");
  for (const state of ["larval", "dead"] as const) assertEquals(passed({ bytes: 1 }, { bytes: 1 }, state), undefined);
});

Deno.test("Used-up sequence numbers end an SA; that they run short asks for a new one", () => {
  assertEquals(passed({}, {}, "mature", 200, { ...USED, sequence: 0xffffffff }), "hard sequence numbers");
  assertEquals(passed({}, {}, "mature", 200, { ...USED, sequence: 0xfff00000 }), "soft sequence numbers");
  assertEquals(passed({}, {}, "dying", 200, { ...USED, sequence: 0xfff00000 }), undefined);
  assertEquals(passed({}, {}, "mature", 200, { ...USED, sequence: 0xffefffff }), undefined);
});

Deno.test("The clock alone is waited for until the nearest limit that still counts, and has then passed it", () => {
  const limits = { hard: limit({ addSeconds: 100 }), soft: limit({ useSeconds: 40, addSeconds: 95 }) };
  const odd = { ...USED, addedMs: 100_000.7 };
  assertEquals(nextLimitMs(limits, "mature", odd), 190_000);
  assertEquals(nextLimitMs(limits, "dying", odd), 200_000.7);
  assertEquals(passedLimit(limits, "dying", odd, nextLimitMs(limits, "dying", odd))?.limit, "add time");
  assertEquals(nextLimitMs({ hard: NO_LIMIT, soft: NO_LIMIT }, "mature", odd), Infinity);
});

Deno.test("Use matters to exactly those SAs whose limits or sequence numbers it can reach", () => {
  const unused: Usage = { ...USED, allocations: 0, bytes: 0, firstUsedSeconds: 0, sequence: 0 };
  const used: Usage = { ...USED, allocations: 1e9, bytes: 1e12, firstUsedSeconds: 150 };
  const names = ["allocations", "bytes", "addSeconds", "useSeconds"] as const;
  for (let given = 0; given < 256; given++) {
    const [hard, soft] = [given, given >> 4].map((bits) =>
      limit(Object.fromEntries(names.map((name, n) => [name, bits >> n & 1 ? [5, 5, 400, 40][n] : 0])))
    );
    for (const sequence of [9, 0xffefffff, 0xfff00000, 0xffffffff]) {
      const outcomes = [unused, { ...used, sequence }].map((usage) => [
        passedLimit({ hard, soft }, "mature", usage, 120_000)?.limit,
        nextLimitMs({ hard, soft }, "mature", usage),
      ]);
      const differs = JSON.stringify(outcomes[0]) !== JSON.stringify(outcomes[1]);
      assertEquals(isJudgedByUse({ hard, soft }, sequence), differs, `${given} ${sequence}`);
    }
  }
});
