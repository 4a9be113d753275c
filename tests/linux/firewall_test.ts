import { assertEquals } from "@std/assert";
import { parseAddress } from "../../lib/ip/address.ts";
import type { ProbePacket } from "../../lib/linux/firewall.ts";
import { IptablesRules } from "../../lib/linux/iptables_save.ts";
import { NftRuleset } from "../../lib/linux/nft_ruleset.ts";

const EAST = parseAddress("192.168.25.9");
const WEST = parseAddress("192.168.5.1");
const ESP: ProbePacket = { family: 4, protocol: 50, source: EAST, destination: WEST, inputInterface: "eth0", mark: 0 };
const AH: ProbePacket = { ...ESP, protocol: 51 };
const IKE: ProbePacket = { ...ESP, protocol: 17, sourcePort: 500, destinationPort: 500 };
const PING: ProbePacket = { ...ESP, protocol: 1 };
const PACKETS = { ESP, AH, IKE, PING };

type Expr = readonly Record<string, unknown>[];
const match = (left: unknown, right: unknown, op = "==") => ({ match: { op, left, right } });
const meta = (key: string) => ({ meta: { key } });
const field = (protocol: string, name: string) => ({ payload: { protocol, field: name } });
const DROP = { drop: null };
const ACCEPT = { accept: null };
const jump = (target: string) => ({ jump: { target } });

/** A ruleset of one table as `nft -jn list ruleset` prints it: chain -> rules; `input` is a base chain. */
function nft(chains: Record<string, Expr[]>, policy = "accept", more: Record<string, unknown>[] = []): NftRuleset {
  const where = { family: "inet", table: "filter" };
  let handle = 0;
  const base = { type: "filter", hook: "input", prio: 0, policy };
  return new NftRuleset([
    ...more,
    ...Object.keys(chains).map((name) => ({ chain: { ...where, name, ...(name === "input" && base) } })),
    ...Object.entries(chains).flatMap(([chain, rules]) =>
      rules.map((expr) => ({ rule: { ...where, chain, handle: ++handle, expr } }))
    ),
  ], "inet ipsecbox");
}

/** What is dropped for certain: the packet's name -> handle, 0 for the policy. */
function drops(ruleset: NftRuleset): Record<string, number> {
  return Object.fromEntries(
    Object.entries(PACKETS).flatMap(([name, packet]) => {
      const drop = ruleset.findDrop(packet, ["prerouting", "input"]);
      return drop ? [[name, drop.handle ?? 0]] : [];
    }),
  );
}

Deno.test("nft: a rule for a protocol, a port, an address, an interface", () => {
  assertEquals(drops(nft({ input: [[match(meta("l4proto"), 50), DROP]] })), { ESP: 1 });
  assertEquals(drops(nft({ input: [[match(field("ip", "protocol"), { set: [50, 51] }), DROP]] })), { ESP: 1, AH: 1 });
  assertEquals(drops(nft({ input: [[match(field("udp", "dport"), { set: [500, 4500] }), { reject: {} }]] })), {
    IKE: 1,
  });
  assertEquals(drops(nft({ input: [[match(field("th", "dport"), { range: [400, 600] }), DROP]] })), { IKE: 1 });
  const from = (right: unknown) => drops(nft({ input: [[match(field("ip", "saddr"), right), DROP]] }));
  const everything = { ESP: 1, AH: 1, IKE: 1, PING: 1 };
  assertEquals(from("192.168.25.9"), everything);
  assertEquals(from({ prefix: { addr: "192.168.24.0", len: 23 } }), everything);
  assertEquals(from("10.0.0.1"), {});
  assertEquals(drops(nft({ input: [[match(meta("iifname"), "eth*"), DROP]] })), everything);
  assertEquals(drops(nft({ input: [[match(meta("nfproto"), 10), DROP]] })), {});
  assertEquals(drops(nft({ input: [[match(meta("l4proto"), 50, "!="), DROP]] })), { AH: 1, IKE: 1, PING: 1 });
});

Deno.test("nft: a policy of drop drops what no rule accepts; answers alone are not enough", () => {
  const rules = [
    [match({ ct: { key: "state" } }, [2, 4], "in"), ACCEPT],
    [match(meta("iifname"), "lo"), ACCEPT],
    [match(field("ip", "protocol"), 1), ACCEPT],
    [match(field("udp", "dport"), 500), { counter: { packets: 0, bytes: 0 } }, ACCEPT],
  ];
  assertEquals(drops(nft({ input: rules }, "drop")), { ESP: 0, AH: 0 });
});

Deno.test("nft: chains are jumped to and come back, verdict maps and named sets decide", () => {
  const set = {
    set: { family: "inet", table: "filter", name: "peers", elem: ["192.168.25.9", { elem: { val: "10.0.0.1" } }] },
  };
  const peers = [match(field("ip", "saddr"), "@peers"), match(meta("l4proto"), 50), ACCEPT];
  assertEquals(drops(nft({ input: [[jump("services")]], services: [peers] }, "drop", [set])), {
    AH: 0,
    IKE: 0,
    PING: 0,
  });
  const vmap = {
    vmap: { key: field("ip", "protocol"), data: { set: [[50, jump("services")], [51, DROP], [1, ACCEPT]] } },
  };
  assertEquals(drops(nft({ input: [[vmap]], services: [[{ return: null }], [DROP]] })), { AH: 1 });
  assertEquals(drops(nft({ input: [[{ goto: { target: "end" } }], [ACCEPT]], end: [] }, "drop")), {
    ESP: 0,
    AH: 0,
    IKE: 0,
    PING: 0,
  });
});

