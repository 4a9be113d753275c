import { assertEquals } from "@std/assert";
import { formatKernIpsec } from "../../lib/cli/kern_ipsec.ts";
import { formatEncap, formatStatistics, shortPrefix } from "../../lib/cli/netstat.ts";
import { describeFlowView, describeSaView } from "../../lib/cli/ipsecadm/show.ts";
import { type FlowView, parseStatistics, type SaView } from "../../lib/daemon/engine_views.ts";

const NONE = { allocations: 0, bytes: 0, addSeconds: 0, useSeconds: 0 };

const SA: SaView = {
  protocol: "esp",
  spi: 0x1000,
  source: "208.1.1.1",
  destination: "208.2.2.2",
  state: "mature",
  encryption: { name: "3des", kernelName: "3DES", keyBits: 192 },
  authentication: { name: "sha1", kernelName: "HMAC-SHA1", keyBits: 160 },
  tunnel: true,
  oldHeader: false,
  halfIv: false,
  randomPadding: false,
  replayWindow: 0,
  ageSeconds: 125,
  firstUsed: 1000,
  lastUsed: 1100,
  packets: 70,
  bytes: 8812,
  allocations: 12,
  drops: 0,
  sequence: 70,
  hard: NONE,
  soft: NONE,
  usedSeconds: 100,
  flags: 4,
};

const FLOW: FlowView = {
  source: "192.168.99.0/24",
  destination: "208.1.2.0/24",
  transport: 0,
  sourcePort: 0,
  destinationPort: 0,
  direction: "out",
  type: "require",
  protocol: "esp",
  peer: "208.2.2.2",
  static: true,
};

Deno.test("netstat -rn -f encap has the columns of OpenBSD 2.8", () => {
  const flows: FlowView[] = [
    FLOW,
    { ...FLOW, source: FLOW.destination, destination: FLOW.source, direction: "in" },
    { ...FLOW, source: "208.1.1.1/32", destination: "208.2.2.2/32" },
    { ...FLOW, source: "0.0.0.0/0", destination: "10.0.0.0/8", transport: 6, destinationPort: 23, type: "deny" },
    { ...FLOW, source: "2001:db8:1::/48", destination: "2001:db8:2::/48", protocol: "ah", peer: undefined },
  ];
  assertEquals(
    formatEncap(flows),
    `Encap:
Source             Port  Destination        Port  Proto SA(Address/Proto/Type/Direction)
192.168.99/24      0     208.1.2/24         0     0     208.2.2.2/50/require/out
208.1.2/24         0     192.168.99/24      0     0     208.2.2.2/50/require/in
208.1.1.1/32       0     208.2.2.2/32       0     0     208.2.2.2/50/require/out
0/0                0     10/8               23    6     deny/out
2001:db8:1::/48    0     2001:db8:2::/48    0     0     ::/51/require/out
`,
  );
  assertEquals(["10.1.0.0/16", "192.168.5.1/32", "10.0.0.128/25"].map(shortPrefix), [
    "10.1/16",
    "192.168.5.1/32",
    "10.0.0.128/25",
  ]);
});

Deno.test("kern-ipsec has the text of /kern/ipsec", () => {
  assertEquals(
    formatKernIpsec([SA], 2),
    `Hashmask: 31, policy entries: 2
SPI = 00001000, Destination = 208.2.2.2, Sproto = 50
	Established 125 seconds ago
	Source = 208.1.1.1
	Flags (00000004) = <tunneling>
	Crypto ID: 1
	xform = <IPsec ESP>
		Encryption = <3DES>
		Authentication = <HMAC-SHA1>
	12 flows have used this SA
	8812 bytes processed by this SA
	Expirations:
		(none)

`,
  );
});

