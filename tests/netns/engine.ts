// Engines and manual keys for the namespace tests.
import { formatHex } from "../../lib/octets/hex.ts";
import { type Background, type Host, waitFor } from "./topology.ts";

/** Starts the engine and waits until it moves packets. */
export async function startEngine(host: Host, ...args: string[]): Promise<Background> {
  const engine = host.startIpsecbox(["enc", ...args]);
  await waitFor(
    () => {
      if (engine.ended()) throw new Error(`the engine of ${host.name} ended: ${engine.output()}`);
      return engine.output().includes("ready");
    },
    `the engine of ${host.name}`,
    20_000,
  );
  return engine;
}

/** Runs one ipsecadm line. */
export function ipsecadm(host: Host, line: string): Promise<{ code: number; stdout: string; stderr: string }> {
  return host.ipsecbox(["ipsecadm", ...line.split(" ")]);
}

/** Runs many ipsecadm lines over one connection. */
export function ipsecadmAll(host: Host, lines: readonly string[]): Promise<unknown> {
  return host.ipsecbox(["ipsecadm", "-f", "-"], { input: lines.join("\n") + "\n" });
}

/** A key of so many octets that is the same in every run. */
export function key(octets: number, seed = 1): string {
  return formatHex(new Uint8Array(octets).map((_, i) => (i * 37 + seed * 11 + 5) % 251));
}

export interface End {
  readonly host: Host;
  readonly address: string;
}

/**
 * The lines for both ends: SAs 0x1000 (west to east) and 0x1001 (back), and `-require` flows for the pairs of prefixes
 * (west's side first). `sa` is what follows -spi.
 */
export async function protect(
  [west, east]: readonly [End, End],
  sa: string,
  pairs: readonly (readonly [string, string])[],
  flow = "-proto esp",
): Promise<void> {
  const command = sa.startsWith("new") || sa.startsWith("old") ? "" : "new esp ";
  const lines = [
    `${command}${sa.replace(/^((?:new|old) \w+) /, `$1 -src ${west.address} -dst ${east.address} -spi 1000 `)}`,
    `${command}${sa.replace(/^((?:new|old) \w+) /, `$1 -src ${east.address} -dst ${west.address} -spi 1001 `)}`,
  ];
  for (const [own, peer, mirrored] of [[west, east, false], [east, west, true]] as const) {
    const flows = pairs.flatMap(([l, r]) => {
      const [a, b] = mirrored ? [r, l] : [l, r];
      return [
        `flow ${flow} -src ${own.address} -dst ${peer.address} -addr ${a} ${b} -out -require`,
        `flow ${flow} -src ${own.address} -dst ${peer.address} -addr ${b} ${a} -in -require`,
      ];
    });
    await ipsecadmAll(own.host, [...lines, ...flows]);
  }
}
