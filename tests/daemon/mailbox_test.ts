import { assertEquals, assertThrows } from "@std/assert";
import { Mailbox, MAILBOX_OCTETS } from "../../lib/daemon/mailbox.ts";

Deno.test("values come out in order, whole, also across the ring's end", () => {
  const writer = new Mailbox();
  const reader = new Mailbox(writer.buffer);
  const value = (n: number) => ({ n, key: new Uint8Array(1000 + n % 77).fill(n), text: "x".repeat(n % 500) });
  let next = 0;
  for (let n = 0; n < 30000; n++) {
    assertEquals(writer.put(value(n)), true);
    // Read in bursts, so that the ring is sometimes fuller and positions pass its end many times.
    if (n % 100 === 99) { while (reader.pending) assertEquals(reader.take(), value(next++)); }
  }
  assertEquals(next, 30000);
  assertEquals(reader.pending, 0);
});

Deno.test("a full ring refuses without harm, and secrets do not stay in it", () => {
  const ring = new Mailbox();
  const secret = new Uint8Array(100000).fill(0xa5);
  let count = 0;
  while (ring.put(secret)) count++;
  for (let i = 0; i < count; i++) assertEquals((ring.take() as Uint8Array).length, 100000);
  assertEquals(ring.take(), undefined);
  assertEquals(new Uint8Array(ring.buffer, 8).includes(0xa5), false);
  assertThrows(() => ring.put(new Uint8Array(MAILBOX_OCTETS)), RangeError);
});
