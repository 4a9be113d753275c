import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { address, parseAddress } from "../../lib/ip/address.ts";
import {
  AnswerLimit,
  type CookieBinding,
  isZero,
  nextCounter,
  randomCookie,
  ResponderCookies,
} from "../../lib/photuris/cookies.ts";
import { SeededRandom } from "../simulation/network.ts";

const BINDING: CookieBinding = {
  peer: parseAddress("192.0.2.1"),
  local: parseAddress("192.0.2.2"),
  localPort: 468,
  counter: 1,
  initiatorCookie: new Uint8Array(16).fill(1),
  offeredSchemes: new Uint8Array([0, 2, 0, 0]),
};
const cookies = () => new ResponderCookies(0, new SeededRandom(1).octets);

Deno.test("A cookie is recognised by what it was made of, and by nothing else", () => {
  const jar = cookies();
  const cookie = jar.make(0, BINDING);
  assert(jar.recognise(1, BINDING, cookie));
  const others: Partial<CookieBinding>[] = [
    { peer: parseAddress("192.0.2.3") },
    { peer: parseAddress("2001:db8::1") },
    { local: parseAddress("192.0.2.3") },
    { localPort: 469 },
    { counter: 2 },
    { initiatorCookie: new Uint8Array(16).fill(2) },
    { offeredSchemes: new Uint8Array([0, 2, 0, 1]) },
  ];
  for (const other of others) assert(!jar.recognise(1, { ...BINDING, ...other }, cookie), Object.keys(other)[0]);
  assert(!jar.recognise(1, BINDING, cookie.with(15, cookie[15] ^ 1)));
  assert(!jar.recognise(1, BINDING, new Uint8Array(16)));
  assert(!cookies().recognise(1, BINDING, new Uint8Array(cookie.subarray(1))));
});

Deno.test("The secret changes every minute; a cookie lives one to two minutes", () => {
  const jar = cookies();
  const early = jar.make(0, BINDING);
  const late = jar.make(59_000, BINDING);
  assertEquals(early, late);
  assert(jar.recognise(60_000, BINDING, late));
  assertNotEquals(jar.make(60_001, BINDING), late);
  assert(jar.recognise(119_000, BINDING, late));
  assert(!jar.recognise(120_001, BINDING, late));
});

Deno.test("After a long pause no older cookie is honoured", () => {
  const jar = cookies();
  const cookie = jar.make(0, BINDING);
  assert(!jar.recognise(1_000_000, BINDING, cookie));
});

Deno.test("An initiator's cookie is random and never zero", () => {
  let calls = 0;
  const cookie = randomCookie((octets) => new Uint8Array(octets).fill(calls++ ? 5 : 0));
  assert(!isZero(cookie));
  assertEquals(calls, 2);
});

Deno.test("A Counter follows the latest, wraps past zero and skips those in use", () => {
  assertEquals(nextCounter(0, new Set()), 1);
  assertEquals(nextCounter(7, new Set([8, 9])), 10);
  assertEquals(nextCounter(255, new Set()), 1);
  assertEquals(nextCounter(254, new Set([255, 1])), 2);
  assertEquals(nextCounter(3, new Set(Array.from({ length: 255 }, (_, at) => at + 1))), undefined);
});

Deno.test("One source gets eight answers a second, a thousand sources get theirs", () => {
  const random = new SeededRandom(3);
  const limit = new AnswerLimit(random.octets);
  const source = parseAddress("198.51.100.1");
  assertEquals(Array.from({ length: 20 }, () => limit.allows(5_000, source)).filter(Boolean).length, 8);
  assert(limit.allows(6_000, source));
  let answered = 0;
  for (let at = 0; at < 1000; at++) if (limit.allows(7_000, address(random.octets(4)))) answered++;
  assertEquals(answered, 1000);
});
