// The commands against a real engine core behind its socket; only the datapath is missing.
import { assert, assertEquals } from "@std/assert";
import { EngineProcess } from "../daemon/pfkey_engine.ts";
import { type Outcome, runHere } from "./run.ts";

const K = "0123456789abcdef23456789abcdef01456789abcdef0123";
const A = "000102030405060708090a0b0c0d0e0f10111213";

/** An engine, a configuration directory, and commands that find both. */
async function withEngine(
  work: (
    run: (line: string, more?: Record<string, string>) => Promise<Outcome>,
    process: EngineProcess,
  ) => Promise<void>,
): Promise<void> {
  await using process = await EngineProcess.start({
    statistics: () => ({ "esp.inputPackets": 7, "esp.replayOld": 2, "ah.inputPackets": 0 }),
  });
  const environment = { IPSECBOX_RUN: process.directory, IPSECBOX_ETC: `${process.directory}/etc` };
  const run = (line: string, more: Record<string, string> = {}) =>
    runHere(line.split(" "), { ...environment, ...more });
  await work(run, process);
}

/** A key file in the engine's directory. */
function keyFile(directory: string, name: string, text: string, mode = 0o600): string {
  const path = `${directory}/${name}`;
  Deno.writeTextFileSync(path, text);
  Deno.chmodSync(path, mode);
  return path;
}

Deno.test("the host-to-host example of 13.6 as written, and flush", () =>
  withEngine(async (run, process) => {
    const [k, a] = [keyFile(process.directory, "k", `${K}\n`), keyFile(process.directory, "a", `${A}\n`)];
    const sa = "ipsecadm new esp -forcetunnel -enc 3des -auth sha1";
    const hosts = ["192.168.5.1 255.255.255.255", "192.168.25.9 255.255.255.255"];
    const flow = "ipsecadm flow -proto esp -src 192.168.5.1 -dst 192.168.25.9";
    for (
      const line of [
        `${sa} -src 192.168.5.1 -dst 192.168.25.9 -spi 1000 -keyfile ${k} -authkeyfile ${a}`,
        `${sa} -src 192.168.25.9 -dst 192.168.5.1 -spi 1001 -keyfile ${k} -authkeyfile ${a}`,
        `${flow} -spi 1000 -addr ${hosts[0]} ${hosts[1]} -out -require`,
        `${flow} -spi 1001 -addr ${hosts[1]} ${hosts[0]} -in -require`,
      ]
    ) assertEquals(await run(line), { status: 0, out: "", err: "" }, line);
    assertEquals(process.effects.map(({ kind }) => kind), ["installSa", "installSa", "addFlow", "addFlow"]);
    assertEquals(
      (await run("netstat -rn -f encap")).out,
      `Encap:
Source             Port  Destination        Port  Proto SA(Address/Proto/Type/Direction)
192.168.5.1/32     0     192.168.25.9/32    0     0     192.168.25.9/50/require/out
192.168.25.9/32    0     192.168.5.1/32     0     0     192.168.25.9/50/require/in
`,
    );
    const { out } = await run("kern-ipsec");
    assert(
      out.startsWith("Hashmask: 31, policy entries: 2\nSPI = 00001000, Destination = 192.168.25.9, Sproto = 50\n"),
    );
    const { sas, flows } = JSON.parse((await run("ipsecadm show --json")).out);
    assertEquals([sas.length, flows.length, sas[0].encryption.name, flows[1].direction], [2, 2, "3des", "in"]);
    assert(!(await run("ipsecadm show --json")).out.includes(K.slice(0, 8)));
    assertEquals(JSON.parse((await run("kern-ipsec --json")).out).sas.length, 2);
    assertEquals(JSON.parse((await run("netstat -rn -f encap --json")).out).length, 2);
    assertEquals(await run("ipsecadm flush"), { status: 0, out: "", err: "" });
    assertEquals(await run("ipsecadm show"), { status: 0, out: "", err: "" });
  }));

