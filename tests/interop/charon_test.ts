// isakmpd and the engine against strongSwan's charon, both roles.
import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  encodePem,
  encodePrivateKey,
  encodePublicKey,
  generateRsaKey,
  publicKeyOf,
} from "../../lib/crypto/signature.ts";
import { PAYLOAD } from "../../lib/isakmp/numbers.ts";
import { Daemon, writePrivate } from "../netns/isakmpd_hosts.ts";
import { waitFor } from "../netns/topology.ts";
import { Charon } from "./charon.ts";
import { AES, Bench, bothRoles, isakmpdConf, type Scenario, swanctlConf } from "./charon_scenario.ts";

const PSK: readonly (Scenario & { name: string })[] = [
  {
    name: "3des-sha1-modp1024 with PFS",
    ike: ["3des-sha1-modp1024", "3DES-SHA"],
    esp: ["3des-sha1-modp1024", "QM-ESP-3DES-SHA-PFS-SUITE"],
  },
  {
    name: "aes128-sha1-modp1024 without PFS",
    ike: ["aes128-sha1-modp1024", "AES-128-SHA-GRP2"],
    esp: ["aes128-sha1", "QM-ESP-AES-128-SHA-SUITE"],
  },
  {
    name: "aes128-sha256-modp2048 with PFS",
    ike: ["aes128-sha256-modp2048", "AES-128-SHA2-256-GRP14"],
    esp: ["aes128-sha256-modp2048", "QM-ESP-AES-128-SHA2-256-PFS-GRP14-SUITE"],
  },
  {
    name: "aes256-sha512-ecp256 and AES-GCM with PFS",
    ike: ["aes256-sha512-ecp256", "AES-256-SHA2-512-GRP19"],
    esp: ["aes256gcm16-ecp256", "QM-ESP-AESGCM-256-PFS-GRP19-SUITE"],
  },
  {
    name: "curve25519 in both phases",
    ike: ["aes128-sha256-curve25519", "AES-128-SHA2-256-GRP31"],
    esp: ["aes128gcm16-curve25519", "QM-ESP-AESGCM-128-PFS-GRP31-SUITE"],
  },
  {
    name: "aggressive mode",
    aggressive: true,
    ike: ["aes128-sha1-modp1024", "AES-128-SHA-GRP2"],
    esp: ["aes256-sha512", "QM-ESP-AES-256-SHA2-512-SUITE"],
  },
  {
    name: "host to host",
    hosts: true,
    ike: ["aes128-sha256-modp2048", "AES-128-SHA2-256-GRP14"],
    esp: ["aes128-sha256", "QM-ESP-AES-128-SHA2-256-SUITE"],
  },
];

Deno.test("main and aggressive mode with a pre-shared key, as initiator and as responder, carry traffic", async (t) => {
  await using bench = await Bench.make();
  for (const scenario of PSK) await t.step(scenario.name, () => bothRoles(bench, scenario));
});

Deno.test("main mode with RSA signatures and raw public keys, both roles", async () => {
  await using bench = await Bench.make();
  const gw = bench.net.host("gw");
  const [ours, theirs] = [generateRsaKey(2048), generateRsaKey(2048)];
  const pem = (key: typeof ours) => encodePem("PUBLIC KEY", encodePublicKey(publicKeyOf(key)));
  const keyFile = writePrivate(gw, "local.key", encodePem("PRIVATE KEY", encodePrivateKey(ours)));
  const keys = `${gw.folder}/pubkeys`;
  Deno.mkdirSync(`${keys}/fqdn`, { recursive: true });
  Deno.writeTextFileSync(`${keys}/fqdn/far.example.org`, pem(theirs));
  await bothRoles(bench, {
    ike: ["aes128-sha256-modp2048", "AES-128-SHA2-256-GRP14-RSA_SIG"],
    esp: ["aes128-sha256-modp2048", "QM-ESP-AES-128-SHA2-256-PFS-GRP14-SUITE"],
    general: `Pubkey-directory=${keys}\n`,
    peer: "ID=me\nRemote-ID=it\n",
    rest: `[me]\nID-type=USER_FQDN\nName=gw@example.org\n[it]\nID-type=FQDN\nName=far.example.org\n` +
      `[X509-certificates]\nPrivate-key=${keyFile}\n`,
    auth: `local { auth = pubkey
      id = far.example.org
      pubkeys = own.pem }
    remote { auth = pubkey
      id = gw@example.org
      pubkeys = peer.pem }`,
  }, {
    files: {
      "private/own.pem": encodePem("PRIVATE KEY", encodePrivateKey(theirs)),
      "pubkey/own.pem": pem(theirs),
      "pubkey/peer.pem": pem(ours),
    },
  });
});

