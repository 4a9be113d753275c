/**
 * Small UDP packets at a chosen rate, by sendmmsg and recvmmsg, so that making and counting them costs little beside what
 * is measured. The receiver counts; the sender asks it through the same path, and looks for the highest rate that still
 * arrives.
 *
 *     deno run -A bench/packets.ts receive ADDRESS PORT
 *     deno run -A bench/packets.ts send SOURCE ADDRESS PORT [OCTETS]     prints PacketRates as JSON
 *     deno run -A bench/packets.ts spread SOURCE ADDRESS PORT COUNT RATE SECONDS     prints Spread as JSON
 *
 * `spread` sends to COUNT addresses from ADDRESS on, one after the other; RATE 0 is as fast as it can.
 */
import { addressOf, check, errnoView, libc } from "../lib/ffi/libc.ts";
import { ERRNO } from "../lib/ffi/errno.ts";
import { IOVEC, MMSGHDR, OPTION, SOCKADDR_IN, SOCKET } from "../lib/ffi/structs.ts";
import { parseAddress } from "../lib/ip/address.ts";
import { encodeSockaddr, writeIovec, writeMessage } from "../lib/linux/message.ts";
import { tryOption } from "../lib/linux/sockets.ts";
import { createArena } from "../lib/octets/arena.ts";

/** What the sender finds out. */
export interface PacketRates {
  /** Packets a second that arrive when they are sent as fast as one thread can, and how many it sends. */
  readonly flatOut: number;
  readonly offered: number;
  /** The most packets a second of which fewer than one in a hundred was lost. */
  readonly lossless: number;
}

/** What came of packets to many addresses. */
export interface Spread {
  readonly sent: number;
  readonly arrived: number;
  readonly seconds: number;
}

const BATCH = 64;
const BUFFER_OCTETS = 4 << 20;
/** First word of a datagram. */
const DATA = 0x64617461, ASK = 0x61736b21, TOLD = 0x746f6c64;
const MOST_LOSS = 0.01;
/** Seconds of a trial of the search; a burst that a queue swallows whole is no rate. */
const TRIAL_SECONDS = 0.5;
const FLAT_OUT_SECONDS = 1;
const ANSWER_MS = 200;
const QUESTIONS = 25;
/** MSG_WAITFORONE: do not wait for more once there is one. */
const WAIT_FOR_ONE = 0x10000;

const arena = createArena(1 << 20, addressOf);
const { base, i32 } = arena;
const messagesAt = arena.reserve(BATCH * MMSGHDR.octets);
const vectorsAt = arena.reserve(BATCH * IOVEC.octets);
const namesAt = arena.reserve(BATCH * SOCKADDR_IN.octets);
const dataAt = arena.reserve(BATCH * 2048);

/** Puts all messages in order again: the kernel writes lengths into them. */
function prepare(octets: number, withNames: boolean): void {
  for (let i = 0; i < BATCH; i++) {
    writeIovec(arena, vectorsAt + i * IOVEC.octets, dataAt + i * 2048, octets);
    writeMessage(arena, messagesAt + i * MMSGHDR.octets, {
      name: withNames ? namesAt + i * SOCKADDR_IN.octets : 0,
      nameOctets: withNames ? SOCKADDR_IN.octets : 0,
      iov: vectorsAt + i * IOVEC.octets,
      iovCount: 1,
    });
  }
}

function open(address: string, port: number): number {
  const { socket, bind } = libc();
  const fd = check(socket(SOCKET.AF_INET, SOCKET.SOCK_DGRAM | SOCKET.SOCK_CLOEXEC, 0), "open a UDP socket");
  for (const option of [OPTION.SO_RCVBUFFORCE, OPTION.SO_SNDBUFFORCE]) tryOption(fd, option, BUFFER_OCTETS);
  check(bind(fd, encodeSockaddr(parseAddress(address), port), SOCKADDR_IN.octets), `bind ${address} port ${port}`);
  return fd;
}

/** Counts datagrams of the newest run, and tells who asks. */
function receive(address: string, port: number): void {
  const { recvmmsg, sendmsg } = libc();
  const fd = open(address, port);
  prepare(2048, true);
  console.log("listening");
  let run = 0;
  let count = 0;
  for (;;) {
    const received = recvmmsg(fd, base + BigInt(messagesAt | 0), BATCH, WAIT_FOR_ONE, 0n);
    if (received < 0) {
      if (errnoView()[0] === ERRNO.EINTR) continue;
      check(received, "receive datagrams");
    }
    for (let i = 0; i < received; i++) {
      const at = dataAt + i * 2048;
      const message = messagesAt + i * MMSGHDR.octets;
      if (i32[at + 4 >> 2] !== run) {
        run = i32[at + 4 >> 2];
        count = 0;
      }
      if (i32[at >> 2] === DATA) count++;
      else if (i32[at >> 2] === ASK) {
        i32[at >> 2] = TOLD;
        i32[at + 8 >> 2] = count;
        writeIovec(arena, vectorsAt + i * IOVEC.octets, at, 16);
        sendmsg(fd, base + BigInt(message | 0), 0);
        writeIovec(arena, vectorsAt + i * IOVEC.octets, at, 2048);
      }
    }
  }
}

/** The first of many addresses, in host order, and how many there are; the port is that of all. */
interface Addresses {
  readonly first: number;
  readonly count: number;
  readonly port: number;
}

