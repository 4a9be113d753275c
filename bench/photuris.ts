/**
 * Photuris exchanges a second, per scheme and modulus: six messages, both ends on one thread, without a network. The
 * responder is one host; every initiator is another, so that only the responder's exchange value is used again.
 *
 *     deno run -A bench/photuris.ts [--seconds N] [--json FILE]
 *
 * Below: Cookie_Requests answered a second (what a flood costs), and SPI_Updates made and taken a second (a renewal).
 */
import { parsePhoturisConf } from "../lib/config/photuris_conf.ts";
import { calculate } from "../lib/daemon/compute.ts";
import { monotonicMs, randomOctets } from "../lib/daemon/clock.ts";
import { type Address, address } from "../lib/ip/address.ts";
import type { Effect } from "../lib/photuris/effects.ts";
import { Photuris } from "../lib/photuris/endpoint.ts";
import { encodeMessage, PHOTURIS_PORT } from "../lib/photuris/messages.ts";
import { type Modulus, modulusBits, type OfferedScheme, SCHEMES } from "../lib/photuris/schemes.ts";
import { optionsOf } from "../scripts/options.ts";
import { secretBook, settingsOf } from "../tests/photuris/host.ts";

const options = optionsOf("bench/photuris.ts", { seconds: { value: 2, least: 0.1 } }, { json: "FILE" });
const durationMs = 1000 * options.seconds;
const shipped = Deno.readTextFileSync(new URL("../examples/photuris/etc/photuris.conf", import.meta.url));
const { moduli } = parsePhoturisConf(shipped.replaceAll(/^# (?=modulus)/gm, ""));
const book = secretBook(["host", "secret"], { host: "secret" });

let nextSpi = 0x100;
interface Peer {
  readonly core: Photuris;
  readonly at: { address: Address; port: number };
}

function peer(schemes: OfferedScheme[], number: number): Peer {
  const octets = new Uint8Array([10, number >> 16, number >> 8, number]);
  return {
    core: new Photuris(settingsOf({ schemes }, book), monotonicMs(), randomOctets),
    at: { address: address(octets), port: PHOTURIS_PORT },
  };
}

/** Performs effects at both ends until nothing is left; true when keys were established. */
function settle(one: Peer, other: Peer, first: Effect[]): boolean {
  let established = false;
  const queue: [Peer, Effect][] = first.map((effect) => [one, effect]);
  for (let next = queue.shift(); next; next = queue.shift()) {
    const [self, effect] = next;
    const far = self === one ? other : one;
    const now = monotonicMs();
    const more = (who: Peer, effects: Effect[]) => queue.push(...effects.map((each): [Peer, Effect] => [who, each]));
    if (effect.do === "send") more(far, far.core.receive(now, self.at, far.at, effect.datagram));
    else if (effect.do === "reserve") more(self, self.core.reserved(now, effect.token, nextSpi++));
    else if (effect.do === "outcome") established = effect.established;
    else if (effect.do === "compute" && effect.job.kind === "power") {
      const { base, modulus, exponent } = effect.job;
      const result = calculate({ op: "power", base, modulus, exponent: exponent.slice() }) as Uint8Array;
      more(self, self.core.computed(now, effect.token, result));
    }
  }
  return established;
}

/** How often `work` is done in a second. */
function rate(work: (count: number) => void): number {
  work(0);
  let count = 0;
  const start = monotonicMs();
  while (monotonicMs() < start + durationMs) work(++count);
  return count / (monotonicMs() - start) * 1000;
}

function exchangesPerSecond(scheme: number, group: Modulus): number {
  const row = SCHEMES.find(({ number }) => number === scheme)!;
  const [base] = row.refersTo;
  const schemes: OfferedScheme[] = base === undefined ? [{ scheme, group }] : [{ scheme }, { scheme: base, group }];
  let responder = peer(schemes, 0xffffff);
  return rate((count) => {
    // A host keeps its exchanges; a new one now and then keeps the memory small.
    if (count % 2000 === 1999) responder = peer(schemes, 0xffffff);
    const initiator = peer(schemes, count + 1);
    const request = { peer: responder.at, local: initiator.at };
    if (!settle(initiator, responder, initiator.core.start(monotonicMs(), request))) throw new Error("No keys");
  });
}

const group = (bits: number) => moduli.find((one) => modulusBits(one) === bits)!;
const NAMES = ["DH_G_2_MD5", "DH_G_2_DES_MD5", "DH_G_2_3DES_SHA1", "DH_G_VAR_MD5", "DH_G_VAR_3DES_SHA1"];
const sizes = moduli.map(modulusBits).sort((a, b) => a - b);
const results: Record<string, Record<string, number>> = {};
console.log(`exchanges/s        ${sizes.map((bits) => `${bits} bits`.padStart(10)).join("")}`);
for (const name of NAMES) {
  const { number } = SCHEMES.find((row) => row.name === name)!;
  results[name] = Object.fromEntries(sizes.map((bits) => [bits, exchangesPerSecond(number, group(bits))]));
  console.log(name.padEnd(19) + sizes.map((bits) => results[name][bits].toFixed(0).padStart(10)).join(""));
}

const schemes: OfferedScheme[] = [{ scheme: 8 }, { scheme: 2, group: group(2048) }, { scheme: 2, group: group(1024) }];
const host = peer(schemes, 1);
const cookies = rate((count) => {
  const octets = new Uint8Array([11, count >> 16, count >> 8, count]);
  const request = encodeMessage({
    name: "Cookie_Request",
    initiatorCookie: randomOctets(16),
    responderCookie: new Uint8Array(16),
    counter: 0,
  });
  host.core.receive(monotonicMs(), { address: address(octets), port: PHOTURIS_PORT }, host.at, request);
});
const renewals = Object.fromEntries([2, 8].map((scheme) => {
  const offers: OfferedScheme[] = scheme === 2 ? schemes.slice(1) : schemes;
  let [west, east] = [peer(offers, 1), peer(offers, 2)];
  let spi = 0;
  const perSecond = rate((count) => {
    if (count % 500 === 0) {
      [west, east] = [peer(offers, 1), peer(offers, 2)];
      spi = nextSpi;
      settle(west, east, west.core.start(monotonicMs(), { peer: east.at, local: west.at }));
    }
    const mine = west.core.expiring(monotonicMs(), { role: "owner", peer: east.at.address, spi });
    spi = nextSpi;
    settle(west, east, mine);
  });
  return [SCHEMES.find(({ number }) => number === scheme)!.name, perSecond];
}));
console.log(`\nCookie_Requests answered a second: ${cookies.toFixed(0)}`);
for (const [name, value] of Object.entries(renewals)) console.log(`renewals a second, ${name}: ${value.toFixed(0)}`);
if (options.json) {
  Deno.writeTextFileSync(
    options.json,
    JSON.stringify({ exchanges: results, cookies, renewals }, undefined, 2) + "\n",
  );
}
