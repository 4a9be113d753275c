import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { Mailbox, MAILBOX_OCTETS } from "../../lib/daemon/mailbox.ts";

Deno.test("values come out in order, whole, also across the ring's end", () => {
  const writer = new Mailbox();
  const reader = new Mailbox(writer.buffer);
  const value = (n: number) => ({ n, key: new Uint8Array(1000 + n % 77).fill(n), text: "x".repeat(n % 500) });
  let next = 0;
  for (let n = 0; n < 30000; n++) {
    assertEquals(writer.put(value(n)), true);
    // Read in bursts, so that the ring is sometimes fuller and positions pass its end many times.
    if (n % 50 === 49) { while (reader.pending) assertEquals(reader.take(), value(next++)); }
  }
  assertEquals(next, 30000);
  assertEquals(reader.pending, 0);
});

Deno.test("a full ring refuses without harm, and secrets do not stay in it", () => {
  const ring = new Mailbox();
  const secret = new Uint8Array(50000).fill(0xa5);
  let count = 0;
  while (ring.put(secret)) count++;
  for (let i = 0; i < count; i++) assertEquals((ring.take() as Uint8Array).length, 50000);
  assertEquals(ring.take(), undefined);
  assertEquals(new Uint8Array(ring.buffer, 8).includes(0xa5), false);
  assertThrows(() => ring.put(new Uint8Array(MAILBOX_OCTETS)), RangeError);
});

Deno.test("every plain value comes out as it went in, and equal addresses as one object", () => {
  const ring = new Mailbox();
  const v4 = () => ({ family: 4, octets: new Uint8Array([192, 0, 2, 200]) });
  const v6 = () => ({ family: 6, octets: new Uint8Array(16).fill(0xfe) });
  const value = {
    numbers: [0, -1, 2 ** 31 - 1, 2 ** 31, 0xffffffff, 1e300, 0.5, Infinity, -0],
    text: ["", "abc", "\u00e5\u{1f600}"],
    flags: [true, false, null, undefined],
    nested: { empty: {}, octets: new Uint8Array([1, 2, 3]) },
    addresses: [v4(), v4(), v6(), v6()],
    noAddress: { family: 4, octets: new Uint8Array(16) },
  };
  ring.put({ ...value, absent: undefined });
  const out = ring.take() as typeof value;
  assertEquals(out, value);
  assertStrictEquals(out.addresses[0], out.addresses[1]);
  assertStrictEquals(out.addresses[2], out.addresses[3]);
  assertThrows(() => ring.put(() => {}), RangeError);
  assertThrows(() => ring.put(1n), RangeError);
  assertEquals(ring.pending, 0);
});