Deno.test("AH is off until switched on, which is kept; the refusal names the knob", () =>
  withEngine(async (run, process) => {
    const ah = `ipsecadm new ah -src 10.1.1.1 -dst 10.1.1.2 -spi 2000 -auth sha1 -keyfile ${
      keyFile(process.directory, "a", A)
    }`;
    assertEquals(await run(ah), {
      status: 1,
      out: "",
      err: 'ipsecadm: pfkey: AH is switched off: "ipsecbox sysctl -w net.inet.ah.enable=1" switches it on\n',
    });
    assertEquals((await run("sysctl -w net.inet.ah.enable=1")).out, "net.inet.ah.enable: 0 -> 1\n");
    assertEquals(await run(ah), { status: 0, out: "", err: "" });
    assertEquals(Deno.readTextFileSync(`${process.directory}/etc/sysctl.conf`), "net.inet.ah.enable=1\n");
    assertEquals(process.effects.some((e) => e.kind === "sysctl" && e.name === "net.inet.ah.enable"), true);
    assertEquals((await run("sysctl -n net.inet.ah.enable")).out, "1\n");
  }));

Deno.test("the engine's refusals are one line each, and exit 1", () =>
  withEngine(async (run, process) => {
    const sa = `ipsecadm new esp -src 10.1.1.1 -dst 10.1.1.2 -spi 1000 -enc aes -keyfile ${
      keyFile(process.directory, "k", A.slice(0, 32))
    }`;
    await run(sa);
    const cases = [
      [sa, 'ipsecadm: pfkey: esp SA 0x00001000 to 10.1.1.2 exists already: "ipsecadm delspi" deletes it\n'],
      ["ipsecadm delspi -dst 10.1.1.3 -spi 1000", "ipsecadm: pfkey: there is no esp SA 0x00001000 to 10.1.1.3\n"],
      [
        "ipsecadm group -dst 10.1.1.2 -spi 1000 -dst2 10.1.1.2 -spi2 2000",
        "ipsecadm: pfkey: there is no esp SA 0x00001000 to 10.1.1.2 or ah SA 0x00002000 to 10.1.1.2\n",
      ],
      [
        "ipsecadm flow -delete -addr 10.0.0.0/8 10.0.0.0/8",
        "ipsecadm: pfkey: there is no out flow 10.0.0.0/8 -> 10.0.0.0/8\n",
      ],
    ];
    for (const [line, err] of cases) assertEquals(await run(line), { status: 1, out: "", err });
  }));

Deno.test("without an engine every command that needs one says so", async () => {
  const environment = { IPSECBOX_RUN: "/nonexistent/ipsecbox" };
  for (const line of ["ipsecadm flush", "ipsecadm show", "netstat -s", "netstat -rn -f encap", "kern-ipsec"]) {
    const { status, err } = await runHere(line.split(" "), environment);
    assertEquals(status, 1);
    assertEquals(
      err.replace(/^[\w-]+: /, ""),
      'cannot reach the IPsec engine at /nonexistent/ipsecbox/pfkey.sock: start it with "ipsecbox enc"\n',
    );
  }
});

Deno.test("key files: mode, size, content and absence are each one line without a digit of the key", () =>
  withEngine(async (run, process) => {
    const { directory } = process;
    const sa = "ipsecadm new esp -src 10.1.1.1 -dst 10.1.1.2 -spi 1000 -enc 3des -keyfile";
    const cases = [
      [keyFile(directory, "open", K, 0o644), /open: others can read or change it \(mode 0644\): "chmod 600"/],
      [keyFile(directory, "empty", ""), /empty: the file holds no key/],
      [keyFile(directory, "long", "00".repeat(600)), /long: 1200 octets: a key file has at most 1024/],
      [keyFile(directory, "bad", `${K}x`), /bad: .*character 49 is not a hexadecimal digit/],
      [keyFile(directory, "short", K.slice(0, 32)), /-key of 16 octets for 3des: 24 octets are allowed/],
      [`${directory}/none`, /none: no such file/],
      [directory, /: (not a file|Is a directory)/],
    ] as const;
    for (const [path, expected] of cases) {
      const { status, err } = await run(`${sa} ${path}`);
      assertEquals([status, expected.test(err), err.includes("0123456789")], [1, true, false], err);
    }
    assertEquals(process.effects, []);
  }));