/** Sends for `seconds`; `rate` packets a second, or as fast as it goes. Answers how many went out, and in which time. */
function send(
  fd: number,
  run: number,
  octets: number,
  seconds: number,
  rate: number,
  to?: Addresses,
): { sent: number; took: number } {
  const { sendmmsg, poll } = libc();
  const { view } = arena;
  prepare(octets, to !== undefined);
  if (to) {
    for (let i = 0; i < BATCH; i++) {
      arena.u8.set(encodeSockaddr(parseAddress("0.0.0.0"), to.port), namesAt + i * SOCKADDR_IN.octets);
    }
  }
  for (let i = 0; i < BATCH; i++) {
    i32[dataAt + i * 2048 >> 2] = DATA;
    i32[dataAt + i * 2048 + 4 >> 2] = run;
  }
  let sent = 0;
  const start = performance.now();
  for (;;) {
    const elapsed = performance.now() - start;
    if (elapsed >= seconds * 1000) return { sent, took: elapsed / 1000 };
    let due = rate === Infinity ? BATCH : Math.floor(rate * elapsed / 1000) - sent;
    if (due <= 0) {
      poll(0n, 0, 1);
      continue;
    }
    while (due > 0) {
      const batch = Math.min(due, BATCH);
      if (to) {
        for (let i = 0; i < batch; i++) {
          const at = namesAt + i * SOCKADDR_IN.octets + SOCKADDR_IN.at.address;
          view.setUint32(at, to.first + (sent + i) % to.count);
        }
      }
      const done = sendmmsg(fd, base + BigInt(messagesAt | 0), batch, 0);
      if (done > 0) {
        sent += done;
        due -= done;
        continue;
      }
      const error = errnoView()[0];
      // A full queue of the device, or no buffer: the packet counts as lost by whoever had no room for it.
      if (error !== ERRNO.ENOBUFS && error !== ERRNO.EAGAIN && error !== ERRNO.EINTR) check(-1, "send datagrams");
      sent += 1;
      due -= 1;
    }
  }
}

/** Asks how many packets of a run have come. */
function ask(fd: number, run: number, to: Uint8Array<ArrayBuffer>): number {
  const { sendto, recvBuffer } = libc();
  const question = new Int32Array([ASK, run, 0, 0]);
  const answer = new Int32Array(4);
  for (let i = 0; i < QUESTIONS; i++) {
    sendto(fd, new Uint8Array(question.buffer), 16n, 0, to, to.length);
    while (recvBuffer(fd, new Uint8Array(answer.buffer), 16n, 0) > 0) {
      if (answer[0] === TOLD && answer[1] === run) return answer[2];
    }
  }
  throw new Error("The receiver does not answer");
}

const firstRun = () => Date.now() & 0x3fffffff;
/** What is still on its way when the last packet was sent arrives in this time. */
const SETTLE_MS = 50;

function spread(fd: number, to: Addresses, name: Uint8Array<ArrayBuffer>, rate: number, seconds: number): Spread {
  const run = firstRun();
  const { sent, took } = send(fd, run, 64, seconds, rate || Infinity, to);
  libc().poll(0n, 0, SETTLE_MS);
  return { sent, arrived: ask(fd, run, name), seconds: took };
}

function search(fd: number, octets: number, to: Uint8Array<ArrayBuffer>): PacketRates {
  let run = firstRun();
  const trial = (seconds: number, rate: number) => {
    const { sent, took } = send(fd, ++run, octets, seconds, rate);
    libc().poll(0n, 0, SETTLE_MS);
    const arrived = ask(fd, run, to);
    return { offered: sent / took, arrives: arrived / took, loss: 1 - arrived / sent };
  };
  trial(0.2, 10_000);
  const { offered, arrives: flatOut } = trial(FLAT_OUT_SECONDS, Infinity);
  let best = 0;
  let worst = Infinity;
  const passes = (rate: number): boolean => {
    const { arrives, loss } = trial(TRIAL_SECONDS, rate);
    if (loss < MOST_LOSS) best = Math.max(best, arrives);
    else worst = Math.min(worst, rate);
    return loss < MOST_LOSS;
  };
  // From where overload ended up towards the edge, then closer to it.
  let rate = flatOut;
  if (passes(rate)) { while (rate < 1.2 * offered && passes(rate *= 1.25)); }
  else while (rate > 1000 && !passes(rate *= 0.75));
  for (let i = 0; i < 2 && worst < Infinity && best > 0; i++) passes((best + worst) / 2);
  return { flatOut, offered, lossless: best };
}

if (import.meta.main) {
  const [what, ...words] = Deno.args;
  const [source, first, port, ...rest] = words;
  if (what === "receive" && words.length === 2) receive(words[0], Number(words[1]));
  else if (what === "send" && words.length >= 3 || what === "spread" && words.length === 6) {
    const fd = open(source, 0);
    const wait = new Uint8Array(new BigInt64Array([0n, BigInt(ANSWER_MS * 1000)]).buffer);
    check(libc().setsockopt(fd, ...OPTION.SO_RCVTIMEO, wait, 16), "set SO_RCVTIMEO");
    const { octets } = parseAddress(first);
    const to = encodeSockaddr(parseAddress(first), Number(port));
    if (what === "send") {
      check(libc().connect(fd, to, SOCKADDR_IN.octets), `connect to ${first}`);
      console.log(JSON.stringify(search(fd, Number(rest[0] ?? 64), to)));
    } else {
      const [count, rate, seconds] = rest.map(Number);
      const addresses = {
        first: new DataView(octets.buffer, octets.byteOffset).getUint32(0),
        count,
        port: Number(port),
      };
      console.log(JSON.stringify(spread(fd, addresses, to, rate, seconds)));
    }
  } else {
    console.error("usage: packets.ts receive ADDRESS PORT | send SOURCE ADDRESS PORT [OCTETS]");
    console.error("       packets.ts spread SOURCE ADDRESS PORT COUNT RATE SECONDS");
    Deno.exit(2);
  }
}
