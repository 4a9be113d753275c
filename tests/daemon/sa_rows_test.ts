import { assertEquals, assertMatch } from "@std/assert";
import { SaRows } from "../../lib/daemon/sa_rows.ts";
import { COUNTER_OCTETS } from "../../lib/ipsec/sa.ts";
import { NO_LIMIT } from "../../lib/ipsec/types.ts";
import { bench, counting, ipPacket } from "../ipsec/support.ts";

const PACKET = ipPacket({ source: "10.9.0.1", destination: "10.9.0.2" });

/** An SA that counts in the row that `rows` gives it, as a Worker makes it. */
function counted(rows: SaRows, id: number, bytes = 0): { send(): string } {
  const b = bench();
  const countersAt = rows.assign(id) * COUNTER_OCTETS / 8;
  const sa = b.sa({ encryption: "aes-gcm", encryptionKey: counting(0, 20), hard: { ...NO_LIMIT, bytes } }, {
    counters: new Float64Array(rows.memory),
    countersAt,
  });
  return { send: () => b.wrap(sa, PACKET) };
}

Deno.test("Each SA counts in its own row; what has changed is told once", () => {
  const rows = new SaRows();
  const [first, second] = [counted(rows, 7), counted(rows, 8)];
  first.send();
  first.send();
  second.send();
  assertEquals(rows.changes().map(([id, { packets, bytes }]) => [id, packets, bytes]), [
    [7, 2, 2 * PACKET.length],
    [8, 1, PACKET.length],
  ]);
  assertEquals(rows.changes(), []);
  assertEquals(rows.usage(7)!.sequence, 2);
  assertEquals(rows.usage(9), undefined);
});

Deno.test("A row that is given to another SA starts empty, and is not used up for the one that a Worker still has", () => {
  const rows = new SaRows();
  const old = counted(rows, 7);
  old.send();
  rows.release(7);
  rows.assign(8);
  assertEquals(rows.usage(7), undefined);
  assertEquals(rows.usage(8)!.packets, 0);
  assertMatch(old.send(), /^45/);
});

Deno.test("An SA's limit is its own, whatever the row's last SA had", () => {
  const rows = new SaRows();
  counted(rows, 7, 1);
  rows.release(7);
  const unlimited = counted(rows, 8);
  for (let i = 0; i < 3; i++) assertMatch(unlimited.send(), /^45/);
  rows.release(8);
  const limited = counted(rows, 9, PACKET.length);
  assertMatch(limited.send(), /^45/);
  assertEquals(limited.send(), "expired");
});
