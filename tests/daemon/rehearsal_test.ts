import { assert, assertEquals } from "@std/assert";
import { createPacketTools, PacketLoop } from "../../lib/daemon/packet_loop.ts";
import type { Report, WorkerStart } from "../../lib/daemon/packet_orders.ts";
import { Rehearsal } from "../../lib/daemon/rehearsal.ts";
import { parseAddress } from "../../lib/ip/address.ts";
import { Counters } from "../../lib/ipsec/packet.ts";
import { NO_LIMIT, type SaParameters } from "../../lib/ipsec/types.ts";

const SA: SaParameters = {
  protocol: 50,
  spi: 0x2000,
  source: parseAddress("192.0.2.77"),
  destination: parseAddress("192.0.2.78"),
  encryption: "aes-gcm",
  encryptionKey: new Uint8Array(20).fill(7),
  tunnel: true,
  oldHeader: false,
  halfIv: false,
  randomPadding: false,
  replayWindow: 64,
  hard: NO_LIMIT,
  soft: NO_LIMIT,
};
const START: Omit<WorkerStart, "orders" | "counters" | "usage"> = {
  role: "both",
  tun: { fd: -1, udp: true },
  sockets: { protocols: [] },
  wakeFd: -1,
  libcrypto: "auto",
};

for (
  const [name, sa] of [
    ["in UDP, AES-GCM", { ...SA, udpPort: 4500 }],
    ["AES and SHA-1", {
      ...SA,
      encryption: "aes",
      encryptionKey: new Uint8Array(16),
      authentication: "sha1",
      authenticationKey: new Uint8Array(20),
    }],
  ] as const
) {
  Deno.test(`a rehearsal takes packets out and in again through an SA like the one that came (ESP ${name})`, () => {
    const encryptionKey = sa.encryptionKey!;
    const before = encryptionKey.slice();
    const reports: Report[] = [];
    let counters: Counters | undefined;
    const nothing = new SharedArrayBuffer(0);
    using rehearsal = new Rehearsal({ ...START, orders: nothing, counters: nothing, usage: nothing }, (start) => {
      counters = new Counters(start.counters);
      return new PacketLoop(start, (report) => reports.push(report), createPacketTools("auto"));
    });
    assertEquals(rehearsal.able, false);
    rehearsal.learn(sa);
    assert(rehearsal.able && rehearsal.learning);
    for (let i = 0; i < 6; i++) rehearsal.pass();
    // A TCP super-packet in three counts as three.
    const { inputPackets, outputPackets, ...others } = counters!.read(50);
    assertEquals([inputPackets, outputPackets], [10, 10]);
    assertEquals(Object.values(others).filter((value, i) => value && !/Octets$/.test(Object.keys(others)[i])), []);
    assertEquals(reports.filter(({ report }) => report !== "mtu"), []);
    assertEquals(encryptionKey, before, "the real SA's key is neither used nor erased");
    while (rehearsal.learning) rehearsal.pass();
    assert(rehearsal.hasLearnt() && !rehearsal.hasLearnt());
    rehearsal.learn({ ...sa, spi: 0x3000 });
    assertEquals(rehearsal.learning, false, "that kind is known");
  });
}