Deno.test("a key on the command line works and is warned about", () =>
  withEngine(async (run) => {
    const { status, err } = await run(`ipsecadm new esp -src 10.1.1.1 -dst 10.1.1.2 -spi 1000 -enc 3des -key ${K}`);
    assertEquals(status, 0);
    assertEquals(
      err,
      "ipsecadm: warning: a key on the command line can be seen by every user of this machine: -keyfile hides it\n",
    );
  }));

Deno.test("-f: 2,000 flows at once; with one error in the file nothing is changed", () =>
  withEngine(async (run, process) => {
    const path = `${process.directory}/flows`;
    const line = (i: number) => `ipsecadm flow -require -dst 10.0.0.1 -addr 10.1.0.0/16 10.2.${i >> 8}.${i & 255}/32\n`;
    const good = Array.from({ length: 2000 }, (_, i) => line(i)).join("");
    Deno.writeTextFileSync(path, `${good}flow -spi 10\nnew esp -spi zz\n`);
    assertEquals(await run(`ipsecadm -f ${path}`), {
      status: 1,
      out: "",
      err: `ipsecadm: ${path}:2001: -spi: SPI 10 is reserved: 100 to ffffffff (hexadecimal) may be used
ipsecadm: ${path}:2002: -spi: "zz" is no SPI: 1 to 8 hexadecimal digits are needed
ipsecadm: nothing was changed
`,
    });
    assertEquals(process.engine.flowCount, 0);
    Deno.writeTextFileSync(path, `# flows\n${good}`);
    assertEquals(await run(`ipsecadm -f ${path}`), { status: 0, out: "", err: "" });
    assertEquals(process.engine.flowCount, 2000);
    // What the engine refuses is told with its place; the rest counts.
    Deno.writeTextFileSync(path, "delspi -dst 10.1.1.1 -spi 1000\nflush\n");
    assertEquals(await run(`ipsecadm -f ${path}`), {
      status: 1,
      out: "",
      err: `ipsecadm: ${path}:1: pfkey: there is no esp SA 0x00001000 to 10.1.1.1\n`,
    });
    assertEquals(process.engine.flowCount, 0);
    Deno.writeTextFileSync(path, "show\nmonitor\n'flow\n");
    assertEquals((await run(`ipsecadm -f ${path}`)).err.split("\n").length, 5);
    assertEquals((await run("ipsecadm -f /nonexistent")).status, 1);
  }));

Deno.test("vpn with DEBUG=echo prints the commands and changes nothing", () =>
  withEngine(async (run, process) => {
    const environment = {
      GW_LOCAL: "208.1.1.1",
      GW_PEER: "208.2.2.2",
      LOCAL_NET_0: "192.168.99.0/255.255.255.0",
      REMOTE_NET_0: "208.1.2.0/255.255.255.0",
      REMOTE_NET_1: "208.1.5.0/255.255.255.0",
      DEBUG: "echo",
    };
    const { status, out, err } = await run("vpn", environment);
    assertEquals([status, err, out.trimEnd().split("\n").length, process.effects.length], [0, "", 14, 0]);
    assertEquals((await run("rc.vpn", environment)).out, out);
  }));