Deno.test("charon's IKE messages come in fragments", async () => {
  await using bench = await Bench.make();
  const scenario: Scenario = {
    ike: ["aes128-sha256-modp4096", "AES-128-SHA2-256-GRP16"],
    esp: ["aes128-sha256-modp8192", "QM-ESP-AES-128-SHA2-256-PFS-GRP18-SUITE"],
    connection: "fragmentation = force",
  };
  const wire = await bench.net.host("gw").capture("wan", "udp");
  await bothRoles(bench, scenario, { settings: "fragment_size = 500" });
  const fragments = (await wire.packets()).filter(({ ip }) => {
    const udp = 4 * (ip[0] & 15);
    const marker = (ip[udp] << 8 | ip[udp + 1]) === 4500 ? 4 : 0;
    return ip[udp + 8 + marker + 16] === PAYLOAD.FRAGMENT && ip[15] === 2;
  });
  assert(fragments.length >= 8, `${fragments.length} fragments from charon`);
});

Deno.test("XAUTH and mode config: we are charon's client, and charon is ours", async (t) => {
  await using bench = await Bench.make();
  const common = {
    ike: ["aes128-sha1-modp1024", "AES-128-SHA-GRP2"],
    esp: ["aes128-sha1", "QM-ESP-AES-128-SHA-SUITE"],
  } as const;
  await t.step("client", () =>
    bench.run({
      ...common,
      peer: "Authentication=mekmitasdigoat\nFlags=xauth,ikecfg\nXAUTH-user=alice\nXAUTH-password=open sesame\n",
      connection: "pools = office",
      auth: `local { auth = psk }
      remote { auth = psk }
      remote-x { auth = xauth-generic }`,
      child: "",
    }, async (ours, charon) => {
      await charon.swanctl(["--load-pools", "--file", `${charon.folder}/swanctl.conf`]);
      await ours.command("c tunnel");
      await ours.says(/gives us .*INTERNAL_IP4_ADDRESS 10\.99\.0\.1/);
      await ours.says(/Established phase 1/);
      assertMatch(await charon.sas(), /remote '10\.1\.0\.1' @ 10\.1\.0\.1.* XAUTH?: 'alice'|alice/);
    }));
  await t.step("server", () =>
    bench.run({
      ...common,
      peer: "Authentication=mekmitasdigoat\nFlags=xauth\n",
      rest: "[XAUTH-users]\nalice=open sesame\n[ipv4/10.1.0.2]\nAddress=10.99.0.7\nNameserver=192.168.1.53\n" +
        "[ipv4/10.99.0.7]\n",
      connection: "vips = 0.0.0.0",
      auth: `local { auth = psk }
      local-x { auth = xauth-generic
        xauth_id = alice }
      remote { auth = psk }`,
    }, async (ours, charon) => {
      const initiated = await charon.initiate("tunnel");
      assertMatch(initiated.stdout, /installing new virtual IP 10\.99\.0\.7/);
      await ours.says(/Established phase 1/);
      await ours.up();
    }));
});

Deno.test("connections that charon refuses do not hold up those begun with them", async () => {
  await using bench = await Bench.make();
  const numbers = [0, 1, 2, 3, 4];
  const [refused, taken] = ["aes256-sha512", "aes128-sha256"];
  const names = numbers.map((i) => `net${i}`);
  const ours = isakmpdConf({ ...AES, general: "Exchange-max-time=6\n" }).replace(
    "connections=tunnel",
    `connections=${names.join(",")}`,
  ) +
    numbers.map((i) =>
      `[net${i}]
Phase=2
ISAKMP-peer=charon
Configuration=quick
Local-ID=local${i}
Remote-ID=there
[local${i}]
ID-type=IPV4_ADDR_SUBNET
Network=10.50.${i}.0
Netmask=255.255.255.0
`
    ).join("");
  const theirs = swanctlConf(AES).replace(
    "children {",
    `children {${
      numbers.map((i) => `
    net${i} {
      local_ts = 192.168.2.0/24
      remote_ts = 10.50.${i}.0/24
      esp_proposals = ${i < 2 ? refused : taken} }`).join("")
    }`,
  );
  const charon = await Charon.start(bench.net.host("far"), theirs);
  const daemon = await Daemon.start(bench.net.host("gw"), ours);
  for (const name of names) await daemon.command(`c ${name}`);
  await daemon.up(3);
  assert(!daemon.output().includes("Cannot agree"), daemon.output());
  // charon's notify names no SPI; which of two under way it means shows in that neither is answered.
  await daemon.says(/connection net0\): offered .* the peer refuses it: NO_PROPOSAL_CHOSEN/);
  await daemon.says(/connection net1\): offered .* the peer refuses it: NO_PROPOSAL_CHOSEN/);
  await daemon.stop();
  await charon.stop();
});

