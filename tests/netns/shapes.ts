// Ready-made networks.
import type { TopologySpec } from "./topology.ts";

/** What the ready-made networks can be asked for. */
export interface ShapeOptions {
  readonly mtu?: number;
  /** net.ipv4.conf.all.rp_filter and default of every host; default 0. */
  readonly rpFilter?: 0 | 1 | 2;
  /** The router in the middle knows the networks behind the gateways (twoGateways); default no, as the Internet does not. */
  readonly clearRoutes?: boolean;
}

const rpFilter = (value: number) => ({
  "net.ipv4.conf.all.rp_filter": value,
  "net.ipv4.conf.default.rp_filter": value,
});

/** west 192.168.5.1 (fd00:5::1) - router - 192.168.25.9 (fd00:25::9) east. */
export function twoHosts({ mtu, rpFilter: strictness = 0 }: ShapeOptions = {}): TopologySpec {
  const sysctls = rpFilter(strictness);
  return {
    hosts: {
      west: { sysctls, routes: ["default via 192.168.5.254", "default via fd00:5::fe"] },
      router: { sysctls, forwarding: true },
      east: { sysctls, routes: ["default via 192.168.25.254", "default via fd00:25::fe"] },
    },
    links: [
      {
        mtu,
        ends: [
          ["west", "eth0", "192.168.5.1/24", "fd00:5::1/64"],
          ["router", "eth0", "192.168.5.254/24", "fd00:5::fe/64"],
        ],
      },
      {
        mtu,
        ends: [
          ["east", "eth0", "192.168.25.9/24", "fd00:25::9/64"],
          ["router", "eth1", "192.168.25.254/24", "fd00:25::fe/64"],
        ],
      },
    ],
  };
}

/**
 * The FAQ's two sites: westlan 192.168.99.10 - west 208.1.1.1 - internet - 208.2.2.2 east - east1 208.1.2.10 and
 * east2 208.1.5.10. IPv6 likewise: fd99::10, 2001:db8:1::1, 2001:db8:2::2, fd02::10, fd05::10.
 */
export function twoGateways({ mtu, rpFilter: strictness = 0, clearRoutes = false }: ShapeOptions = {}): TopologySpec {
  const sysctls = rpFilter(strictness);
  const lan = (gateway4: string, gateway6: string) => ({
    sysctls,
    routes: [`default via ${gateway4}`, `default via ${gateway6}`],
  });
  return {
    hosts: {
      westlan: lan("192.168.99.1", "fd99::1"),
      west: { sysctls, forwarding: true, routes: ["default via 208.1.1.254", "default via 2001:db8:1::fe"] },
      internet: {
        sysctls,
        forwarding: true,
        routes: clearRoutes
          ? [
            "192.168.99.0/24 via 208.1.1.1",
            "208.1.2.0/24 via 208.2.2.2",
            "208.1.5.0/24 via 208.2.2.2",
            "fd99::/64 via 2001:db8:1::1",
            "fd02::/64 via 2001:db8:2::2",
            "fd05::/64 via 2001:db8:2::2",
          ]
          : [],
      },
      east: { sysctls, forwarding: true, routes: ["default via 208.2.2.254", "default via 2001:db8:2::fe"] },
      east1: lan("208.1.2.1", "fd02::1"),
      east2: lan("208.1.5.1", "fd05::1"),
    },
    links: [
      {
        mtu,
        ends: [["west", "eth0", "208.1.1.1/24", "2001:db8:1::1/64"], [
          "internet",
          "eth0",
          "208.1.1.254/24",
          "2001:db8:1::fe/64",
        ]],
      },
      {
        mtu,
        ends: [["east", "eth0", "208.2.2.2/24", "2001:db8:2::2/64"], [
          "internet",
          "eth1",
          "208.2.2.254/24",
          "2001:db8:2::fe/64",
        ]],
      },
      {
        mtu,
        ends: [["westlan", "eth0", "192.168.99.10/24", "fd99::10/64"], [
          "west",
          "eth1",
          "192.168.99.1/24",
          "fd99::1/64",
        ]],
      },
      {
        mtu,
        ends: [["east1", "eth0", "208.1.2.10/24", "fd02::10/64"], ["east", "eth1", "208.1.2.1/24", "fd02::1/64"]],
      },
      {
        mtu,
        ends: [["east2", "eth0", "208.1.5.10/24", "fd05::10/64"], ["east", "eth2", "208.1.5.1/24", "fd05::1/64"]],
      },
    ],
  };
}