Deno.test("vpn reads a file of variables, and says where one is wrong", () =>
  withEngine(async (run, process) => {
    const path = `${process.directory}/vpn.conf`;
    Deno.writeTextFileSync(path, 'DEBUG=echo\nGW_LOCAL=10.0.0.1\nGW_REMOTE=10.0.0.2\nLOCAL_NETWORKS="10.1.0.0/16"\n');
    assertEquals((await run(`vpn ${path}`)).out.trimEnd().split("\n").length, 1 + 2 + 2 + 4);
    Deno.writeTextFileSync(path, "GW_LOCAL=10.0.0.1\nreboot\n");
    assertEquals(await run(`vpn ${path}`), {
      status: 1,
      out: "",
      err: `vpn: ${path}:2: only assignments NAME=VALUE are read here\n`,
    });
  }));

Deno.test("sysctl: all, one, names alone, JSON, errors; without an engine what the next one starts with", async () => {
  await withEngine(async (run) => {
    const all = (await run("sysctl -a")).out;
    assert(all.includes("net.inet.esp.enable=1\n") && all.includes("net.inet.ip.forwarding="));
    assertEquals((await run("sysctl")).out, all);
    assertEquals(JSON.parse((await run("sysctl --json net.inet.esp.enable")).out), { "net.inet.esp.enable": "1" });
    const bad = [
      ["sysctl net.inet.esp.enabled", 'there is no net.inet.esp.enabled; did you mean "net.inet.esp.enable"?'],
      ["sysctl net.inet.esp.enable=2", 'net.inet.esp.enable is 0 or 1, not "2"'],
      ["sysctl net.inet.ip.forwarding=yes", "net.inet.ip.forwarding is 0 or 1"],
      ["sysctl -w net.inet.ah.enable", "needs a value"],
      ["sysctl -w", "-w needs NAME=VALUE"],
      ["sysctl -x", 'no option "-x"'],
    ];
    for (const [line, words] of bad) {
      const { status, err } = await run(line);
      assertEquals([status, err.includes(words)], [1, true], err);
    }
  });
  const directory = Deno.makeTempDirSync();
  const environment = { IPSECBOX_RUN: directory, IPSECBOX_ETC: directory };
  try {
    assertEquals((await runHere(["sysctl", "net.inet.ah.enable=1"], environment)).status, 0);
    assertEquals((await runHere(["sysctl", "net.inet.ah.enable"], environment)).out, "net.inet.ah.enable=1\n");
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("netstat -s shows the daemon's counters; wrong words are refused", () =>
  withEngine(async (run) => {
    const { out } = await run("netstat -s -p esp");
    assert(
      out.startsWith("esp:\n\t7 input ESP packets\n") && out.includes("\t2 packets older than the replay window\n"),
    );
    assertEquals(JSON.parse((await run("netstat -s --json")).out).esp.inputPackets, 7);
    assert((await run("netstat -s")).out.includes("\nah:\n"));
    for (const line of ["netstat", "netstat -rn", "netstat -rn -f inet", "netstat -s -p tcp", "netstat -x"]) {
      assertEquals((await run(line)).status, 1, line);
    }
  }));

Deno.test("genkey makes as many random bits as asked for", async () => {
  const keys = [await runHere(["genkey", "192"]), await runHere(["genkey", "192"])];
  for (const { status, out } of keys) assertEquals([status, /^[0-9a-f]{48}\n$/.test(out)], [0, true]);
  assert(keys[0].out !== keys[1].out);
  for (const words of [[], ["0"], ["7"], ["12"], ["x"], ["4104"], ["8", "8"]]) {
    assertEquals((await runHere(["genkey", ...words])).status, 1, words.join());
  }
});

Deno.test("help is there for every command of this group", async () => {
  for (const name of ["ipsecadm", "vpn", "rc.vpn", "genkey", "sysctl", "netstat", "kern-ipsec", "install"]) {
    const { status, out } = await runHere(["help", name]);
    assertEquals([status, out.startsWith("usage: ")], [0, true], name);
    assertEquals((await runHere([name, "help"])).status, 0, name);
  }
  const flow = await runHere(["help", "ipsecadm", "flow"]);
  assert(flow.out.startsWith("usage: ipsecadm flow"));
  assertEquals((await runHere(["ipsecadm"])).status, 1);
});
