import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { formatCrypto, formatTunnel, parseOptions } from "../../lib/cli/bench.ts";
import { bar, barStyle } from "../../lib/cli/bench/chart.ts";
import { measureCrypto, megabits, nanoseconds, subjects } from "../../lib/cli/bench/crypto.ts";
import { receive, send } from "../../lib/cli/bench/stream.ts";
import { CommandError } from "../../lib/cli/command.ts";
import { AUTHENTICATORS, ESP_CIPHERS } from "../../lib/crypto/algorithms.ts";
import { createNodeCrypto } from "../../lib/crypto/node.ts";
import { parseAddress } from "../../lib/ip/address.ts";
import { createArena } from "../../lib/octets/arena.ts";
import { runHere } from "./run.ts";

Deno.test("bench takes --json, --only and --seconds, and receive and send with their words", () => {
  const all = { action: "measure", words: [], json: false, crypto: true, tunnel: true, seconds: 2 };
  assertEquals(parseOptions([]) as unknown, all);
  assertEquals(parseOptions(["--only", "crypto", "--json", "--seconds", "0.5"]) as unknown, {
    ...all,
    json: true,
    tunnel: false,
    seconds: 0.5,
  });
  assertEquals(parseOptions(["--only=tunnel"]).crypto, false);
  assertEquals(parseOptions(["send", "192.0.2.1", "77"]).words, ["192.0.2.1", "77"]);
  assertEquals(parseOptions(["receive"]).action, "receive");
});

Deno.test("bench says which argument is wrong and what is allowed", () => {
  for (
    const [args, words] of [
      [["--only", "disk"], `--only "disk": crypto or tunnel is allowed`],
      [["--seconds", "0"], `--seconds "0": 0.1 to 3600 are allowed`],
      [["--seconds", "soon"], `--seconds "soon"`],
      [["--fast"], `unknown option "--fast"`],
      [["sned"], `"sned" is not known here: receive and send are`],
      [["receive", "1", "2"], `"2" is one word too many`],
    ] as const
  ) {
    const error = assertThrows(() => parseOptions(args), CommandError);
    assert(error.message.startsWith(words), error.message);
    assertEquals(error.status, 2);
  }
});

Deno.test("bench send and receive refuse what is no address or port", async () => {
  assertEquals((await runHere(["bench", "send"])).status, 2);
  assertEquals((await runHere(["bench", "send", "gateway"])).status, 2);
  assertMatch((await runHere(["bench", "receive", "70000"])).err, /port "70000": 1 to 65535 are allowed/);
});

Deno.test("bars are drawn in eighths of a cell, in ASCII, or not at all", () => {
  assertEquals(bar(1, 4, "blocks"), "████");
  assertEquals(bar(0.5, 4, "blocks"), "██");
  assertEquals(bar(0.53, 4, "blocks"), "██▏");
  assertEquals(bar(0.001, 4, "blocks"), "▏");
  assertEquals(bar(0.5, 4, "ascii"), "##");
  assertEquals(bar(0.001, 4, "ascii"), "#");
  assertEquals([bar(0, 4, "blocks"), bar(1, 4, "none"), bar(7, 4, "ascii")], ["", "", "####"]);
});

Deno.test("bars need a terminal, fine ones a locale of UTF-8", () => {
  const of = (environment: Record<string, string>, isTerminal = true) =>
    barStyle(isTerminal, (name) => environment[name]);
  assertEquals(of({ LANG: "de_DE.UTF-8" }), "blocks");
  assertEquals(of({ LANG: "de_DE.UTF-8", LC_ALL: "C" }), "ascii");
  assertEquals(of({ LC_CTYPE: "C.utf8", LANG: "C" }), "blocks");
  assertEquals(of({}), "ascii");
  assertEquals(of({ LANG: "de_DE.UTF-8" }, false), "none");
});

Deno.test("the chart of ciphers has a bar by the slower direction's rate of long packets", () => {
  const results = [
    { name: "aes-gcm-128", kind: "cipher", sealNs: [300, 500], openNs: [310, 560] },
    { name: "3des", kind: "cipher", sealNs: [2500, 44800], openNs: [2500, 44000] },
  ] as const;
  assertEquals(formatCrypto(results, { style: "none", width: 80 }), [
    "ns a packet  seal 64  open 64  seal 1400  open 1400  Mbit/s",
    "aes-gcm-128      300      310        500        560   20000",
    "3des            2500     2500      44800      44000     250",
  ]);
  assertEquals(formatCrypto(results, { style: "blocks", width: 80 }).slice(1), [
    `aes-gcm-128      300      310        500        560   20000  ${"█".repeat(19)}`,
    "3des            2500     2500      44800      44000     250  ▎",
  ]);
});

Deno.test("the chart of tunnels tells the share of plain veth and what a round trip takes longer", () => {
  assertEquals(
    formatTunnel([
      { name: "plain veth", mbits: 14600, ofPlain: 1, tripMs: 0.031 },
      { name: "ESP in UDP, aes-gcm", mbits: 5110, ofPlain: 0.35, tripMs: 0.11, addedMs: 0.079 },
      { name: "ESP, aes-gcm", mbits: 3212.4, ofPlain: 0.22 },
    ], { style: "ascii", width: 70 }),
    [
      "TCP, one stream      of veth  trip ms  added  Mbit/s",
      `plain veth             100 %     0.03      -   14600  ${"#".repeat(16)}`,
      `ESP in UDP, aes-gcm     35 %     0.11   0.08    5110  ${"#".repeat(6)}`,
      `ESP, aes-gcm            22 %        -      -    3212  ${"#".repeat(4)}`,
    ],
  );
});

Deno.test("every cipher and authenticator of the registries is measured", () => {
  const arena = createArena(1 << 16);
  const backend = createNodeCrypto(arena);
  const names = [...subjects(backend, arena, 1)].map(({ name }) => name);
  const measured = (row: string) => names.some((name) => name === row || name.startsWith(`${row}-`));
  const missing = [...ESP_CIPHERS, ...AUTHENTICATORS].map(({ name }) => name).filter((name) => !measured(name));
  assertEquals(missing, ["null"]);
  assertEquals(new Set(names).size, names.length);
});

Deno.test("measuring takes one figure for each size and direction", () => {
  const arena = createArena(1 << 16);
  const seen: string[] = [];
  const results = measureCrypto(createNodeCrypto(arena), arena, 0.01, (name) => seen.push(name));
  assertEquals(results.map(({ name }) => name), seen);
  for (const { name, sealNs, openNs } of results) {
    assertEquals([sealNs.length, openNs.length], [2, 2], name);
    assert([...sealNs, ...openNs].every((ns) => ns > 0 && ns < Infinity), `${name}: ${sealNs} ${openNs}`);
  }
});

Deno.test("nanoseconds are those of one call, megabits those of its packets", () => {
  const spin = (ms: number) => {
    for (const end = performance.now() + ms; performance.now() < end;);
  };
  const ns = nanoseconds((count) => spin(count * 0.01), 2);
  assert(ns >= 10_000 && ns < 1e6, `${ns}`);
  assertEquals(megabits(1400, 1120), 10_000);
});

Deno.test("a receiver counts what a sender sends, and outlives one that goes away", async () => {
  const port = await new Promise<number>((resolve) => void receive(0, resolve));
  (await Deno.connect({ hostname: "127.0.0.1", port })).close();
  const mbits = await send(parseAddress("127.0.0.1"), port, 0.1);
  assert(mbits > 1 && mbits < 1e6, `${mbits}`);
});
