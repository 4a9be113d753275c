/** `ipsecbox kern-ipsec`: the text of OpenBSD's /kern/ipsec (FAQ 13.11). @module */
import { CommandError } from "./command.ts";
import { print } from "./commands.ts";
import { withEngine } from "./engine.ts";
import { fetchFlows, fetchSas, type SaLink, type SaView, toJson } from "../daemon/engine_views.ts";

export const HELP = `usage: ipsecbox kern-ipsec [--json]

Shows every SA with its algorithms, counters and expirations, as /kern/ipsec did.
`;

const NUMBERS = { esp: 50, ah: 51, ip4: 4 } as const;
const TRANSFORMS = { esp: "IPsec ESP", ah: "IPsec AH", ip4: "IPv4 Simple Encapsulation" } as const;

const hex = (number: number) => number.toString(16).padStart(8, "0");
const named = ({ spi, destination, protocol }: SaLink | SaView) =>
  `SPI = ${hex(spi)}, Destination = ${destination}, Sproto = ${NUMBERS[protocol]}`;

function flagWords(sa: SaView): string {
  const words = [
    sa.state === "larval" && "invalid",
    sa.halfIv && "halfiv",
    sa.tunnel && "tunneling",
    sa.oldHeader && "noreplay",
    sa.randomPadding && "random padding",
  ].filter(Boolean);
  return words.length ? words.join(", ") : "none";
}

/** The limits that lie ahead, each with what is left of it. */
function expirations(sa: SaView): string[] {
  const lines: string[] = [];
  for (const [name, limit] of [["Hard", sa.hard], ["Soft", sa.soft]] as const) {
    const passed = name === "Soft" && sa.state === "dying";
    if (passed) continue;
    if (limit.addSeconds) {
      lines.push(`${name} expiration(1) in ${Math.max(0, limit.addSeconds - sa.ageSeconds)} seconds`);
    }
    if (limit.bytes) lines.push(`${name} expiration after ${limit.bytes} bytes`);
    if (limit.allocations) lines.push(`${name} expiration after ${limit.allocations} flows`);
    if (limit.useSeconds) {
      lines.push(
        sa.firstUsed
          ? `${name} expiration(2) in ${Math.max(0, limit.useSeconds - sa.usedSeconds)} seconds`
          : `${name} expiration in ${limit.useSeconds} seconds after first use`,
      );
    }
  }
  return lines.length ? lines : ["(none)"];
}

function block(sa: SaView, index: number, previous: SaView | undefined, boundTo: number): string {
  return [
    named(sa),
    `\tEstablished ${sa.ageSeconds} seconds ago`,
    `\tSource = ${sa.source}${sa.proxy ? `, Proxy = ${sa.proxy}` : ""}`,
    `\tFlags (${hex(sa.flags)}) = <${flagWords(sa)}>`,
    `\tCrypto ID: ${index + 1}`,
    sa.outer && `\tNext SA: ${named(sa.outer)}`,
    previous && `\tPrevious SA: ${named(previous)}`,
    sa.bound && `\tBound SA: ${named(sa.bound)}`,
    boundTo > 0 && `\tReferenced by ${boundTo} incoming SA(s)`,
    `\txform = <${TRANSFORMS[sa.protocol]}>`,
    sa.encryption && `\t\tEncryption = <${sa.encryption.kernelName}>`,
    sa.authentication && `\t\tAuthentication = <${sa.authentication.kernelName}>`,
    `\t${sa.allocations} flows have used this SA`,
    `\t${sa.bytes} bytes processed by this SA`,
    "\tExpirations:",
    ...expirations(sa).map((line) => `\t\t${line}`),
    "",
  ].filter((line) => typeof line === "string").map((line) => `${line}\n`).join("");
}

/** The whole text: a first line, then a block for each SA. */
export function formatKernIpsec(sas: readonly SaView[], flowCount: number): string {
  // The kernel's hash table had a power of two of buckets, at least 32, and grew with the SAs.
  const mask = 2 ** Math.max(5, Math.ceil(Math.log2(sas.length + 1))) - 1;
  const previous = new Map<SaView, SaView>();
  const references = new Map<SaView, number>();
  const byName = new Map(sas.map((sa) => [named(sa), sa]));
  for (const sa of sas) {
    const outer = sa.outer && byName.get(named(sa.outer));
    if (outer) previous.set(outer, sa);
    const bound = sa.bound && byName.get(named(sa.bound));
    if (bound) references.set(bound, (references.get(bound) ?? 0) + 1);
  }
  return `Hashmask: ${mask}, policy entries: ${flowCount}\n` +
    sas.map((sa, i) => block(sa, i, previous.get(sa), references.get(sa) ?? 0)).join("");
}

export async function run(args: string[]): Promise<number> {
  if (args[0] === "help" || args[0] === "--help") {
    print(HELP);
    return 0;
  }
  const unknown = args.find((word) => word !== "--json");
  if (unknown) throw new CommandError(`"${unknown}" is not known here: --json is the only option`);
  const { sas, flows } = await withEngine(async (client) => ({
    sas: await fetchSas(client),
    flows: await fetchFlows(client),
  }));
  print(args.length ? toJson({ policyEntries: flows.length, sas }) : formatKernIpsec(sas, flows.length));
  return 0;
}
