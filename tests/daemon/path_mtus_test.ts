import { assertEquals } from "@std/assert";
import { PathMtus } from "../../lib/daemon/path_mtus.ts";
import { parseAddress } from "../../lib/ip/address.ts";

const PEER = parseAddress("192.0.2.1");

Deno.test("what a router says lowers the path MTU for ten minutes, and never raises it", () => {
  let now = 0;
  const mtus = new PathMtus(() => 1500, () => now);
  assertEquals(mtus.of(PEER), 1500);
  assertEquals(mtus.heard(PEER, 1600), false);
  assertEquals(mtus.heard(PEER, 1300), true);
  assertEquals(mtus.heard(PEER, 1400), false);
  mtus.askAgain();
  assertEquals(mtus.of(PEER), 1300);
  now = 600_001;
  assertEquals(mtus.of(PEER), 1500);
});

Deno.test("the kernel is asked once in a while, and may have no answer", () => {
  let now = 0;
  const answers = [1500, undefined, 1400];
  const mtus = new PathMtus(() => answers.shift(), () => now);
  assertEquals([mtus.of(PEER), mtus.of(PEER)], [1500, 1500]);
  now = 6000;
  assertEquals(mtus.of(PEER), 0);
  mtus.askAgain();
  assertEquals(mtus.of(PEER), 1400);
  const unreachable = new PathMtus(() => {
    throw new Error("no route");
  }, () => now);
  assertEquals(unreachable.of(PEER), 0);
});

Deno.test("peers that are none any more are forgotten", () => {
  const mtus = new PathMtus(() => 1500, () => 0);
  const other = parseAddress("192.0.2.2");
  for (const peer of [PEER, other]) assertEquals(mtus.heard(peer, 1300), true);
  mtus.keepOnly([other]);
  assertEquals([mtus.of(PEER), mtus.of(other)], [1500, 1300]);
});

Deno.test("that the kernel has heard it first is news, too", () => {
  let now = 0;
  let kernel = 9000;
  const mtus = new PathMtus(() => kernel, () => now);
  assertEquals(mtus.of(PEER), 9000);
  now = 6000;
  kernel = 1500;
  assertEquals(mtus.heard(PEER, 1500), true);
  assertEquals([mtus.heard(PEER, 1500), mtus.of(PEER)], [false, 1500]);
});
