/**
 * The datapath beside its peers in one run: plain veth, strongSwan's libipsec, wireguard-go, OpenVPN, and ours with ESP in
 * UDP, raw ESP and AH. Everything alternates, so that a machine that is busy for a while is busy for all of them.
 *
 *     bench/peers [--rounds N] [--seconds N] [--only WORD] [--json FILE]
 *
 * `--only` takes the ways whose name holds WORD, and those that they are compared with.
 */
import { megabits, SIZES, subjects } from "../lib/cli/bench/crypto.ts";
import { choosePacketCrypto } from "../lib/crypto/libcrypto.ts";
import { addressOf } from "../lib/ffi/address.ts";
import { createArena } from "../lib/octets/arena.ts";
import { optionsOf } from "../scripts/options.ts";
import { ensurePackages } from "../scripts/packages.ts";
import { waitFor } from "../tests/netns/topology.ts";
import {
  machine,
  median,
  pack,
  packetRates,
  peakRssMiB,
  roundTrips,
  table,
  tcp,
  type Throughput,
  type Trips,
  twoHosts,
} from "./measure.ts";
import type { PacketRates } from "./packets.ts";
import { type Ends, INNER, type Way, WAYS } from "./tunnels.ts";

/** What one round finds out of one way. */
interface Result {
  readonly idle: Trips;
  readonly one: Throughput;
  readonly four?: Throughput;
  readonly both?: Throughput;
  readonly packets?: PacketRates;
  readonly peakRssMiB: number;
  /** What libcrypto alone would allow on one core. */
  readonly limitMbits?: number;
}

const PLAIN = "veth alone";
const GCM = "ESP-UDP aes-128-gcm";
const BARE = "ESP-UDP without cipher";
/** A ping of the idle tunnel is not to hit code that is being compiled. */
const WARM_UP_PINGS = 50;

const CRYPTO_MS = 15;

/** Nanoseconds that one end spends in libcrypto on a full packet, sealing and opening, by algorithm. */
function cryptoCosts(): Map<string, readonly [seal: number, open: number]> {
  const wanted = new Set(WAYS.flatMap(({ crypto }) => crypto ?? []));
  const arena = createArena(1 << 16, addressOf);
  const chosen = [...subjects(choosePacketCrypto(arena), arena, CRYPTO_MS)].filter(({ name }) => wanted.has(name));
  return new Map(chosen.map(({ name, run }) => {
    const { sealNs, openNs } = run();
    return [name, [sealNs[1], openNs[1]]];
  }));
}

/** Megabits a second that one core could do if it did nothing but the cryptography of a way. */
function cryptoLimit({ crypto }: Way, costs: ReturnType<typeof cryptoCosts>): number | undefined {
  if (!crypto) return undefined;
  const ends = [0, 1].map((end) => crypto.reduce((sum, name) => sum + costs.get(name)![end], 0));
  return megabits(SIZES[1], Math.max(...ends));
}

async function measure(ends: Ends, way: Way, seconds: number, limitMbits: number | undefined): Promise<Result> {
  const { name, start, streams, packets } = way;
  const { a, b } = ends;
  const tunnel = await start(ends);
  const answers = async () => (await a.ping(INNER.b, { source: INNER.a })).received === 1;
  await waitFor(answers, `${name} to carry a packet`, 20_000);
  const run = (...words: string[]) =>
    tcp(a, b, INNER.b, "eth0", tunnel.pids, { seconds, args: ["-B", INNER.a, ...words], pingFrom: INNER.a });
  await roundTrips(a, INNER.b, WARM_UP_PINGS, INNER.a);
  const result = {
    limitMbits,
    idle: await roundTrips(a, INNER.b, 150, INNER.a),
    one: await run(),
    four: streams ? await run("-P", "4") : undefined,
    both: streams ? await run("--bidir") : undefined,
    packets: packets ? await packetRates(a, b, INNER.a, INNER.b) : undefined,
    peakRssMiB: Math.max(0, ...tunnel.pids.map(peakRssMiB)),
  };
  await tunnel.stop();
  return result;
}

/** Median over the rounds of what `pick` takes from each; undefined where a round has none. */
function mid(results: readonly Result[] | undefined, pick: (result: Result) => number | undefined): number | undefined {
  const values = (results ?? []).map(pick).filter((value) => value !== undefined);
  return values.length ? median(values) : undefined;
}

const words = (value: number | undefined, digits = 0) => value === undefined ? "" : value.toFixed(digits);
const quotient = (value: number | undefined, by: number | undefined) =>
  value === undefined || by === undefined ? undefined : value / by;

