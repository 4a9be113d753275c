import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { statusLines } from "../../lib/cli/status/screen.ts";
import { formatAmount, formatDuration, formatOctets } from "../../lib/cli/status/text.ts";
import { parseReport } from "../../lib/daemon/key_daemons.ts";
import { formatMetrics, METRICS, parseMetricsAddress } from "../../lib/daemon/metrics.ts";
import { saView, snapshot } from "./snapshots.ts";

Deno.test("the screen tells engine, traffic, drops by reason, cleartext, daemons, SAs and flows", () => {
  const limited = saView(1, {
    hard: { allocations: 0, bytes: 1_000_000, addSeconds: 3600, useSeconds: 100 },
    drops: 3,
  });
  const lines = statusLines({
    snapshot: snapshot({ sas: [saView(0), limited] }),
    interfaceName: "enc0",
    isakmpd: {
      name: "isakmpd",
      process: 4712,
      report: { connections: ["west-east: up"], exchanges: [], peers: [], phase1: 1, phase2: 2 },
    },
  });
  assertEquals(
    lines,
    [
      "engine     process 4711, up 2 h 13 m, interface enc0, libcrypto",
      "traffic    in 12 packets 1.2 kB, out 10 packets 1.0 kB",
      "cleartext  5 dropped by policy, 0 held back",
      "drops      esp 3 that failed authentication",
      "isakmpd    process 4712, 1 phase 1 SA, 2 phase 2 pairs, 0 exchanges",
      "           connection west-east: up",
      "photurisd  not running",
      "",
      "SA                   peer          algorithms    state       age              left  packets  bytes  drops",
      "esp 0x00001000  out  192.168.25.9  aes-128 sha1  mature  2 m 5 s          no limit       10  840 B      0",
      "esp 0x00001001  in   192.168.25.9  aes-128 sha1  mature  2 m 5 s  1 m 30 s, 999 kB       10  840 B      3",
      "",
      "flow           source          destination      protocol  through",
      "out   require  192.168.5.1/32  192.168.25.9/32  any       esp 192.168.25.9",
    ].map((line) => line.trimEnd()),
  );
});

Deno.test("numbers are short and right", () => {
  assertEquals([0, 59, 60, 3600, 7980, 90000].map(formatDuration), [
    "0 s",
    "59 s",
    "1 m",
    "1 h",
    "2 h 13 m",
    "1 d 1 h",
  ]);
  assertEquals([0, 999, 1000, 12345, 999_999, 5e9].map((number) => formatAmount(number)), [
    "0",
    "999",
    "1.0 k",
    "12.3 k",
    "1000 k",
    "5.0 G",
  ]);
  assertEquals(formatOctets(12), "12 B");
});

Deno.test("metrics have conventional names, each with help and type, counters ending in _total", () => {
  for (const { name, type, help } of METRICS) {
    assertMatch(name, /^ipsecbox(_[a-z0-9]+)+$/);
    assertEquals(name.endsWith("_total"), type === "counter", name);
    assert(help.endsWith("."));
  }
  const text = formatMetrics(snapshot());
  const samples = text.split("\n").filter((line) => line && !line.startsWith("#"));
  for (const line of samples) assertMatch(line, /^[a-z0-9_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.]+$/);
  assertEquals(new Set(samples.map((line) => line.replace(/ \S+$/, ""))).size, samples.length, "no sample twice");
  const labels =
    `protocol="esp",spi="0x00001000",source="192.168.5.1",destination="192.168.25.9",direction="out",peer="192.168.25.9"`;
  assert(samples.includes(`ipsecbox_sa_bytes_total{${labels}} 840`));
  assert(samples.includes(`ipsecbox_drops_total{protocol="esp",reason="badIcv"} 3`));
  assert(samples.includes("ipsecbox_cleartext_dropped_total 5"));
  assert(samples.includes(`ipsecbox_flows{direction="out",type="require"} 1`));
});

Deno.test("Grafana's dashboard asks for metrics that exist", () => {
  const url = new URL("../../examples/grafana/ipsecbox.json", import.meta.url);
  const names = Deno.readTextFileSync(url).match(/ipsecbox_[a-z0-9_]+/g) ?? [];
  assert(names.length > 10);
  for (const name of names) assert(METRICS.some((metric) => metric.name === name), name);
  const used = new Set(names);
  assertEquals(METRICS.filter(({ name }) => name.endsWith("_total") && !used.has(name)).map(({ name }) => name), []);
});

Deno.test("metrics go to this host alone unless an address is given", () => {
  assertEquals(parseMetricsAddress("9468"), { hostname: "127.0.0.1", port: 9468 });
  assertEquals(parseMetricsAddress("[::1]:9468"), { hostname: "::1", port: 9468 });
  assertEquals(parseMetricsAddress("0.0.0.0:80"), { hostname: "0.0.0.0", port: 80 });
  for (const text of ["", "x", "0", "65536", "localhost:80", "1.2.3:80", "::1:80"]) {
    assertThrows(() => parseMetricsAddress(text), SyntaxError, text);
  }
});

Deno.test("isakmpd's report is taken apart by its sections", () => {
  assertEquals(parseReport("* SAs\nSA name: a (Phase 2)\n\n* Exchanges\nnone\n\n* Counters\na: 1\nb: 2\n"), {
    SAs: ["SA name: a (Phase 2)"],
    Exchanges: [],
    Counters: ["a: 1", "b: 2"],
  });
});
