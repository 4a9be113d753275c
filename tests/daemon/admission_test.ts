import { assert, assertEquals } from "@std/assert";
import { Admission } from "../../lib/daemon/admission.ts";
import { address, parseAddress } from "../../lib/ip/address.ts";

const first = new Uint8Array(28).fill(1, 0, 8);
const later = new Uint8Array(28).fill(1, 0, 16);

Deno.test("a flood of first messages leaves room for named peers and for everything that is no first message", () => {
  const admission = new Admission();
  const peer = parseAddress("192.0.2.7");
  admission.name([peer]);
  let admitted = 0;
  for (let i = 0; i < 100_000; i++) {
    const now = 1000 + i / 10; // 10,000 a second for ten seconds
    if (admission.admits(now, address(new Uint8Array([10, i >> 16, i >> 8 & 255, i & 255])), first)) admitted++;
    if (i % 1000 === 0) assert(admission.admits(now, peer, first), `the peer's first message at ${now} ms`);
    if (i % 1000 === 1) assert(admission.admits(now, parseAddress("198.51.100.1"), later));
  }
  assert(admitted > 15_000 && admitted < 25_000, `${admitted} of 100,000`);
  assertEquals(admission.refused, 100_000 - admitted);
});

Deno.test("one address has so many first messages a second, named or not", () => {
  const admission = new Admission();
  const [peer, stranger] = [parseAddress("192.0.2.7"), parseAddress("192.0.2.8")];
  admission.name([peer]);
  for (const from of [peer, stranger]) {
    const admitted = Array.from({ length: 1000 }, () => admission.admits(1000, from, first)).filter(Boolean).length;
    assertEquals(admitted, 50);
    assert(admission.admits(2000, from, first));
  }
});
