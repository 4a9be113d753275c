import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { addressOf } from "../../lib/ffi/address.ts";
import { errno, libc } from "../../lib/ffi/libc.ts";
import { ERRNO, SystemError } from "../../lib/ffi/errno.ts";
import { IN_PKTINFO, OPTION, POLLFD, SOCKET } from "../../lib/ffi/structs.ts";
import { address, formatAddress, parseAddress } from "../../lib/ip/address.ts";
import { configureInterface, setMtu } from "../../lib/linux/interface.ts";
import {
  controlSpace,
  encodeSockaddr,
  findControl,
  IPV6_CONTROL_OCTETS,
  readSockaddr,
  rebuildIpv6Header,
  SEGMENT_CONTROL_OCTETS,
  sockaddrOctets,
  writeIovec,
  writeMessage,
  writePacketInfo,
  writeSegmentSize,
  writeSockaddr,
} from "../../lib/linux/message.ts";
import { type NetworkEvent, NetworkMonitor } from "../../lib/linux/monitor.ts";
import { Netlink } from "../../lib/linux/netlink.ts";
import { PathMtuMonitor, type TooBig } from "../../lib/linux/path_mtu.ts";
import * as rt from "../../lib/linux/rtnetlink.ts";
import {
  DEFAULT_MARK,
  hasIpv6,
  openPacketSocket,
  openProtocolSocket,
  openUdpSocket,
  type Socket,
} from "../../lib/linux/sockets.ts";
import { interfaceSetting, readSysctl, SysctlError, tryWriteSysctl, writeSysctl } from "../../lib/linux/sysctl.ts";
import { openTun } from "../../lib/linux/tun.ts";
import { createArena } from "../../lib/octets/arena.ts";
import type { Bytes } from "../../lib/octets/bytes.ts";
import { inside } from "./inside.ts";
import { type Host, topology, type TopologySpec, twoHosts, waitFor } from "./topology.ts";

const PAIR: TopologySpec = {
  hosts: { a: {}, b: {} },
  links: [{
    ends: [["a", "eth0", "10.0.0.1/24", "10.0.0.11/24", "fd00::1/64"], ["b", "eth0", "10.0.0.2/24", "fd00::2/64"]],
  }],
};
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;
const lib = (path: string) => new URL(`../../lib/${path}`, import.meta.url).href;

function messageOf(work: () => unknown): string {
  return assertThrows(work, SystemError).message;
}

/** Waits until the socket has something. */
function readable({ fd }: { fd: number }): boolean {
  const polled = new Uint8Array(POLLFD.octets);
  const view = new DataView(polled.buffer);
  view.setInt32(POLLFD.at.fd, fd, true);
  view.setInt16(POLLFD.at.events, SOCKET.POLLIN, true);
  return libc().poll(addressOf(polled), 1, 2000) === 1;
}

/** An arena with one message: name, control, 64 KiB of data with room before them. */
function receiver(family: 4 | 6) {
  const arena = createArena(1 << 18, addressOf);
  const message = arena.reserve(64);
  const iov = arena.reserve(16);
  const name = arena.reserve(32);
  const control = arena.reserve(IPV6_CONTROL_OCTETS);
  const outVector = arena.reserve(16);
  const at = arena.reserve(256) + 256;
  arena.reserve(65536);
  writeIovec(arena, iov, at, 65536);
  const parts = { name, nameOctets: 28, iov, iovCount: 1, control, controlOctets: IPV6_CONTROL_OCTETS };
  return {
    arena,
    message,
    outVector,
    at,
    name,
    control,
    family,
    /** Octets received, and octets of control messages. */
    receive(socket: Socket): [number, number] {
      readable(socket);
      writeMessage(arena, message, parts);
      const octets = libc().recvmsg(socket.fd, arena.base + BigInt(message), 0);
      return [octets, arena.u32[(message + 40) >> 2]];
    },
  };
}

function sendTo(socket: Socket, packet: Bytes, to: string, port = 0): number {
  const name = encodeSockaddr(parseAddress(to), port);
  return libc().sendto(socket.fd, packet, BigInt(packet.length), 0, name, name.length);
}

