import { assert, assertEquals } from "@std/assert";
import { decodeText } from "../../lib/octets/bytes.ts";
import { ipsecboxCommand, waitFor } from "./topology.ts";

/** Starts `ipsecbox bench ARGUMENTS...` on this host. */
function bench(...args: string[]): Deno.ChildProcess {
  const [program, ...words] = [...ipsecboxCommand(), "bench", ...args];
  return new Deno.Command(program, { args: words, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
}

/** Namespaces that a process of `bench` has made. */
function namespacesOf(pid: number): string[] {
  const { stdout } = new Deno.Command("ip", { args: ["netns", "list"] }).outputSync();
  return decodeText(stdout).split("\n").filter((line) => line.startsWith(`ipsecbox-bench-${pid}-`));
}

Deno.test("bench measures tunnels beside plain veth and leaves nothing behind", async () => {
  const child = bench("--only", "tunnel", "--seconds", "0.2", "--json");
  const { success, stdout, stderr } = await child.output();
  assert(success, decodeText(stderr));
  const { tunnel } = JSON.parse(decodeText(stdout));
  assertEquals(tunnel.map(({ name }: { name: string }) => name), [
    "plain veth",
    "ESP in UDP, aes-gcm",
    "ESP, aes-gcm",
    "ESP in UDP, aes + sha2-256",
    "ESP in UDP, 3des + sha1",
  ]);
  for (const { name, mbits, tripMs, tripMostMs } of tunnel) {
    assert(mbits > 1 && tripMs > 0 && tripMostMs >= tripMs, `${name}: ${mbits} Mbit/s, ${tripMs}, ${tripMostMs} ms`);
  }
  assertEquals(namespacesOf(child.pid), []);
});

Deno.test("bench that is told to end removes its namespaces and ends what runs in them", async () => {
  const child = bench("--only", "tunnel", "--seconds", "600");
  await waitFor(() => namespacesOf(child.pid).length === 2, "bench to make its namespaces", 20_000);
  const b = `ipsecbox-bench-${child.pid}-b`;
  let pids: string[] = [];
  await waitFor(
    () => {
      const { stdout } = new Deno.Command("ip", { args: ["netns", "pids", b] }).outputSync();
      pids = decodeText(stdout).split("\n").filter(Boolean);
      return pids.length > 0;
    },
    "the receiver",
    20_000,
  );
  child.kill("SIGTERM");
  const { code } = await child.output();
  assertEquals([code, namespacesOf(child.pid)], [1, []]);
  assertEquals(
    pids.filter((pid) => {
      try {
        return Deno.statSync(`/proc/${pid}`).isDirectory;
      } catch {
        return false;
      }
    }),
    [],
  );
});
