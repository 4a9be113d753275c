// Many IKE initiators in one process, each with an address of its own, for bench/ike.ts. Prints one JSON line.
//
//   ike_load.ts PEER FIRST-ADDRESS COUNT PROPOSAL MODE SECONDS [UP-FILE]
//     PROPOSAL: names of an ISAKMP-transform and an IPsec-suite, joined by a comma
//     MODE: rate (as many negotiations as can be), single (one after the other), first (first messages only), hold (all of
//     them once, make UP-FILE, then answer what is asked)
import { parseIni } from "../lib/config/ini.ts";
import { resolveIsakmpdConf } from "../lib/config/isakmpd_conf.ts";
import { calculate } from "../lib/daemon/compute.ts";
import { monotonicMs, randomOctets } from "../lib/daemon/clock.ts";
import { addressOf, check, libc } from "../lib/ffi/libc.ts";
import { IN_PKTINFO, IOVEC, MSGHDR, OPTION } from "../lib/ffi/structs.ts";
import type { Effect } from "../lib/ike/events.ts";
import { Ike } from "../lib/ike/ike.ts";
import { type Address, address, formatAddress, parseAddress } from "../lib/ip/address.ts";
import { readSockaddr, writeIovec, writeMessage, writePacketInfo, writeSockaddr } from "../lib/linux/message.ts";
import { Readiness } from "../lib/linux/readiness.ts";
import { Receiver } from "../lib/linux/receive.ts";
import { openUdpSocket } from "../lib/linux/sockets.ts";
import { createArena } from "../lib/octets/arena.ts";
import { type Bytes, concat } from "../lib/octets/bytes.ts";

const [peerText, first, countText, proposal, mode, secondsText, upFile] = Deno.args;
const [count, seconds] = [Number(countText), Number(secondsText)];
const [transform, suite] = proposal.split(",");
const MARKER = new Uint8Array(4);
const NAT_PORT = 4500;
/** Negotiations under way at once. */
const CONCURRENCY = 64;

function nth(base: Address, n: number): Address {
  const view = new DataView(base.octets.slice().buffer);
  view.setUint32(0, view.getUint32(0) + n);
  return address(new Uint8Array(view.buffer));
}

const arena = createArena(48 << 20, addressOf);
const sendAt = arena.reserve(MSGHDR.octets), vectorAt = arena.reserve(IOVEC.octets), nameAt = arena.reserve(32);
const controlAt = arena.reserve(64), dataAt = arena.reserve(65536);

/** The two ports, each with everything that comes to any of our addresses. */
const ports = [500, NAT_PORT].map((port) => {
  const socket = openUdpSocket(4, port, { receiveOffload: false, bufferOctets: 8 << 20 })!;
  return { port, socket, receiver: new Receiver(arena, socket, { batch: 64, headroom: 0, tailroom: 0 }) };
});

function send(local: Address, port: number, remote: Address, remotePort: number, octets: Bytes): void {
  const marked = port === NAT_PORT ? concat(MARKER, octets) : octets;
  arena.u8.set(marked, dataAt);
  writeIovec(arena, vectorAt, dataAt, marked.length);
  writeMessage(arena, sendAt, {
    name: nameAt,
    nameOctets: writeSockaddr(arena, nameAt, remote, remotePort),
    iov: vectorAt,
    iovCount: 1,
    control: controlAt,
    controlOctets: writePacketInfo(arena, controlAt, local),
  });
  const { fd } = ports.find((one) => one.port === port)!.socket;
  check(libc().sendmsg(fd, arena.base + BigInt(sendAt | 0), 0), "send");
}

const conf = (own: string) =>
  `[Phase 1]
${peerText}=gw
[Phase 2]
Passive-connections=c
[gw]
Phase=1
Address=${peerText}
Local-address=${own}
Configuration=main
Authentication=mekmitasdigoat
[main]
EXCHANGE_TYPE=ID_PROT
Transforms=${transform}
[c]
Phase=2
ISAKMP-peer=gw
Configuration=quick
[quick]
EXCHANGE_TYPE=QUICK_MODE
Suites=${suite}
`;

/** One initiator. */
interface Client {
  readonly address: Address;
  readonly configuration: ReturnType<typeof resolveIsakmpdConf>["configuration"];
  ike: Ike;
  startedAt: number;
  spi: number;
}

