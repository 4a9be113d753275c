/** The engine's own interface: its MTU, its flags and its settings. @module */
import type { Netlink } from "./netlink.ts";
import { changeLink, findLink, IFF, type Link } from "./rtnetlink.ts";
import { interfaceSetting, readSysctl, tryWriteSysctl, writeSysctl } from "./sysctl.ts";

/**
 * What packets that come out of the tunnel must not be stopped by, and what the kernel must not send into it by itself:
 * the source of a decrypted packet is checked against the flow, not against the route back (loose rp_filter is enough);
 * a packet may leave by the interface it came from (hub and spoke) without a redirect; the interface carries no IPv6
 * neighbour discovery, router solicitation, link-local address or multicast listener report.
 */
const SETTINGS: readonly (readonly [family: 4 | 6, setting: string, value: number])[] = [
  [4, "rp_filter", 2],
  [4, "send_redirects", 0],
  [4, "accept_redirects", 0],
  [6, "disable_ipv6", 0],
  [6, "addr_gen_mode", 1],
  [6, "accept_ra", 0],
  [6, "autoconf", 0],
  [6, "router_solicitations", 0],
  [6, "accept_redirects", 0],
  [6, "dad_transmits", 0],
  // MLD version 1 says nothing when a group is left that was never reported.
  [6, "force_mld_version", 1],
];

const QUEUE_LENGTH = 1000;

/**
 * Configures the interface and brings it up.
 *
 * @throws {Error} when there is no interface of that name
 * @throws {NetlinkError}
 */
export function configureInterface(netlink: Netlink, name: string, mtu: number): Link {
  const link = findLink(netlink, name);
  if (!link) throw new Error(`Cannot configure ${name}: there is no such interface`);
  for (const [family, setting, value] of SETTINGS) tryWriteSysctl(interfaceSetting(family, name, setting), value);
  // An interface that forwards has joined the group of all routers when it was made, which it would report; it leaves
  // while it does not forward, and does not join again without IFF_MULTICAST.
  const forwarding = interfaceSetting(6, name, "forwarding");
  const forwards = readSysctl(forwarding) === "1" && tryWriteSysctl(forwarding, 0);
  const change = { mtu, queueLength: QUEUE_LENGTH, clear: IFF.MULTICAST };
  netlink.execute(changeLink(link.index, change), `configure ${name}`);
  if (forwards) writeSysctl(forwarding, 1);
  netlink.execute(changeLink(link.index, { set: IFF.UP }), `bring ${name} up`);
  return { ...link, mtu, queueLength: QUEUE_LENGTH, flags: (link.flags | IFF.UP) & ~IFF.MULTICAST };
}

/** Changes the MTU. @throws {NetlinkError} */
export function setMtu(netlink: Netlink, { index, name }: Link, mtu: number): void {
  netlink.execute(changeLink(index, { mtu }), `set the MTU of ${name} to ${mtu}`);
}