Deno.test("kern-ipsec shows bundles, bindings, flags and expirations", () => {
  const ah: SaView = {
    ...SA,
    protocol: "ah",
    spi: 0x2000,
    encryption: undefined,
    tunnel: false,
    oldHeader: true,
    flags: 0x100,
    proxy: "10.0.0.1",
    state: "dying",
    hard: { allocations: 5, bytes: 9000, addSeconds: 200, useSeconds: 150 },
    soft: { allocations: 4, bytes: 8000, addSeconds: 100, useSeconds: 90 },
  };
  const outer = { protocol: "ah", spi: 0x2000, destination: "208.2.2.2" } as const;
  const inbound: SaView = {
    ...SA,
    source: "208.2.2.2",
    destination: "208.1.1.1",
    bound: { protocol: "esp", spi: 0x1000, destination: "208.2.2.2" },
    state: "larval",
    soft: { ...NONE, useSeconds: 60, addSeconds: 500 },
    firstUsed: 0,
  };
  const text = formatKernIpsec([{ ...SA, outer }, ah, inbound], 0).split("\n");
  for (
    const line of [
      "\tNext SA: SPI = 00002000, Destination = 208.2.2.2, Sproto = 51",
      "\tPrevious SA: SPI = 00001000, Destination = 208.2.2.2, Sproto = 50",
      "\tBound SA: SPI = 00001000, Destination = 208.2.2.2, Sproto = 50",
      "\tReferenced by 1 incoming SA(s)",
      "\tSource = 208.1.1.1, Proxy = 10.0.0.1",
      "\tFlags (00000100) = <noreplay>",
      "\tFlags (00000004) = <invalid, tunneling>",
      "\txform = <IPsec AH>",
      "\t\tHard expiration(1) in 75 seconds",
      "\t\tHard expiration after 9000 bytes",
      "\t\tHard expiration after 5 flows",
      "\t\tHard expiration(2) in 50 seconds",
      "\t\tSoft expiration(1) in 375 seconds",
      "\t\tSoft expiration in 60 seconds after first use",
    ]
  ) assertEquals(text.filter((each) => each === line).length, 1, line);
  // A dying SA's soft limits have passed.
  assertEquals(text.filter((line) => line.includes("Soft")).length, 2);
});

Deno.test("netstat -s tells every reason for a drop", () => {
  const counters = parseStatistics("esp.inputPackets=12\nesp.badIcv=3\nah.inputPackets=1\nesp.outputOctets=900");
  assertEquals(counters, { esp: { inputPackets: 12, badIcv: 3, outputOctets: 900 }, ah: { inputPackets: 1 } });
  const text = formatStatistics("esp", counters.esp).split("\n");
  assertEquals(text.slice(0, 5), [
    "esp:",
    "\t12 input ESP packets",
    "\t0 output ESP packets",
    "\t0 input bytes",
    "\t900 output bytes",
  ]);
  for (const line of ["\t3 packets that failed authentication", "\t0 packets with bad padding"]) {
    assertEquals(text.includes(line), true, line);
  }
});

Deno.test("show says what an SA and a flow are", () => {
  assertEquals(
    describeSaView({
      ...SA,
      hard: { ...NONE, addSeconds: 86400, bytes: 5 },
      outer: { protocol: "ah", spi: 0x2000, destination: "208.2.2.2" },
      udpPort: 4500,
    }),
    `esp 0x00001000 from 208.1.1.1 to 208.2.2.2 tunnel
	mature, enc 3des (192 bits), auth sha1 (160 bits), no replay protection, in UDP to port 4500
	age 125 s, 70 packets, 8812 bytes, 0 dropped
	hard limit: 86400 s, 5 bytes
	then ah 0x00002000 to 208.2.2.2`,
  );
  assertEquals(
    describeFlowView({ ...FLOW, spi: 0x1000, local: "208.1.1.1", transport: 6, sourcePort: 25, static: false }),
    `flow out require 192.168.99.0/24 port 25 -> 208.1.2.0/24 protocol 6 (by key management)
	esp, peer 208.2.2.2, local 208.1.1.1, SPI 0x00001000`,
  );
  assertEquals(describeFlowView({ ...FLOW, type: "deny" }), "flow out deny 192.168.99.0/24 -> 208.1.2.0/24");
});
