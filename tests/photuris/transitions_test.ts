import { assert, assertEquals } from "@std/assert";
import { formatTable, type Row, ROWS, tableFaults } from "../../lib/photuris/transitions.ts";

const SNAPSHOT = new URL("./transitions.txt", import.meta.url);

Deno.test("The table of transitions is well formed", () => {
  assertEquals(tableFaults(ROWS), []);
});

Deno.test("The table of transitions is the one on record (tests/photuris/transitions.txt)", () => {
  assertEquals(formatTable() + "\n", Deno.readTextFileSync(SNAPSHOT));
});

Deno.test("A table with a missing, double, dead or dangling row is refused", () => {
  const without = (at: string, on: string) => ROWS.filter((row) => !(row.at === at && row.on === on));
  const faultsOf = (rows: readonly Row[]) => tableFaults(rows).join("\n");
  assert(faultsOf(without("IDENTITY_SENT", "exhausted")).includes("initiator IDENTITY_SENT: no row for exhausted"));
  assert(faultsOf(without("VALUE_ANSWERED", "expired")).includes("responder VALUE_ANSWERED: no row for expired"));
  assert(faultsOf(without("VALUE_SENT", "Value_Response")).includes("ESTABLISHED cannot be reached"));
  assert(faultsOf([...ROWS, ROWS[0]]).includes("a second row"));
  assert(faultsOf([...ROWS, { ...ROWS[0], as: "either" }]).includes("a second row"));
  assert(faultsOf([...ROWS, { ...ROWS[0], on: "Cookie_Request", to: [] }]).includes("leads nowhere"));
  assert(
    faultsOf([...ROWS, { ...ROWS[0], on: "Cookie_Request", to: ["LIMBO" as "ENDED"] }]).includes("no state LIMBO"),
  );
  assert(faultsOf([...ROWS, { ...ROWS[0], at: "ENDED" }]).includes("no state to leave"));
  assert(faultsOf([...ROWS, { ...ROWS[0], on: "Cookies" as "expired" }]).includes("no such trigger"));
});