function ipv4(to: string, protocol: number, payload: Bytes, flags = 0): Bytes {
  const packet = new Uint8Array(20 + payload.length);
  packet.set([0x45, 0, 0, 0, 0, 0, flags, 0, 64, protocol]);
  packet.set(parseAddress(to).octets, 16);
  packet.set(payload, 20);
  return packet;
}

const scapy = (host: Host, packets: string) =>
  host.exec(["/usr/bin/python3", "-c", `from scapy.all import *\nfor p in [${packets}]: send(p, verbose=0)`]);

Deno.test("a TUN interface carries packets both ways and goes with its last queue", async () => {
  using net = await topology("tun", PAIR);
  const a = net.host("a");
  const tun = inside(a, () => openTun("enc0", { multiQueue: true }));
  assertEquals([tun.name, tun.vnetHeaderOctets, tun.offload.tcp], ["enc0", 10, true]);
  const link = inside(a, () => {
    using netlink = new Netlink();
    const link = configureInterface(netlink, "enc0", 1438);
    setMtu(netlink, link, 1300);
    netlink.execute(rt.addAddress(link.index, parseAddress("10.1.0.1"), 24), "add an address");
    return rt.findLink(netlink, "enc0")!;
  });
  assertEquals([link.mtu, link.queueLength, link.flags & (rt.IFF.UP | rt.IFF.MULTICAST)], [1300, 1000, rt.IFF.UP]);
  assertEquals((await a.exec("ip -6 addr show dev enc0")).stdout, "");

  await a.ping("10.1.0.2", { waitSeconds: 0.1, size: 10 });
  const packet = new Uint8Array(2000);
  assertEquals(libc().readBuffer(tun.fd, packet, 2000n), 10 + 20 + 8 + 10);
  assertEquals([packet[10], packet[19], formatAddress({ family: 4, octets: packet.slice(26, 30) })], [
    0x45,
    1,
    "10.1.0.2",
  ]);
  assertEquals([libc().readBuffer(tun.fd, packet, 2000n), errno()], [-1, ERRNO.EAGAIN]);

  const queue = inside(a, () => tun.openQueue());
  assertEquals(queue.name, "enc0");
  tun.close();
  assertEquals(inside(a, () => rt.findLink(new Netlink(), "enc0")?.name), "enc0");
  queue.close();
  queue.close();
  await waitFor(() => inside(a, () => rt.findLink(new Netlink(), "enc0")) === undefined, "enc0 to go");
});

Deno.test("a TUN interface that cannot be had says who has it or what is missing", async () => {
  using net = await topology("tunbad", PAIR);
  const a = net.host("a");
  using first = inside(a, () => openTun("enc0", { offload: false }));
  assertEquals(first.vnetHeaderOctets, 0);
  assertEquals(
    messageOf(() => inside(a, () => openTun("enc0"))),
    `Cannot make TUN interface enc0: device or resource busy (EBUSY): interface enc0 belongs to process ${Deno.pid} (deno)`,
  );
  assertMatch(messageOf(() => inside(a, () => openTun("eth0"))), /an interface eth0 that is not ours exists already$/);
  await a.exec("ip tuntap add dev mine mode tun");
  assertMatch(messageOf(() => inside(a, () => openTun("mine"))), /an interface mine that is not ours exists already$/);
  assertThrows(() => openTun("a name"), RangeError, "without blanks");

  const script = (body: string) => `
    import { openTun } from "${lib("linux/tun.ts")}";
    import { openProtocolSocket } from "${lib("linux/sockets.ts")}";
    for (const open of [${body}]) try { open(); } catch (error) { console.log(error.message); }`;
  const deno = [Deno.execPath(), "run", "-A", "--config", CONFIG, "-"];
  const unprivileged = ["setpriv", "--inh-caps=-all", "--bounding-set=-all", ...deno];
  const denied = await a.exec(unprivileged, {
    input: script(`() => openTun("enc1"), () => openProtocolSocket(4, 50)`),
  });
  assertEquals(denied.stdout.trim().split("\n"), [
    "Cannot make TUN interface enc1: operation not permitted (EPERM): root or CAP_NET_ADMIN is needed",
    "Cannot open the raw IPv4 socket for protocol 50: operation not permitted (EPERM): root or CAP_NET_RAW is needed",
  ]);
  const without = await a.exec(
    `mkdir /run/empty && mount --bind /run/empty /dev/net && exec "$@"`.replace("$@", "$0"),
    {
      input: "",
      env: {},
      check: false,
    },
  ).then(() =>
    a.exec(["sh", "-c", `mount | grep -q /dev/net || mount --bind /run/empty /dev/net; exec "$@"`, "sh", ...deno], {
      input: script(`() => openTun("enc1")`),
    })
  );
  assertMatch(without.stdout, /^Cannot open \/dev\/net\/tun: no such file or directory \(ENOENT\): .*modprobe tun/);
});

