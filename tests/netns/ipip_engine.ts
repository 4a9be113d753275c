// An engine without cryptography, to test what lib/linux does for one: it takes every packet that the routes bring to
// enc0, wraps those that a flow matches in IPv4 (protocol 4) and sends the others on unchanged, as the real one does.
import { addressOf, libc } from "../../lib/ffi/libc.ts";
import { type Address, address, contains, formatAddress, type Prefix } from "../../lib/ip/address.ts";
import { configureInterface } from "../../lib/linux/interface.ts";
import { encodeSockaddr } from "../../lib/linux/message.ts";
import { NetworkMonitor } from "../../lib/linux/monitor.ts";
import { Netlink } from "../../lib/linux/netlink.ts";
import { FlowRouter } from "../../lib/linux/routes.ts";
import { openPacketSocket, openProtocolSocket } from "../../lib/linux/sockets.ts";
import { openTun } from "../../lib/linux/tun.ts";
import { createArena } from "../../lib/octets/arena.ts";
import type { Bytes } from "../../lib/octets/bytes.ts";
import { inside } from "./inside.ts";
import type { Host } from "./topology.ts";

export interface TestFlow {
  readonly selector: {
    readonly source: Prefix;
    readonly destination: Prefix;
    readonly transport: number;
    readonly sourcePort: number;
    readonly destinationPort: number;
  };
  readonly peer: Address;
}

const OUTER_OCTETS = 20;
const IPIP = 4;
const PACKET_OCTETS = 65536;

const addressesOf = (packet: Uint8Array): [Address, Address] =>
  packet[0] >> 4 === 4
    ? [address(packet.subarray(12, 16)), address(packet.subarray(16, 20))]
    : [address(packet.subarray(8, 24)), address(packet.subarray(24, 40))];

/** Runs until it is disposed of. `local`: own outer address (IPv4). */
export function startEngine(host: Host, local: Address) {
  const runFolder = host.environment.IPSECBOX_RUN;
  const arena = createArena(4 * PACKET_OCTETS, addressOf);
  const at = arena.reserve(PACKET_OCTETS + 64);
  const flows = new Set<TestFlow>();
  const complaints: string[] = [];
  /** "SOURCE > DESTINATION", every packet that came to enc0. */
  const seen: string[] = [];
  const parts = inside(host, () => {
    const tun = openTun("enc0", { offload: false });
    using netlink = new Netlink();
    configureInterface(netlink, "enc0", 1400);
    return {
      tun,
      receiver: openProtocolSocket(4, IPIP)!,
      senders: { 4: openPacketSocket(4)!, 6: openPacketSocket(6)! },
      router: new FlowRouter({ interfaceName: "enc0", runFolder }),
      monitor: new NetworkMonitor((events) => {
        complaints.push(...inside(host, () => parts.router.networkChanged(events)));
      }),
    };
  });
  const { tun, receiver, senders, router, monitor } = parts;
  const send = (packet: Bytes, destination: Address) =>
    libc().sendto(
      senders[destination.family].fd,
      packet,
      BigInt(packet.length),
      0,
      ...(([name]) => [name, name.length] as const)([encodeSockaddr(destination, 0)]),
    );

  const outbound = (packet: Bytes) => {
    const [source, destination] = addressesOf(packet);
    seen.push(`${formatAddress(source)} > ${formatAddress(destination)}`);
    const flow = [...flows].find(({ selector }) =>
      contains(selector.source, source) && contains(selector.destination, destination) &&
      (selector.transport === 0 || selector.transport === packet[9])
    );
    if (!flow) return send(packet, destination);
    const outer = new Uint8Array(OUTER_OCTETS + packet.length);
    outer.set([0x45, 0, 0, 0, 0, 0, 0, 0, 64, IPIP, 0, 0]);
    outer.set(local.octets, 12);
    outer.set(flow.peer.octets, 16);
    outer.set(packet, OUTER_OCTETS);
    return send(outer, flow.peer);
  };
  const pump = () => {
    for (let octets; (octets = libc().read(tun.fd, arena.base + BigInt(at), PACKET_OCTETS)) > 0;) {
      outbound(arena.u8.slice(at, at + octets) as Bytes);
    }
    for (let octets; (octets = libc().read(receiver.fd, arena.base + BigInt(at), PACKET_OCTETS)) > OUTER_OCTETS;) {
      const inner = arena.u8.slice(at + OUTER_OCTETS, at + octets) as Bytes;
      libc().writeBuffer(tun.fd, inner, BigInt(inner.length));
    }
  };
  const timer = setInterval(pump, 1);

  return {
    seen,
    complaints,
    update(add: TestFlow[], remove: TestFlow[] = []): string[] {
      for (const flow of remove) flows.delete(flow);
      for (const flow of add) flows.add(flow);
      return inside(host, () => router.update({ add, remove }));
    },
    /** Ends as a process that is killed does: the kernel closes what it had open, nobody cleans up. */
    async crash(): Promise<void> {
      clearInterval(timer);
      monitor[Symbol.dispose]();
      await monitor.ended;
      for (const each of [tun, receiver, senders[4], senders[6]]) each.close();
    },
    async [Symbol.asyncDispose](): Promise<void> {
      clearInterval(timer);
      monitor[Symbol.dispose]();
      await monitor.ended;
      inside(host, () => router.close());
      for (const each of [tun, receiver, senders[4], senders[6]]) each.close();
    },
  };
}