Deno.test("charon's refusal under the keys of phase 1 is read: the pre-shared keys agree, the method does not", async () => {
  await using bench = await Bench.make();
  const auth = "local { auth = psk }\n remote { auth = psk }\n remote-x { auth = xauth-generic }";
  await bench.run({ ...AES, auth }, async (ours) => {
    await ours.command("c tunnel");
    await ours.says(/the pre-shared keys agree, but the peer refuses our ID .*: AUTHENTICATION_FAILED/);
  });
});

Deno.test("DPD: charon's questions are answered, and a charon that is gone is noticed", async () => {
  await using bench = await Bench.make();
  const scenario: Scenario = {
    ...AES,
    general: "DPD-check-interval=1\n",
    connection: "dpd_delay = 1s\n dpd_timeout = 4s",
    child: "dpd_action = clear",
  };
  await bench.run(scenario, async (ours, charon) => {
    await ours.command("c tunnel");
    await ours.up();
    await new Promise((resolve) => setTimeout(resolve, 6000));
    assertMatch(charon.log(), /sending DPD request/);
    assertMatch(await charon.sas(), /ESTABLISHED/);
    assert(!/Ended phase/.test(ours.output()), "we lost it");
    charon.process.signal("SIGKILL");
    await ours.says(/Ended phase 1 .*(dead|not answer|silent)/, 60_000);
  });
});

Deno.test("a ping every 10 ms through rekeyings of both phases loses nothing", async () => {
  await using bench = await Bench.make();
  const life = (name: string, seconds: number) => `[${name}]\nLIFE_TYPE=SECONDS\nLIFE_DURATION=${seconds},1:86400\n`;
  const scenario: Scenario = {
    ...AES,
    rest: life("LIFE_MAIN_MODE", 14) + life("LIFE_QUICK_MODE", 6),
  };
  await bench.run(scenario, async (ours) => {
    await ours.command("c tunnel");
    await ours.up();
    const ping = bench.net.host("lan").spawn(["ping", "-n", "-D", "-O", "-i", "0.01", "-c", "2500", "192.168.2.2"]);
    await waitFor(ping.ended, "ping to end", 60_000);
    const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(ping.output())!.map(Number);
    const lost = ping.output().split("\n").filter((line) => line.includes("no answer"));
    assertEquals([sent, received], [2500, 2500], lost.join("\n"));
    const count = (pattern: RegExp) => ours.output().match(pattern)?.length ?? 0;
    assert(count(/Established phase 2/g) >= 5, `${count(/Established phase 2/g)} phase 2`);
    assert(count(/Established phase 1/g) >= 2, `${count(/Established phase 1/g)} phase 1`);
  });
});

Deno.test("ike-scan gets a handshake in main and aggressive mode, and nothing for what is not allowed", async () => {
  await using bench = await Bench.make();
  const scan = async (...args: string[]) =>
    (await bench.net.host("far").exec(["ike-scan", "--sport=0", "--retry=1", "--timeout=1500", ...args, "10.1.0.1"], {
      check: false,
    }))
      .stdout;
  const gw = bench.net.host("gw");
  const conf = isakmpdConf({ ...AES, ike: ["", "3DES-SHA"] });
  const main = await Daemon.start(gw, conf);
  assertMatch(
    await scan("--trans=5,2,1,2"),
    /Main Mode Handshake returned HDR=\(CKY-R=[0-9a-f]{16}\) SA=\(Enc=3DES Hash=SHA1 (Group=2:modp1024 Auth=PSK|Auth=PSK Group=2:modp1024) LifeType=Seconds LifeDuration/,
  );
  assertMatch(await scan("--trans=1,1,1,1"), /Notify message 14 \(NO-PROPOSAL-CHOSEN\)/);
  await main.stop();
  const aggressive = await Daemon.start(
    gw,
    isakmpdConf({ ...AES, ike: ["", "3DES-SHA"], aggressive: true, peer: "", rest: "[scanner]\nAuthentication=x\n" })
      .replace("Address=10.1.0.2\n", ""),
  );
  assertMatch(
    await scan("--aggressive", "--id=scanner", "--idtype=2", "--trans=5,2,1,2", "--dhgroup=2"),
    /Aggressive Mode Handshake returned/,
  );
  await aggressive.stop();
});