Deno.test("a run of UDP segments comes as one, from and to the addresses that were asked for", async () => {
  using net = await topology("udp", PAIR);
  const [a, b] = [net.host("a"), net.host("b")];
  const cases = [[4, "10.0.0.11", "10.0.0.2"], [6, "fd00::1", "fd00::2"]] as const;
  for (const [family, from, to] of cases) {
    using sender = inside(a, () => openUdpSocket(family, 4500)!);
    using receiverSocket = inside(b, () => openUdpSocket(family, 4500)!);
    assertEquals([sender.sendOffload, receiverSocket.receiveOffload, sender.port], [true, true, 4500]);
    const { arena, at, message, outVector, name, control, receive } = receiver(family);
    arena.u8.fill(7, at, at + 2500);
    writeIovec(arena, outVector, at, 2500);
    const segments = writeSegmentSize(arena, control, 1000);
    assertEquals(segments, SEGMENT_CONTROL_OCTETS);
    const controlOctets = segments + writePacketInfo(arena, control + segments, parseAddress(from));
    writeMessage(arena, message, {
      name,
      nameOctets: writeSockaddr(arena, name, parseAddress(to), 4500),
      iov: outVector,
      iovCount: 1,
      control,
      controlOctets,
    });
    assertEquals(libc().sendmsg(sender.fd, arena.base + BigInt(message), 0), 2500);
    const [octets, received] = receive(receiverSocket);
    const data = (option: readonly [number, number]) => findControl(arena, control, received, option);
    assertEquals([octets, arena.view.getInt32(data(OPTION.UDP_GRO), true)], [2500, 1000]);
    const remote = readSockaddr(arena, name)!;
    assertEquals([formatAddress(remote.address), remote.port], [from, 4500]);
    const own = family === 4 ? data(OPTION.IP_PKTINFO) + IN_PKTINFO.at.destination : data(OPTION.IPV6_PKTINFO);
    assertEquals(formatAddress(address(arena.u8.subarray(own, own + (family === 4 ? 4 : 16)))), to);
  }
  using holder = inside(a, () => openUdpSocket(4, 0)!);
  assertEquals(
    messageOf(() => inside(a, () => openUdpSocket(4, holder.port, { address: parseAddress("10.0.0.1") }))),
    `Cannot bind UDP port ${holder.port} of 10.0.0.1: address already in use (EADDRINUSE): process ${Deno.pid} (deno) has it`,
  );
});

