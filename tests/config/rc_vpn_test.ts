import { assertEquals } from "@std/assert";
import { formatFault } from "../../lib/config/ini.ts";
import { parseVariables, type Variables, vpnCommands } from "../../lib/config/rc_vpn.ts";

const environment = (values: Record<string, string>): Variables =>
  new Map(Object.entries(values).map(([name, value]) => [name, { file: "environment", line: 0, value }]));
const lines = (variables: Variables) => vpnCommands(variables).commands.map((words) => words.join(" "));
const complaints = (variables: Variables) => vpnCommands(variables).faults.map(formatFault);

/** The net-to-net example of 13.6. */
const FAQ = {
  GW_LOCAL: "208.1.1.1",
  GW_PEER: "208.2.2.2",
  LOCAL_NET_0: "192.168.99.0/255.255.255.0",
  REMOTE_NET_0: "208.1.2.0/255.255.255.0",
  REMOTE_NET_1: "208.1.5.0/255.255.255.0",
};

Deno.test("the FAQ's three networks are 2 SAs and 12 flows, in its order", () => {
  const sa = (from: string, to: string, spi: string) =>
    `ipsecadm new esp -src ${from} -dst ${to} -forcetunnel -spi ${spi} -enc 3des -auth sha1 ` +
    "-keyfile /etc/esp-enc-key -authkeyfile /etc/esp-auth-key";
  const flow = (spi: string, from: string, to: string, direction: string) =>
    `ipsecadm flow -proto esp -src 208.1.1.1 -dst 208.2.2.2 -spi ${spi} -addr ${from} ${to} ${direction} -require`;
  const gateways = ["208.1.1.1 255.255.255.255", "208.2.2.2 255.255.255.255"];
  const [net, first, second] = ["192.168.99.0", "208.1.2.0", "208.1.5.0"].map((each) => `${each} 255.255.255.0`);
  const pairs = [
    gateways,
    [net, first],
    [net, second],
    [gateways[0], first],
    [gateways[0], second],
    [net, gateways[1]],
  ];
  assertEquals(lines(environment(FAQ)), [
    sa("208.1.1.1", "208.2.2.2", "1000"),
    sa("208.2.2.2", "208.1.1.1", "1001"),
    ...pairs.flatMap(([here, there]) => [flow("1000", here, there, "-out"), flow("1001", there, here, "-in")]),
  ]);
});

Deno.test("the variables of 2003: flush, SAs, ESP bypassed, every pair; an empty ENC leaves out the SAs", () => {
  const variables = {
    GW_LOCAL: "208.1.1.1",
    GW_REMOTE: "208.2.2.2",
    LOCAL_NETWORKS: "192.168.99.0/24",
    REMOTE_NETWORKS: " 208.1.2.0/24  208.1.5.0/24 ",
  };
  const all = lines(environment(variables));
  assertEquals(all.length, 1 + 2 + 2 * 2 * 3 + 2);
  assertEquals(all[0], "ipsecadm flush");
  assertEquals(
    all[3],
    "ipsecadm flow -out -bypass -proto esp -src 208.1.1.1 -dst 208.2.2.2 -addr 208.1.1.1/32 208.2.2.2/32 -transport esp",
  );
  assertEquals(
    all.at(-1),
    "ipsecadm flow -in -require -proto esp -src 208.1.1.1 -dst 208.2.2.2 -addr 208.1.5.0/24 192.168.99.0/24",
  );
  assertEquals(lines(environment({ ...variables, ENC: "" })).filter((line) => line.includes("new esp")), []);
});

Deno.test("IPv6 networks, other algorithms, keys and SPIs", () => {
  const all = lines(environment({
    GW_LOCAL: "2001:db8::1",
    GW_PEER: "2001:db8::2",
    LOCAL_NET_0: "2001:db8:1::/48",
    REMOTE_NET_0: "2001:db8:2::/ffff:ffff:ffff::",
    ENC: "aes",
    AUTH: "sha2-256",
    SPI_OUT: "2000",
    SPI_IN: "2001",
    KEYFILE: "/etc/k",
    AUTHKEYFILE: "/etc/a",
  }));
  assertEquals(all.length, 2 + 8);
  assertEquals(
    all[1],
    "ipsecadm new esp -src 2001:db8::2 -dst 2001:db8::1 -forcetunnel -spi 2001 -enc aes -auth sha2-256 " +
      "-keyfile /etc/k -authkeyfile /etc/a",
  );
  assertEquals(all[4].includes("-addr 2001:db8:1:: ffff:ffff:ffff:: 2001:db8:2:: ffff:ffff:ffff:: -out"), true);
});

Deno.test("what is missing or wrong is told with its place", () => {
  const { GW_LOCAL: _, ...noLocal } = FAQ;
  assertEquals(complaints(environment(noLocal)), ["environment: GW_LOCAL is needed: the address of this gateway"]);
  assertEquals(complaints(environment({ ...FAQ, GW_PEER: "gw.example" })), [
    'environment: GW_PEER: "gw.example" is no numeric IP address',
  ]);
  assertEquals(complaints(environment({ ...FAQ, GW_REMOTE: "208.2.2.2" })).length, 1);
  const { variables } = parseVariables(
    "GW_LOCAL=208.1.1.1\nGW_PEER=208.2.2.2\nLOCAL_NET_0=192.168.99.0\nREMOTE_NET_0=10.0.0.0/255.0.255.0\n",
    "vpn.conf",
  );
  assertEquals(complaints(variables), [
    'vpn.conf:3: LOCAL_NET_0: "192.168.99.0": NET/MASK is needed',
    "vpn.conf:4: REMOTE_NET_0: Cannot use mask 255.0.255.0: its one bits must be contiguous",
  ]);
});

Deno.test("assignments are read as a shell would, and nothing is executed", () => {
  const { variables, faults } = parseVariables(
    `# rc.vpn
#DEBUG=echo
export NET=192.168.99
LOCAL_NET_0="\${NET}.0/255.255.255.0"  # ours
REMOTE_NETWORKS='10.0.0.0/8 $NET'
ENC=   ;  # none
A=a\\ b
`,
    "f",
  );
  assertEquals(faults, []);
  assertEquals([...variables].map(([name, { value, line }]) => [name, value, line]), [
    ["NET", "192.168.99", 3],
    ["LOCAL_NET_0", "192.168.99.0/255.255.255.0", 4],
    ["REMOTE_NETWORKS", "10.0.0.0/8 $NET", 5],
    ["ENC", "", 6],
    ["A", "a b", 7],
  ]);
  const bad = ["if [ x ]; then", "A=b c", "A=`id`", "A=$(id)", "A=$B", 'A="b', "A=b|c", "A=$1", "1A=b", "A =b"];
  for (const text of bad) assertEquals(parseVariables(`X=1\n${text}`, "f").faults.map(({ line }) => line), [2], text);
});
