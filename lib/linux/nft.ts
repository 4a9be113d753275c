/** Runs nftables' program, `nft`. @module */
import { check, cString, libc } from "../ffi/libc.ts";
import { decodeText, encodeText } from "../octets/bytes.ts";

/** Our table, which is ours alone. */
export const NFT_TABLE = "inet ipsecbox";

/** linux/netfilter.h: protocol families, of which `meta nfproto` has IPv4 and IPv6. */
export const NFPROTO = { UNSPEC: 0, INET: 1, IPV4: 2, IPV6: 10 } as const;

const PROGRAMS = ["nft", "/usr/sbin/nft", "/sbin/nft"];

function command(args: string[]): Deno.CommandOutput | undefined {
  for (const program of PROGRAMS) {
    try {
      return new Deno.Command(program, { args, stdin: "null" }).outputSync();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return undefined;
}

/** What `nft -jn ARGUMENTS...` answers, all numbers as numbers; empty where it fails or is missing. */
export function askNft(args: readonly string[]): readonly Readonly<Record<string, unknown>>[] {
  const output = command(["-jn", ...args]);
  if (!output?.success) return [];
  try {
    const { nftables } = JSON.parse(decodeText(output.stdout)) as { nftables?: Record<string, unknown>[] };
    return nftables ?? [];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

/** Runs a script as one transaction; returns what went wrong. */
export function runNft(script: string): string | undefined {
  const { memfd_create, writeBuffer, close } = libc();
  // The script reaches nft through memory: no file, and no pipe that would need the event loop.
  const fd = check(memfd_create(cString("nft"), 0), "keep an nft script in memory");
  try {
    for (let octets = encodeText(script); octets.length;) {
      const written = check(writeBuffer(fd, octets, BigInt(octets.length)), "keep an nft script in memory");
      octets = octets.subarray(written);
    }
    // nft inherits the descriptor; the files of this process, which holds keys, are closed to others.
    const output = command(["-f", `/proc/self/fd/${fd}`]);
    if (!output) return "install nftables";
    if (output.success) return undefined;
    const [line] = decodeText(output.stderr).split("\n");
    return `nft says "${line.replace(/^\S*?:\d+:\d+(-\d+)?: /, "").trim()}"`;
  } finally {
    close(fd);
  }
}

/** Removes our table, also one that an engine which is no more has left. @returns what went wrong */
export function removeTable(): string | undefined {
  return runNft(`add table ${NFT_TABLE}\ndelete table ${NFT_TABLE}\n`);
}