Deno.test("raw IPv4: whole packets out and in, large ones reassembled, and fragmented by the protocol socket", async () => {
  using net = await topology("raw4", PAIR);
  const [a, b] = [net.host("a"), net.host("b")];
  using out = inside(a, () => openPacketSocket(4)!);
  using protocol = inside(a, () => openProtocolSocket(4, 50)!);
  using into = inside(b, () => openProtocolSocket(4, 50)!);
  const { arena, at, name, control, message, outVector, receive } = receiver(4);

  assertEquals(sendTo(out, ipv4("10.0.0.2", 50, new Uint8Array(100).fill(5)), "10.0.0.2"), 120);
  assertEquals(receive(into)[0], 120);
  assertEquals([...arena.u8.subarray(at + 12, at + 20), arena.u8[at + 20]], [10, 0, 0, 1, 10, 0, 0, 2, 5]);
  assertEquals(formatAddress(readSockaddr(arena, name)!.address), "10.0.0.1");

  // Larger than the link: the packet socket refuses, the protocol socket has the kernel fragment.
  const large = new Uint8Array(4000).fill(9);
  assertEquals([sendTo(out, ipv4("10.0.0.2", 50, large), "10.0.0.2"), errno()], [-1, ERRNO.EMSGSIZE]);
  const wire = await b.capture("eth0", "ip");
  arena.u8.set(large, at);
  writeIovec(arena, outVector, at, large.length);
  const controlOctets = writePacketInfo(arena, control, parseAddress("10.0.0.11"));
  writeMessage(arena, message, {
    name,
    nameOctets: writeSockaddr(arena, name, parseAddress("10.0.0.2"), 0),
    iov: outVector,
    iovCount: 1,
    control,
    controlOctets,
  });
  assertEquals(libc().sendmsg(protocol.fd, arena.base + BigInt(message), 0), 4000);
  assertEquals(receive(into)[0], 4020);
  assertEquals(formatAddress(readSockaddr(arena, name)!.address), "10.0.0.11");
  assertEquals((await wire.packets(3)).map(({ ip }) => [ip.length, ip[6] >> 5]), [[1500, 1], [1500, 1], [1060, 0]]);
});

Deno.test("raw IPv6: the header that AH must see is restored, extension headers in their order", async () => {
  using net = await topology("raw6", PAIR);
  const [a, b] = [net.host("a"), net.host("b")];
  using into = inside(b, () => openProtocolSocket(6, 51)!);
  const { arena, at, message, receive } = receiver(6);
  const to = `dst="fd00::2",src="fd00::1",tc=0x41,hlim=33,fl=0`;
  // An option of unknown meaning that says of itself that it may be skipped.
  const option = (n: number) => `options=[HBHOptUnknown(otype=0x1e,optdata=b"x"*${n})]`;
  const chains = [
    `IPv6(${to})`,
    `IPv6(${to})/IPv6ExtHdrHopByHop(${option(4)})`,
    `IPv6(${to})/IPv6ExtHdrDestOpt(${option(12)})`,
    `IPv6(${to})/IPv6ExtHdrHopByHop(${option(4)})/IPv6ExtHdrDestOpt(${option(20)})`,
  ];
  const wire = await b.capture("eth0", "ip6 and src fd00::1 and not icmp6");
  const rest = `AH(spi=4096,seq=1,icv=b"i"*12,nh=17)/UDP(sport=7,dport=8)/Raw(b"payload")`;
  await scapy(a, chains.map((chain) => `${chain}/${rest}`).join());
  for (const { ip } of await wire.packets(chains.length)) {
    const [octets] = receive(into);
    const start = rebuildIpv6Header(arena, message, 51, at, octets, 256);
    assertEquals(arena.u8.slice(start, at + octets), new Uint8Array(ip));
    assertEquals(rebuildIpv6Header(arena, message, 51, at, octets, 39), 0);
  }
  // And out: a whole IPv6 packet as it is.
  using out = inside(a, () => openPacketSocket(6)!);
  const packet = new Uint8Array(48);
  packet.set([0x60, 0, 0, 0, 0, 8, 51, 9]);
  packet.set(parseAddress("fd00::1").octets, 8);
  packet.set(parseAddress("fd00::2").octets, 24);
  assertEquals(sendTo(out, packet, "fd00::2"), 48);
  const [octets, controls] = receive(into);
  assertEquals(octets, 8);
  const start = rebuildIpv6Header(arena, message, 51, at, octets, 256);
  assertEquals(arena.u8.slice(start, at + octets), packet);
  assertEquals(findControl(arena, message, 0, OPTION.IPV6_HOPOPTS), 0);
  assertEquals([controlSpace(2), sockaddrOctets(6), controls > 0, hasIpv6()], [24, 28, true, true]);
});

