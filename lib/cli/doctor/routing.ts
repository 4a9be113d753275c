/** Whether the kernel brings packets to the engine, and lets the peer's in. @module */
import type { FlowView } from "../../daemon/engine_views.ts";
import { type Address, contains, formatAddress, parsePrefix } from "../../ip/address.ts";
import { findRoute, listRules, type Route, type Rule } from "../../linux/rtnetlink.ts";
import { DEFAULT_MARK } from "../../linux/sockets.ts";
import { readSysctl } from "../../linux/sysctl.ts";
import {
  type Context,
  describeFlow,
  gatewayFlows,
  hostOf,
  isOwn,
  isProtecting,
  nameOfLink,
  ownWithin,
  peerOf,
  sampleOf,
} from "./context.ts";
import type { Finding } from "./finding.ts";

const FORWARDING = { 4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding" } as const;

export function checkForwarding(context: Context): Finding[] {
  const byFamily = new Map<4 | 6, FlowView>();
  for (const flow of gatewayFlows(context)) byFamily.set(parsePrefix(flow.source).address.family, flow);
  return [...byFamily].flatMap(([family, flow]) => {
    const name = FORWARDING[family];
    if (readSysctl(name) !== "0") return [];
    const openbsd = family === 4 ? "net.inet.ip.forwarding" : "net.inet6.ip6.forwarding";
    return [{
      id: "forwarding",
      problem: `${name} is 0: this host forwards nothing, but ${describeFlow(flow)} is for a network behind it`,
      remedies: [`ipsecbox sysctl ${openbsd}=1   # or sysctl -w ${name}=1, and in /etc/sysctl.conf to keep it`],
    }];
  });
}

const rpFilter = (name: string) =>
  Math.max(...["all", name].map((each) => Number(readSysctl(["net", "ipv4", "conf", each, "rp_filter"]) ?? 0)));
const STRICT = 1;

export function checkReversePath(context: Context): Finding[] {
  const strict = new Map<string, string>();
  const engineLink = context.engine?.link?.name;
  if (engineLink !== undefined && context.flows.length && rpFilter(engineLink) === STRICT) {
    strict.set(engineLink, "decrypted packets, whose way back is not known to the kernel,");
  }
  for (const flow of context.flows) {
    const peer = peerOf(flow);
    if (flow.direction !== "out" || !isProtecting(flow) || peer?.family !== 4) continue;
    if (!contains(parsePrefix(flow.destination), peer)) continue;
    const route = findRoute(context.netlink, peer, { mark: DEFAULT_MARK });
    const name = nameOfLink(context, route?.device);
    if (name !== undefined && rpFilter(name) === STRICT) {
      strict.set(name, `packets of ${formatAddress(peer)}, whose way back is the tunnel,`);
    }
  }
  return Array.from(strict, ([name, which]) => ({
    id: "rp-filter",
    problem: `The reverse-path filter of ${name} is strict: ${which} are dropped`,
    remedies: [`sysctl -w net.ipv4.conf.${name.replaceAll(".", "/")}.rp_filter=2`],
  }));
}

/** Rules that are tried before the engine's, the local table's aside. */
const ENGINE_FIRST = 4000;
const OUR_PROTOCOL = 50;

function ruleWords({ priority, from, to, table, action, inputInterface, mark }: Rule): string {
  const prefix = (value: Rule["from"]) => value && `${formatAddress(value.address)}/${value.length}`;
  const parts = [
    `${priority}:`,
    `from ${prefix(from) ?? "all"}`,
    to && `to ${prefix(to)}`,
    mark !== undefined && `fwmark 0x${mark.toString(16)}`,
    inputInterface && `iif ${inputInterface}`,
    action === "table" ? `lookup ${table}` : action,
  ];
  return parts.filter(Boolean).join(" ");
}

/** The first foreign rule that may have sent the packet elsewhere. */
function culprit(context: Context, source: Address, destination: Address): Rule | undefined {
  return listRules(context.netlink, destination.family).filter(({ priority, protocol, from, to }) =>
    priority > 0 && priority < ENGINE_FIRST && protocol !== OUR_PROTOCOL &&
    (!from || contains(from, source)) && (!to || contains(to, destination))
  ).sort((a, b) => a.priority - b.priority)[0];
}

/** The way of a packet of a flow, made here or forwarded; undefined where it cannot be told. */
function wayOf(context: Context, flow: FlowView): { route: Route; source: Address; destination: Address } | undefined {
  const destination = sampleOf(context, flow.destination);
  const own = hostOf(flow.source) ? hostOf(flow.source)! : ownWithin(context, flow.source);
  if (own && isOwn(context, own)) {
    // Rules for what is made here name protocol and ports, with which the kernel cannot be asked.
    if (flow.transport || flow.sourcePort || flow.destinationPort) return undefined;
    const route = findRoute(context.netlink, destination, { source: own });
    return route && { route, source: own, destination };
  }
  if (flow.transport) return undefined;
  const source = sampleOf(context, flow.source);
  const inputDevice = findRoute(context.netlink, source)?.device;
  if (inputDevice === undefined || inputDevice === context.engine?.link?.index) return undefined;
  const route = findRoute(context.netlink, destination, { source, inputDevice });
  return route && { route, source, destination };
}

export function checkRoutes(context: Context): Finding[] {
  const link = context.engine?.link;
  if (!link) return [];
  const outgoing = context.flows.filter(({ direction }) => direction === "out");
  const passes = outgoing.filter(({ type }) => type === "bypass");
  return outgoing.filter(isProtecting).slice(0, 64).flatMap((flow) => {
    const way = wayOf(context, flow);
    if (!way || way.route.type === "local" || way.route.device === link.index) return [];
    const { route, source, destination } = way;
    const isPassed = passes.some((pass) =>
      contains(parsePrefix(pass.source), source) && contains(parsePrefix(pass.destination), destination)
    );
    if (isPassed) return [];
    const rule = culprit(context, source, destination);
    return [{
      id: "route",
      problem:
        `Packets from ${formatAddress(source)} to ${formatAddress(destination)} (${describeFlow(flow)}) leave by ` +
        `${nameOfLink(context, route.device) ?? "another way"} and not through ${link.name}` +
        (rule ? `, because of the rule "${ruleWords(rule)}"` : ""),
      remedies: rule
        ? [
          `ip ${
            destination.family === 6 ? "-6 " : ""
          }rule del priority ${rule.priority}   # or give it a priority of 5000 or more`,
        ]
        : [
          `ip route get ${formatAddress(destination)} from ${formatAddress(source)}   # shows the way`,
          "restart the engine, or give the flow again: its routes are missing",
        ],
    }];
  });
}