Deno.test("nft: what cannot be understood never makes a finding", () => {
  const unknown = { xt: { type: "match", name: "policy" } };
  assertEquals(drops(nft({ input: [[unknown, DROP]] })), {});
  assertEquals(drops(nft({ input: [[unknown, ACCEPT], [DROP]] })), {});
  assertEquals(drops(nft({ input: [[{ limit: { rate: 1 } }, ACCEPT]] }, "drop")), {});
  assertEquals(drops(nft({ input: [[match(field("ip", "saddr"), "@gone"), ACCEPT], [DROP]] })), {});
  assertEquals(drops(nft({ input: [[{ vmap: { key: field("ip", "protocol"), data: "@gone" } }], [DROP]] })), {});
  assertEquals(drops(nft({ input: [[jump("input")]] })), {}, "an endless loop of chains ends");
  assertEquals(drops(nft({ input: [[match(meta("l4proto"), 50), unknown, ACCEPT], [DROP]] })), {
    AH: 2,
    IKE: 2,
    PING: 2,
  });
});

Deno.test("nft: our own table is not looked at", () => {
  const ruleset = new NftRuleset([
    {
      chain: { family: "inet", table: "ipsecbox", name: "in", type: "filter", hook: "input", prio: 0, policy: "drop" },
    },
  ], "inet ipsecbox");
  assertEquals(drops(ruleset), {});
});

/** The names of packets that INPUT drops for certain, with the rule. */
function saved(...lines: string[]): Record<string, string> {
  const rules = new IptablesRules(["*nat", ":INPUT DROP [0:0]", "COMMIT", "*filter", ...lines, "COMMIT"].join("\n"));
  return Object.fromEntries(
    Object.entries(PACKETS).flatMap(([name, packet]) => {
      const drop = rules.findDrop(packet, "INPUT");
      return drop ? [[name, drop.rule ?? "policy"]] : [];
    }),
  );
}

Deno.test("iptables: rules, policies, chains and what is not understood", () => {
  const accept = ":INPUT ACCEPT [0:0]";
  assertEquals(saved(accept, "-A INPUT -p esp -j DROP"), { ESP: "-A INPUT -p esp -j DROP" });
  assertEquals(saved(accept, '-A INPUT -p udp -m udp --dport 500 -m comment --comment "no IKE" -j REJECT'), {
    IKE: '-A INPUT -p udp -m udp --dport 500 -m comment --comment "no IKE" -j REJECT',
  });
  assertEquals(saved(accept, "-A INPUT ! -s 192.168.25.0/24 -j DROP", "-A INPUT ! -p ah -i eth+ -j DROP"), {
    ESP: "-A INPUT ! -p ah -i eth+ -j DROP",
    IKE: "-A INPUT ! -p ah -i eth+ -j DROP",
    PING: "-A INPUT ! -p ah -i eth+ -j DROP",
  });
  assertEquals(
    saved(
      ":INPUT DROP [0:0]",
      ":vpn - [0:0]",
      "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
      "-A INPUT -j vpn",
      "-A INPUT -p icmp -j ACCEPT",
      "-A vpn -p udp -m multiport --dports 500,4500 -j ACCEPT",
      "-A vpn -p esp -j LOG --log-prefix x",
    ),
    { ESP: "policy", AH: "policy" },
  );
  assertEquals(saved(":INPUT DROP [0:0]", "-A INPUT -m set --match-set peers src -j ACCEPT"), {});
  assertEquals(saved(accept, "-A INPUT -m policy --dir in --pol none -j DROP"), {});
  assertEquals(saved(accept, ":a - [0:0]", ":b - [0:0]", "-A INPUT -j a", "-A a -j b", "-A b -j a"), {});
});

Deno.test("a packet that leaves is given another source address: nft and iptables, by interface, network, chain", () => {
  const packet = { family: 4, protocol: 6, source: WEST, destination: EAST, outputInterface: "enc0", mark: 0 } as const;
  const byNft = (...rules: Expr[]) => {
    const where = { family: "ip", table: "nat", chain: "post" };
    const rows = rules.map((expr, i) => ({ rule: { ...where, handle: i + 1, expr } }));
    const chain = { family: "ip", table: "nat", name: "post", type: "nat", hook: "postrouting", prio: 100 };
    return new NftRuleset([{ chain }, ...rows], "inet ipsecbox").findTranslation(packet);
  };
  const masquerade = { masquerade: null };
  assertEquals(byNft([masquerade]), { by: "nft", chain: "ip nat post", handle: 1 });
  assertEquals(byNft([match(meta("oifname"), "wan"), masquerade]), undefined);
  assertEquals(byNft([match(meta("oifname"), "lan", "!="), { snat: { addr: "192.0.2.1" } }])?.handle, 1);
  assertEquals(byNft([match(meta("oifname"), "enc0"), ACCEPT], [masquerade]), undefined);
  assertEquals(byNft([{ something: {} }, masquerade]), undefined, "not understood");
  const byIptables = (...rules: string[]) =>
    new IptablesRules(`*nat\n:POSTROUTING ACCEPT [0:0]\n:MINE - [0:0]\n${rules.join("\n")}\nCOMMIT\n`)
      .findTranslation(packet);
  const rule = "-A POSTROUTING -s 192.168.5.0/24 ! -o docker0 -j MASQUERADE";
  assertEquals(byIptables(rule), { by: "iptables", chain: "POSTROUTING", rule });
  assertEquals(byIptables("-A POSTROUTING -o enc0 -j ACCEPT", rule), undefined);
  assertEquals(byIptables("-A POSTROUTING -j MINE", "-A MINE -j SNAT --to-source 192.0.2.1")?.chain, "MINE");
  assertEquals(byIptables("-A POSTROUTING -m policy --dir out --pol none -j MASQUERADE"), undefined);
});