const clients = Array.from({ length: count }, (_, n): Client => {
  const own = nth(parseAddress(first), n);
  const text = formatAddress(own);
  const { configuration } = resolveIsakmpdConf(parseIni(conf(text), text).tree, text);
  return { address: own, configuration, ike: new Ike(configuration, { random: randomOctets }), startedAt: 0, spi: 256 };
});
const byAddress = new Map(clients.map((client) => [formatAddress(client.address), client]));

const latencies: number[] = [];
const firstMessages: number[] = [];
let completed = 0, failed = 0;
const idle = [...clients];
let running = 0;
const begin = monotonicMs();
const isOver = () => mode !== "hold" && monotonicMs() - begin > 1000 * seconds;
/** How many may run at once. */
const limit = mode === "single" || mode === "first" ? 1 : CONCURRENCY;

function perform(client: Client, effects: readonly Effect[]): void {
  const now = monotonicMs();
  for (const effect of effects) {
    if (effect.type === "send") {
      send(effect.local.address, effect.local.port, effect.remote.address, effect.remote.port, effect.octets);
    } else if (
      effect.type === "compute" && (effect.task.op === "generateKeyPair" || effect.task.op === "sharedSecret")
    ) {
      perform(client, client.ike.onComputed(now, effect.id, { ok: true, value: calculate(effect.task) as Bytes }));
    } else if (effect.type === "reserveSpi") perform(client, client.ike.onSpi(now, effect.id, client.spi++));
    else if (effect.type === "outcome" && effect.outcome.phase === 2 && effect.outcome.result === "established") {
      done(client, true);
    } else if (effect.type === "outcome" && effect.outcome.result === "failed") {
      console.error(effect.outcome.text);
      done(client, false);
    }
  }
}

function done(client: Client, good: boolean): void {
  if (!client.startedAt) return;
  if (good) latencies.push(monotonicMs() - client.startedAt);
  client.startedAt = 0;
  running--;
  if (good) completed++;
  else failed++;
  if (mode !== "hold") idle.push(client);
  queueMicrotask(more);
}

function more(): void {
  while (running < limit && idle.length && !isOver()) {
    const client = idle.shift()!;
    running++;
    client.ike = new Ike(client.configuration, { random: randomOctets });
    client.startedAt = monotonicMs();
    perform(client, client.ike.connect(client.startedAt, "c").effects);
  }
}

function receive({ port, receiver }: typeof ports[number]): void {
  for (let received = receiver.receive(); received; received = receiver.receive()) {
    for (let i = 0; i < received; i++) {
      const info = receiver.control(i, OPTION.IP_PKTINFO);
      const from = readSockaddr(arena, receiver.nameAt(i));
      const at = info + IN_PKTINFO.at.destination;
      const to = info ? address(arena.u8.subarray(at, at + 4)) : undefined;
      const client = to && byAddress.get(formatAddress(to));
      if (!from || !to || !client) continue;
      let octets = arena.u8.slice(receiver.at(i), receiver.at(i) + receiver.octets(i)) as Bytes;
      if (port === NAT_PORT) octets = octets.slice(MARKER.length);
      if (mode === "first" && client.startedAt) {
        // Message 2: that is all that is wanted of this one.
        firstMessages.push(monotonicMs() - client.startedAt);
        client.startedAt = 0;
        idle.push(client);
        // Not faster than a daemon may think a flood.
        setTimeout(() => (running--, more()), 2);
        continue;
      }
      perform(
        client,
        client.ike.onDatagram(monotonicMs(), { address: from.address, port: from.port }, { address: to, port }, octets),
      );
    }
  }
}

const timer = setInterval(() => {
  const now = monotonicMs();
  for (const client of clients) {
    if ((client.ike.deadline() ?? Infinity) <= now) perform(client, client.ike.onTimer(now));
  }
  more();
}, 100);
const waits = ports.map(async (one) => {
  const readiness = new Readiness(one.socket.fd);
  while (await readiness.wait()) receive(one);
});
more();

const until = mode === "hold"
  ? async () => {
    while (completed + failed < count) await new Promise((resolve) => setTimeout(resolve, 50));
    console.log(JSON.stringify({ established: completed, failed, ms: monotonicMs() - begin }));
    Deno.writeTextFileSync(upFile, "");
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
  }
  : () => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
await until();
clearInterval(timer);
const elapsed = (monotonicMs() - begin) / 1000;
const middle = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1];
if (mode !== "hold") {
  console.log(JSON.stringify({
    completed,
    failed: mode === "first" ? 0 : failed,
    perSecond: completed / elapsed,
    medianMs: middle(latencies),
    firstMessageMs: middle(firstMessages),
  }));
}
void waits;
Deno.exit(0);
