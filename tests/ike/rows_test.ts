import { assert, assertEquals } from "@std/assert";
import { faultsOfRows, type Row, ROWS, STATES } from "../../lib/ike/rows.ts";

const GOLDEN = new URL("../golden/ike_rows.txt", import.meta.url);

/** The table as text: a transition a paragraph. */
function describe({ exchange, as, at, receives, run, sends, then, to }: Row): string {
  const hash = (n?: number) => n ? `(${n})` : "";
  const message = (payloads: readonly string[], encrypted: unknown, n?: number) =>
    `${encrypted === true ? "*" : encrypted === "either" ? "[*]" : ""}${
      payloads.join(" ").replace("HASH", `HASH${hash(n)}`)
    }`;
  return [
    `${exchange} ${as}: ${at} -> ${to}`,
    receives &&
    `  <- ${message(receives.needs, receives.encrypted, receives.hash)}${
      receives.may.length ? ` (${receives.may.join(" ")})` : ""
    }`,
    run.length ? `  ${run.map(({ name }) => name).join(", ")}` : undefined,
    sends && `  -> ${message(sends.payloads, sends.encrypted, sends.hash)}   again: ${sends.again}`,
    then?.length ? `  then ${then.map(({ name }) => name).join(", ")}` : undefined,
  ].filter(Boolean).join("\n");
}

Deno.test("the table of exchanges is well-formed and every state has its story", () => {
  assertEquals(faultsOfRows(ROWS), []);
  for (const { at, to } of ROWS) assert(STATES[at] && STATES[to]);
});

Deno.test("the table of exchanges is the one that was reviewed (UPDATE_GOLDEN=1 writes it)", () => {
  const text = ROWS.map(describe).join("\n\n") + "\n";
  if (Deno.env.get("UPDATE_GOLDEN")) Deno.writeTextFileSync(GOLDEN, text);
  assertEquals(text, Deno.readTextFileSync(GOLDEN));
});

const changed = (index: number, change: Partial<Row>): Row[] =>
  ROWS.map((row, i) => i === index ? { ...row, ...change } : row);
const indexOf = (exchange: string, as: string, at: string) =>
  ROWS.findIndex((row) => row.exchange === exchange && row.as === as && row.at === at);

const BROKEN: readonly (readonly [string, () => Row[], string])[] = [
  ["a row that is there twice", () => [...ROWS, ROWS[0]], "is there twice"],
  ["a protected message in clear", () => {
    const i = indexOf("QUICK_MODE", "initiator", "START");
    return changed(i, { sends: { ...ROWS[i].sends!, encrypted: false } });
  }, "must be encrypted and begin with HASH"],
  ["a protected message without HASH", () => {
    const i = indexOf("INFO", "responder", "START");
    return changed(i, { receives: { ...ROWS[i].receives!, needs: ["NOTIFY"] } });
  }, "must be encrypted and begin with HASH"],
  ["a state that leads nowhere", () => changed(0, { to: "SENT_REQUEST" }), "which has no row"],
  ["a state that cannot be reached", () => {
    const i = indexOf("ID_PROT", "initiator", "SENT_SA");
    return changed(i, { to: "SENT_AUTH" });
  }, "cannot be reached"],
  ["a payload that the other side does not expect", () => {
    const i = indexOf("ID_PROT", "responder", "SENT_SA");
    return changed(i, { sends: { ...ROWS[i].sends!, payloads: ["KEY_EXCH", "NONCE", "DELETE"] } });
  }, "no row of the other party receives"],
  ["a payload that is missing", () => {
    const i = indexOf("ID_PROT", "responder", "SENT_SA");
    return changed(i, { sends: { ...ROWS[i].sends!, payloads: ["KEY_EXCH", "NONCE?"] } });
  }, "no row of the other party receives"],
  ["a responder that begins", () => {
    const i = indexOf("ID_PROT", "responder", "START");
    return changed(i, { receives: undefined });
  }, "a responder does not begin"],
  ["a row that leads to itself", () => changed(0, { to: "START" }), "leads nowhere"],
];
for (const [what, rows, complaint] of BROKEN) {
  Deno.test(`the table check finds ${what}`, () => {
    const faults = faultsOfRows(rows());
    assert(faults.some((fault) => fault.includes(complaint)), faults.join("\n"));
  });
}
