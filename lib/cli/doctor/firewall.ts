/** Packet filters of this host that drop what tunnels need. @module */
import type { FlowView } from "../../daemon/engine_views.ts";
import { type Address, formatAddress } from "../../ip/address.ts";
import type { FilterDrop, ProbePacket } from "../../linux/firewall.ts";
import { IptablesRules } from "../../linux/iptables_save.ts";
import { askNft, NFT_TABLE } from "../../linux/nft.ts";
import { NftRuleset } from "../../linux/nft_ruleset.ts";
import { findRoute } from "../../linux/rtnetlink.ts";
import { DEFAULT_MARK } from "../../linux/sockets.ts";
import { decodeText } from "../../octets/bytes.ts";
import { type Context, gatewayFlows, isOwn, isProtecting, nameOfLink, sampleOf } from "./context.ts";
import type { Finding } from "./finding.ts";
import { parsePrefix } from "../../ip/address.ts";

/** Peers whose packets are tried on the filters. */
const MOST_PEERS = 8;

/** A kind of packet that tunnels need. */
interface Need {
  readonly name: string;
  readonly protocol: number;
  readonly port?: number;
  /** How nft and iptables say it. */
  readonly nft: string;
  readonly iptables: string;
}

const ESP: Need = { name: "ESP (protocol 50)", protocol: 50, nft: "meta l4proto esp", iptables: "-p esp" };
const AH: Need = { name: "AH (protocol 51)", protocol: 51, nft: "meta l4proto ah", iptables: "-p ah" };
const udp = (port: number, what: string): Need => ({
  name: `UDP port ${port} (${what})`,
  protocol: 17,
  port,
  nft: `udp dport ${port}`,
  iptables: `-p udp --dport ${port}`,
});
const IKE = udp(500, "IKE");
const NAT_T = udp(4500, "IKE and ESP behind NAT");
const PHOTURIS = udp(468, "Photuris");

/** What the SAs, flows and daemons of this host need; without any, what anybody would. */
function needsOf({ flows, sas, isakmpd, photurisd }: Context): Need[] {
  const protecting = flows.filter(isProtecting);
  const uses = (protocol: string) => [...protecting, ...sas].some((each) => each.protocol === protocol);
  const needs: Need[] = [];
  const inUdp = sas.length > 0 && sas.every(({ udpPort, protocol }) => udpPort !== undefined || protocol !== "esp");
  if (uses("esp") && !inUdp) needs.push(ESP);
  if (uses("ah")) needs.push(AH);
  if (isakmpd) needs.push(IKE);
  if (isakmpd || sas.some(({ udpPort }) => udpPort !== undefined)) needs.push(NAT_T);
  if (photurisd) needs.push(PHOTURIS);
  return needs.length || protecting.length || sas.length ? needs : [ESP, IKE, NAT_T];
}

/** The filters of this host. */
class Filters {
  readonly #nft = new NftRuleset(askNft(["list", "ruleset"]), NFT_TABLE);
  readonly #iptables: Readonly<Record<4 | 6, IptablesRules>>;

  constructor() {
    this.#iptables = { 4: new IptablesRules(save("iptables-save")), 6: new IptablesRules(save("ip6tables-save")) };
  }

  drop(packet: ProbePacket, way: "in" | "out" | "through"): FilterDrop | undefined {
    const hooks =
      { in: ["prerouting", "input"], out: ["output", "postrouting"], through: ["prerouting", "forward"] }[way];
    const chain = ({ in: "INPUT", out: "OUTPUT", through: "FORWARD" } as const)[way];
    return this.#nft.findDrop(packet, hooks) ?? this.#iptables[packet.family].findDrop(packet, chain);
  }

  translation(packet: ProbePacket): FilterDrop | undefined {
    return this.#nft.findTranslation(packet) ?? this.#iptables[packet.family].findTranslation(packet);
  }
}

/** What a program prints; nothing where it is missing or fails. */
function save(program: string): string {
  for (const path of [program, `/usr/sbin/${program}`]) {
    try {
      const { success, stdout } = new Deno.Command(path, { stdin: "null", stderr: "null" }).outputSync();
      return success ? decodeText(stdout) : "";
    } catch {
      // Where this one is missing the next may be there.
    }
  }
  return "";
}