function report(ways: readonly Way[], results: ReadonlyMap<string, readonly Result[]>) {
  const of = (name: string | undefined, pick: (result: Result) => number | undefined) =>
    name === undefined ? undefined : mid(results.get(name), pick);
  const mbits = (pick: (result: Result) => Throughput | undefined) => (result: Result) => pick(result)?.mbits;
  const one = mbits((result) => result.one),
    four = mbits((result) => result.four),
    both = mbits((result) => result.both);
  const idle = (result: Result) => result.idle.median;
  const medians = ways.map(({ name, peer }) => ({
    name,
    peer,
    mbits: of(name, one),
    timesPeer: quotient(of(name, one), of(peer, one)),
    ofVeth: quotient(of(name, one), of(PLAIN, one)),
    ofCrypto: quotient(of(name, one), of(name, (result) => result.limitMbits)),
    cpuPerGbit: of(name, (result) => result.one.cpuPerGbit),
    addedMs: results.has(PLAIN) ? (of(name, idle) ?? 0) - (of(PLAIN, idle) ?? 0) : of(name, idle),
    idleMostMs: of(name, (result) => result.idle.most),
    besideMs: of(name, (result) => result.one.beside?.median),
    besideMostMs: of(name, (result) => result.one.beside?.most),
    lossless: of(name, (result) => result.packets?.lossless),
    flatOut: of(name, (result) => result.packets?.flatOut),
    peakRssMiB: of(name, (result) => result.peakRssMiB),
    fourMbits: of(name, four),
    bothMbits: of(name, both),
  }));
  const cipher = quotient(of(GCM, one), of(BARE, one));
  return { medians, ofOwnWithoutCipher: cipher };
}

const { rounds, seconds, only = "", json: file } = optionsOf("bench/peers", {
  rounds: { value: 3, least: 1 },
  seconds: { value: 4, least: 1 },
}, { only: "WORD", json: "FILE" });
const asked = WAYS.filter(({ name }) => name.includes(only));
if (asked.length === 0) {
  console.error(`bench/peers: no way has ${only} in its name; there are ${WAYS.map(({ name }) => name).join(", ")}`);
  Deno.exit(2);
}
const ways = WAYS.filter((way) =>
  asked.includes(way) || way.name === PLAIN || asked.some(({ peer }) => peer === way.name)
);

const started = performance.now();
await ensurePackages("bench");
await pack();
await using net = await twoHosts("peers");
const ends: Ends = { a: net.host("a"), b: net.host("b") };
await ends.a.exec(`ip addr add ${INNER.a}/32 dev lo`);
await ends.b.exec(`ip addr add ${INNER.b}/32 dev lo`);
const results = new Map<string, Result[]>();
for (let round = 0; round < rounds; round++) {
  const costs = cryptoCosts();
  for (const way of ways) {
    const result = await measure(ends, way, seconds, cryptoLimit(way, costs));
    results.set(way.name, [...results.get(way.name) ?? [], result]);
    console.error(
      `${((performance.now() - started) / 1000).toFixed(0).padStart(4)} s  round ${round + 1}  ${way.name}: ` +
        `${result.one.mbits.toFixed(0)} Mbit/s`,
    );
  }
}

const { medians, ofOwnWithoutCipher } = report(ways, results);
const minutes = (performance.now() - started) / 60_000;
console.log(`${machine()}; medians of ${rounds} alternating rounds of ${seconds} s, ${minutes.toFixed(1)} minutes`);
console.log("\nOne TCP stream; CPU of both ends; round trips of pings every 10 ms, alone and beside the stream\n");
console.log(table(
  [
    "",
    "Mbit/s",
    "x peer",
    "of veth",
    "of libcrypto",
    "CPU s/Gbit",
    "added ms",
    "99 % ms",
    "beside ms",
    "99 % ms",
    "peak RSS MiB",
  ],
  medians.map((row) => [
    row.name,
    words(row.mbits),
    words(row.timesPeer, 1),
    words(row.ofVeth, 2),
    words(row.ofCrypto, 2),
    words(row.cpuPerGbit, 2),
    row.name === PLAIN ? "-" : words(row.addedMs, 2),
    words(row.idleMostMs, 2),
    words(row.besideMs, 2),
    words(row.besideMostMs, 1),
    words(row.peakRssMiB),
  ]),
));
console.log("\nSeveral TCP streams, Mbit/s\n");
console.log(table(
  ["", "one", "four", "x one", "both directions", "x one"],
  medians.filter(({ fourMbits }) => fourMbits !== undefined).map((row) => [
    row.name,
    words(row.mbits),
    words(row.fourMbits),
    words(quotient(row.fourMbits, row.mbits), 2),
    words(row.bothMbits),
    words(quotient(row.bothMbits, row.mbits), 2),
  ]),
));
console.log("\nUDP packets of 64 octets, thousands a second\n");
console.log(table(
  ["", "loss under 1 %", "x peer", "arrive when sent flat out"],
  medians.filter(({ lossless }) => lossless !== undefined).map((row) => [
    row.name,
    words(quotient(row.lossless, 1000)),
    words(quotient(row.lossless, medians.find(({ name }) => name === row.peer)?.lossless), 1),
    words(quotient(row.flatOut, 1000)),
  ]),
));
if (ofOwnWithoutCipher !== undefined) {
  console.log(
    `\nWith AES-128-GCM ours reaches ${(100 * ofOwnWithoutCipher).toFixed(0)} % of itself without the cipher`,
  );
}
if (file) {
  const json = { machine: machine(), rounds, seconds, minutes, medians, ofOwnWithoutCipher, results: [...results] };
  await Deno.writeTextFile(file, JSON.stringify(json, undefined, 2) + "\n");
}
