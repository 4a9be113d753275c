// Floods a responder with first messages of Main Mode from random addresses of 10.50.0.0/16, which the host must have as
// its own (ip route add local). Run inside the namespace: ike_flood.ts VICTIM PER-SECOND SECONDS. Prints how many were sent.
import { parseIni } from "../../lib/config/ini.ts";
import { resolveIsakmpdConf } from "../../lib/config/isakmpd_conf.ts";
import { randomOctets } from "../../lib/daemon/clock.ts";
import { addressOf, libc } from "../../lib/ffi/libc.ts";
import { IOVEC, MSGHDR } from "../../lib/ffi/structs.ts";
import { Ike } from "../../lib/ike/ike.ts";
import { address, parseAddress } from "../../lib/ip/address.ts";
import { writeIovec, writeMessage, writePacketInfo, writeSockaddr } from "../../lib/linux/message.ts";
import { openUdpSocket } from "../../lib/linux/sockets.ts";
import { createArena } from "../../lib/octets/arena.ts";

const [victim, rate, seconds] = [Deno.args[0], Number(Deno.args[1]), Number(Deno.args[2])];
const conf = `[Phase 1]\n${victim}=p\n[p]\nPhase=1\nAddress=${victim}\nLocal-address=10.50.0.1\nConfiguration=main\n` +
  "Authentication=x\n[main]\nEXCHANGE_TYPE=ID_PROT\nTransforms=AES-128-SHA2-256-GRP19\n[c]\nPhase=2\nISAKMP-peer=p\n";
const { configuration } = resolveIsakmpdConf(parseIni(conf, "flood").tree, "flood");
const first = new Ike(configuration, { random: randomOctets }).connect(0, "c").effects.find(({ type }) =>
  type === "send"
);
if (first?.type !== "send") throw new Error("no first message");
const message = first.octets;

const arena = createArena(1 << 20, addressOf);
const socket = openUdpSocket(4, 0, { receiveOffload: false })!;
const [sendAt, vectorAt, nameAt] = [MSGHDR.octets, IOVEC.octets, 32].map((octets) => arena.reserve(octets));
const [controlAt, dataAt] = [arena.reserve(64), arena.reserve(2048)];
writeIovec(arena, vectorAt, dataAt, message.length);
const nameOctets = writeSockaddr(arena, nameAt, parseAddress(victim), 500);
let sent = 0;
const begin = performance.now();
for (let elapsed = 0; elapsed < seconds; elapsed = (performance.now() - begin) / 1000) {
  for (; sent < rate * elapsed; sent++) {
    message.set(randomOctets(8), 0);
    arena.u8.set(message, dataAt);
    const controlOctets = writePacketInfo(arena, controlAt, address(new Uint8Array([10, 50, ...randomOctets(2)])));
    writeMessage(arena, sendAt, {
      name: nameAt,
      nameOctets,
      iov: vectorAt,
      iovCount: 1,
      control: controlAt,
      controlOctets,
    });
    libc().sendmsg(socket.fd, arena.base + BigInt(sendAt | 0), 0);
  }
  await new Promise((resolve) => setTimeout(resolve, 1));
}
console.log(sent);
Deno.exit(0);
