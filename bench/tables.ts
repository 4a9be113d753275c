// Nanoseconds a packet takes from the device's buffer to the sender's queue among 1 to 100,000 SAs and flows, without any
// system call: to one flow, and to all in turn.
//   deno run -A bench/tables.ts [pairs ...]
// Run it on an idle machine. bench/scale measures the same with a network around it.
import { choosePacketCrypto } from "../lib/crypto/libcrypto.ts";
import { Outbound } from "../lib/datapath/outbound.ts";
import { createSums } from "../lib/datapath/sums.ts";
import { VNET_OCTETS } from "../lib/datapath/vnet.ts";
import { addressOf } from "../lib/ffi/address.ts";
import { parseAddress, parsePrefix } from "../lib/ip/address.ts";
import { Counters } from "../lib/ipsec/packet.ts";
import { createSa } from "../lib/ipsec/sa.ts";
import { Sad } from "../lib/ipsec/sad.ts";
import { Spd } from "../lib/ipsec/spd.ts";
import { NO_LIMIT, PROTOCOL } from "../lib/ipsec/types.ts";
import { createArena } from "../lib/octets/arena.ts";
import { median, table } from "./measure.ts";

const PACKETS = 200_000;
const BATCH = 32;
const ROUNDS = 5;
const OCTETS = 92; // 64 octets in UDP over IPv4

const [local, peer] = ["10.99.0.1", "10.99.0.2"].map(parseAddress);
const hostOf = (i: number) => `10.${128 + (i >> 16)}.${i >> 8 & 255}.${i & 255}`;

function measure(pairs: number): string[] {
  const arena = createArena(16 << 20, addressOf);
  const crypto = choosePacketCrypto(arena);
  const [sad, spd, counters] = [new Sad(), new Spd(), new Counters()];
  let sent = 0;
  const outbound = new Outbound<object>(arena, createSums(arena), { sad, spd, counters }, {
    sender: { packet: () => sent++, datagram: () => sent++, flush() {} },
    targetOf: () => ({}),
    tun: { write: (_, octets) => octets, writev: () => 0 },
    needsSa() {},
  });
  const key = new Uint8Array(20).map((_, i) => i * 7 + 1);
  for (let i = 0; i < pairs; i++) {
    sad.add(createSa(
      {
        protocol: PROTOCOL.ESP,
        spi: 0x1000 + i,
        source: local,
        destination: peer,
        encryption: "aes-gcm",
        encryptionKey: key,
        tunnel: true,
        oldHeader: false,
        halfIv: false,
        randomPadding: false,
        replayWindow: 0,
        udpPort: 4500,
        hard: NO_LIMIT,
        soft: NO_LIMIT,
      },
      crypto,
      arena,
    ));
    spd.add({
      selector: {
        source: parsePrefix(`10.99.0.1/32`),
        destination: parsePrefix(`${hostOf(i)}/32`),
        transport: 0,
        sourcePort: 0,
        destinationPort: 0,
        direction: "out",
      },
      type: "require",
      protocol: PROTOCOL.ESP,
      peer,
      local,
      spi: 0x1000 + i,
      static: true,
    });
  }
  const at = arena.reserve(2048);
  const { view, u8 } = arena;
  const packetAt = at + VNET_OCTETS;
  const prepare = (destination: number) => {
    u8.fill(0, at, packetAt + OCTETS);
    u8.set([0x45, 0, 0, OCTETS, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 99, 0, 1], packetAt);
    view.setUint32(packetAt + 16, (10 << 24 | 128 << 16) + destination);
    view.setUint16(packetAt + 20, 40000);
    view.setUint16(packetAt + 22, 7001);
    view.setUint16(packetAt + 24, OCTETS - 20);
  };
  const run = (spread: number): number => {
    const start = performance.now();
    for (let i = 0; i < PACKETS; i++) {
      prepare(i % spread);
      outbound.take(at, VNET_OCTETS + OCTETS, 0);
      if (i % BATCH === BATCH - 1) outbound.flush();
    }
    outbound.flush();
    return (performance.now() - start) * 1e6 / PACKETS;
  };
  run(pairs);
  const one = median(Array.from({ length: ROUNDS }, () => run(1)));
  const all = median(Array.from({ length: ROUNDS }, () => run(pairs)));
  if (sent === 0) throw new Error("nothing was sent");
  return [String(pairs), one.toFixed(0), all.toFixed(0)];
}

const sizes = Deno.args.length ? Deno.args.map(Number) : [1, 1000, 10_000, 100_000];
console.log(table(["SAs and flows", "ns, one flow", "ns, all flows"], sizes.map(measure)));