Deno.test("a smaller path MTU is told at once, and the kernel knows that of IPv4 itself", async () => {
  const spec = twoHosts();
  using net = await topology("pmtu", { ...spec, links: [spec.links[0], { ...spec.links[1], mtu: 1300 }] });
  const west = net.host("west");
  const news: TooBig[] = [];
  const monitor = inside(west, () => new PathMtuMonitor((each) => news.push(each)));
  const ipv6 = new Uint8Array(1400);
  ipv6.set([0x60, 0, 0, 0, 5, 0x50, 50, 64]);
  ipv6.set(parseAddress("fd00:5::1").octets, 8);
  ipv6.set(parseAddress("fd00:25::9").octets, 24);
  const ipv4Packet = ipv4("192.168.25.9", 50, new Uint8Array(1380), 0x40);
  for (const [family, to, packet] of [[4, "192.168.25.9", ipv4Packet], [6, "fd00:25::9", ipv6]] as const) {
    using out = inside(west, () => openPacketSocket(family)!);
    using _protocol = inside(west, () => openProtocolSocket(family, 50)!);
    using netlink = inside(west, () => new Netlink());
    const mtu = () => rt.findPathMtu(netlink, parseAddress(to), { mark: DEFAULT_MARK });
    assertEquals(mtu(), 1500);
    assertEquals(sendTo(out, packet, to), 1400);
    await waitFor(() => news.length > 0, `ICMP about ${to}`);
    assertEquals(news.splice(0), [{ destination: parseAddress(to), protocol: 50, sourcePort: 0, mtu: 1300 }]);
    assertEquals(mtu(), family === 4 ? 1300 : 1500);
    assertEquals(sendTo(out, packet, to), 1400, "the packet socket itself does not refuse what is too large now");
    await waitFor(() => news.splice(0).length > 0, `ICMP about ${to} again`);
  }
  using udp = inside(west, () => openUdpSocket(6, 4500, { dontFragment: true })!);
  assertEquals(sendTo(udp, new Uint8Array(1400), "fd00:25::9", 4500), 1400);
  await waitFor(() => news.length > 0, "ICMP about UDP");
  assertEquals([news[0].protocol, news[0].sourcePort], [17, 4500]);
  monitor[Symbol.dispose]();
  await monitor.ended;
});

Deno.test("news of addresses and interfaces arrive together, and the listening ends when told", async () => {
  using net = await topology("monitor", PAIR);
  const a = net.host("a");
  const events: NetworkEvent[] = [];
  const monitor = inside(a, () => new NetworkMonitor((more) => events.push(...more)));
  await a.exec("ip addr add 10.5.0.1/24 dev eth0; ip addr del fd00::1/64 dev eth0; ip link set eth0 mtu 1400");
  const text = () =>
    events.map((event) =>
      event.type === "address"
        ? `${event.gone ? "-" : "+"}${formatAddress(event.address.address)}`
        : event.type === "link"
        ? `${event.link.name} ${event.link.mtu}`
        : event.type
    );
  await waitFor(() => text().includes("eth0 1400"), "the news");
  assertEquals(text().filter((each) => /^[+-]/.test(each) && !each.includes("fe80")), ["+10.5.0.1", "-fd00::1"]);
  monitor[Symbol.dispose]();
  await monitor.ended;
});

Deno.test("settings are read and written, also of interfaces with a dot in their name", async () => {
  using net = await topology("sysctl", PAIR);
  const a = net.host("a");
  await a.exec("ip link add link eth0 name eth0.5 type vlan id 5 2>/dev/null || ip link set eth0 down name eth0.5");
  inside(a, () => {
    const filter = interfaceSetting(4, "eth0.5", "rp_filter");
    writeSysctl(filter, 1);
    assertEquals([readSysctl(filter), readSysctl("net.ipv4.ip_forward"), readSysctl("net.none")], [
      "1",
      "0",
      undefined,
    ]);
    assertThrows(() => writeSysctl("net.none", 1), SysctlError, "Cannot set net.none to 1: this kernel has no such");
    assertThrows(() => writeSysctl("net.ipv4.ip_forward", "x"), SysctlError, "Cannot set net.ipv4.ip_forward to x");
    assertThrows(() => readSysctl("net...x"), SysctlError, "as the name of a setting");
    assertEquals(tryWriteSysctl("net.none", 1), false);
  });
});