/** The rule in nft's words. */
function ruleText({ chain, handle }: FilterDrop): string | undefined {
  if (handle === undefined) return undefined;
  try {
    const { stdout } = new Deno.Command("nft", {
      args: ["-a", "list", "chain", ...chain.split(" ")],
      stdin: "null",
      stderr: "null",
    }).outputSync();
    const line = decodeText(stdout).split("\n").find((row) => row.endsWith(`# handle ${handle}`));
    return line?.replace(/ # handle \d+$/, "").trim();
  } catch {
    return undefined;
  }
}

function where(drop: FilterDrop): string {
  const rule = drop.rule ?? ruleText(drop);
  return rule ? `${drop.by}, chain ${drop.chain}, rule "${rule}"` : `${drop.by}, policy of chain ${drop.chain}`;
}

function allow(drop: FilterDrop, need: Pick<Need, "nft" | "iptables">, family: 4 | 6): string {
  if (drop.by === "nft") {
    return `nft ${drop.handle === undefined ? "add" : "insert"} rule ${drop.chain} ${need.nft} accept`;
  }
  return `${family === 4 ? "iptables" : "ip6tables"} -I ${drop.chain} ${need.iptables} -j ACCEPT`;
}

/** A packet of a kind between us and a peer. */
function packetOf(
  need: Need,
  peer: Address,
  own: Address | undefined,
  link: string | undefined,
  incoming: boolean,
): ProbePacket {
  const [source, destination] = incoming ? [peer, own] : [own, peer];
  return {
    family: peer.family,
    protocol: need.protocol,
    source,
    destination,
    ...(need.port !== undefined &&
      { destinationPort: need.port, ...(need.port !== 4500 && { sourcePort: need.port }) }),
    ...(incoming ? { inputInterface: link, mark: 0 } : { outputInterface: link, mark: DEFAULT_MARK }),
  };
}

/** ESP, AH and key management between this host and its peers. */
function checkPeers(context: Context, filters: Filters): Finding[] {
  const findings = new Map<string, Finding>();
  for (const peer of context.peers.slice(0, MOST_PEERS)) {
    const route = findRoute(context.netlink, peer, { mark: DEFAULT_MARK });
    const link = nameOfLink(context, route?.device);
    for (const need of needsOf(context)) {
      for (const incoming of [true, false]) {
        const packet = packetOf(need, peer, route?.source, link, incoming);
        const drop = filters.drop(packet, incoming ? "in" : "out");
        if (!drop) continue;
        const place = where(drop);
        const key = `${need.name} ${incoming} ${place}`;
        if (findings.has(key)) continue;
        findings.set(key, {
          id: "firewall",
          problem: `${need.name} ${incoming ? "from" : "to"} ${formatAddress(peer)} is dropped on this host: ${place}`,
          remedies: [allow(drop, need, peer.family)],
        });
      }
    }
  }
  return [...findings.values()];
}

/** Packets of a network behind us, on their way into and out of the tunnel. */
function checkForwarded(context: Context, flow: FlowView, filters: Filters): Finding[] {
  const name = context.engine?.link?.name;
  if (name === undefined) return [];
  const [source, destination] = [sampleOf(context, flow.source), sampleOf(context, flow.destination)];
  const lan = nameOfLink(context, findRoute(context.netlink, source)?.device);
  const family = source.family;
  const findings: Finding[] = [];
  for (const outgoing of [true, false]) {
    const ends = outgoing
      ? { source, destination, inputInterface: lan, outputInterface: name }
      : { source: destination, destination: source, inputInterface: name, outputInterface: lan };
    // A filter that stops one protocol means it; one that stops both has no rule for the tunnel.
    const drops = [6, 1].map((protocol) => filters.drop({ family, protocol, mark: 0, ...ends }, "through"));
    if (!drops.every((drop) => drop !== undefined)) continue;
    const [drop] = drops as FilterDrop[];
    const rule = outgoing
      ? { nft: `oifname ${name}`, iptables: `-o ${name}` }
      : { nft: `iifname ${name}`, iptables: `-i ${name}` };
    findings.push({
      id: "firewall-forward",
      problem:
        `Packets ${outgoing ? "into" : "out of"} the tunnel (${flow.source} -> ${flow.destination}) are dropped ` +
        `when this host forwards them: ${where(drop)}`,
      remedies: [allow(drop, rule, family)],
    });
  }
  return findings;
}

/** Network address translation of packets that a flow is about: the other end sees, and answers, somebody else. */
function checkTranslated(context: Context, flow: FlowView, filters: Filters): Finding[] {
  const name = context.engine?.link?.name;
  if (name === undefined) return [];
  const [source, destination] = [sampleOf(context, flow.source), sampleOf(context, flow.destination)];
  const lan = nameOfLink(context, findRoute(context.netlink, source)?.device);
  const { family } = source;
  return [true, false].flatMap((outgoing) => {
    const ends = outgoing
      ? { source, destination, inputInterface: lan, outputInterface: name }
      : { source: destination, destination: source, inputInterface: name, outputInterface: lan };
    const found = filters.translation({ family, protocol: 6, mark: 0, ...ends });
    if (!found) return [];
    const [from, to] = outgoing ? [flow.source, flow.destination] : [flow.destination, flow.source];
    const ip = family === 4 ? "ip" : "ip6";
    return [{
      id: "nat",
      problem: `Packets ${outgoing ? "into" : "out of"} the tunnel (${flow.source} -> ${flow.destination}) are given ` +
        `another source address: ${where(found)}`,
      remedies: [
        found.by === "nft"
          ? `nft insert rule ${found.chain} ${ip} saddr ${from} ${ip} daddr ${to} accept`
          : `${family === 4 ? "iptables" : "ip6tables"} -t nat -I ${found.chain} -s ${from} -d ${to} -j ACCEPT`,
      ],
    }];
  });
}

export function checkFirewall(context: Context): Finding[] {
  const filters = new Filters();
  const forwarded = gatewayFlows(context)
    .filter(({ source }) => !isOwn(context, parsePrefix(source).address))
    .slice(0, MOST_PEERS)
    .flatMap((flow) => [...checkForwarded(context, flow, filters), ...checkTranslated(context, flow, filters)]);
  const known = new Map(forwarded.map((finding) => [finding.remedies[0], finding]));
  return [...checkPeers(context, filters), ...known.values()];
}
