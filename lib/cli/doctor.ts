/** `ipsecbox doctor`: what stops tunnels here, and what to change. @module */
import { toJson } from "../daemon/engine_views.ts";
import type { Snapshot } from "../daemon/snapshot.ts";
import { type Address, contains, formatAddress, parseAddress, parsePrefix } from "../ip/address.ts";
import { Netlink } from "../linux/netlink.ts";
import { CommandError } from "./command.ts";
import { print } from "./commands.ts";
import { CHECKS } from "./doctor/checks.ts";
import {
  askEngine,
  type Context,
  isOwn,
  isProtecting,
  ownWithin,
  selectConcerned,
  systemContext,
} from "./doctor/context.ts";
import { Ears, type Heard, heardKey } from "./doctor/ears.ts";
import { type Finding, formatFinding } from "./doctor/finding.ts";
import { type PathReport, probePath } from "./doctor/path.ts";
import { checkCapabilities, checkTun } from "./doctor/system.ts";
import { getopt, OptionError } from "./getopt.ts";

export const HELP = `usage: ipsecbox doctor [-c FILE] [-w SECONDS] [--json] [PEER]

Goes through what stops tunnels in practice and says what to change, each with the command:
/dev/net/tun, privileges, the engine, switches, ports that others have, packet filters,
forwarding, reverse-path filters, routes, the path to peers and its MTU, flows without SAs and
SAs without flows, wrong keys, wrong SPIs, one-way traffic, isakmpd's files, certificates and
the clock. It listens and probes for a moment, and changes nothing.

  PEER         look at one connection only, from end to end: an address of the other end or of
               a host behind it; an echo request is sent to it through the tunnel
  -c FILE      isakmpd's configuration (what the running one reads, or /etc/isakmpd/isakmpd.conf)
  -w SECONDS   listen for so long (1.5)
  --json       findings as JSON

Prints "ok" and exits with 0 when nothing was found, with 1 when something was.
`;

/** Peers whose paths are probed. */
const MOST_PATHS = 8;

interface Options {
  readonly asked?: Address;
  readonly configurationFile?: string;
  readonly listenMs: number;
  readonly json: boolean;
}

const usage = (text: string) => new CommandError(`${text} ("ipsecbox help doctor")`, 2);

function parse(args: readonly string[]): Options {
  const json = args.includes("--json");
  try {
    const { options, rest } = getopt(args.filter((word) => word !== "--json"), "c:w:");
    const last = (letter: string) => options.findLast((option) => option.letter === letter)?.argument;
    const seconds = Number(last("w") ?? 1.5);
    if (!(seconds >= 0 && seconds <= 3600)) throw usage(`-w "${last("w")}": 0 to 3600 seconds are allowed`);
    if (rest.length > 1) throw usage(`"${rest[1]}" after the peer: one peer is looked at`);
    const asked = rest.length ? parseAddress(rest[0]) : undefined;
    return { asked, configurationFile: last("c"), listenMs: 1000 * seconds, json };
  } catch (error) {
    if (error instanceof OptionError) throw usage(error.message);
    if (error instanceof SyntaxError) throw new CommandError(error.message, 2);
    throw error;
  }
}

/** Where an echo request through the tunnel goes: to who was asked about, if a flow protects what we send to it. */
function tunnelTarget(context: Context, { flows }: Snapshot): Address | undefined {
  const { asked } = context;
  if (!asked || isOwn(context, asked)) return undefined;
  const covered = flows.some((flow) =>
    flow.direction === "out" && isProtecting(flow) &&
    (flow.transport === 0 || flow.transport === 1 || flow.transport === 58) &&
    contains(parsePrefix(flow.destination), asked) && ownWithin(context, flow.source)
  );
  return covered ? asked : undefined;
}

/** Probes paths while ears are open. */
async function lookAround(context: Context, before: Snapshot, listenMs: number): Promise<PathReport[]> {
  const { peers } = selectConcerned(before, context.asked);
  const target = tunnelTarget(context, before);
  const [paths] = await Promise.all([
    Promise.all([
      ...peers.filter((peer) => !isOwn(context, peer)).slice(0, MOST_PATHS).map((peer) =>
        probePath(context.netlink, peer, false)
      ),
      ...(target ? [probePath(context.netlink, target, true)] : []),
    ]),
    new Promise((resolve) => setTimeout(resolve, listenMs)),
  ]);
  return paths;
}

/** Gathers everything. */
async function examine(netlink: Netlink, options: Options): Promise<Context> {
  const system = systemContext(netlink, options.configurationFile, options.asked);
  const own = new Set(system.addresses.map(({ address }) => formatAddress(address)));
  using ears = new Ears(own);
  let paths: PathReport[] = [];
  const answer = await askEngine(async (before) => void (paths = await lookAround(system, before, options.listenMs)));
  if (typeof answer === "string") return { ...system, unreachable: answer };
  const { after } = answer;
  const known = new Set(after.sas.map(({ protocol, spi, destination }) => heardKey(protocol, spi, destination)));
  const heard: Heard[] = ears.unknown(known);
  const link = system.links.find(({ index }) => index === after.engine.interfaceIndex);
  return { ...system, ...selectConcerned(after, options.asked), engine: { ...answer, link }, heard, paths };
}

function tell(findings: readonly Finding[], { json }: Options): number {
  if (json) print(toJson({ ok: findings.length === 0, findings }));
  else print(findings.length ? findings.map((finding, i) => formatFinding(finding, i + 1)).join("") : "ok\n");
  return findings.length ? 1 : 0;
}

export async function run(args: string[]): Promise<number> {
  if (args[0] === "help" || args[0] === "--help") {
    print(HELP);
    return 0;
  }
  const options = parse(args);
  using netlink = new Netlink();
  const bare = systemContext(netlink, options.configurationFile, options.asked);
  const missing = checkCapabilities();
  // Without privileges nothing else can be known.
  if (missing.length) return tell([...missing, ...checkTun(bare)], options);
  const context = await examine(netlink, options);
  return tell(CHECKS.flatMap((check) => check(context)), options);
}
