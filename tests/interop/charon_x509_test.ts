// isakmpd and strongSwan's charon prove themselves to each other by certificates: charon's are openssl's
// (tests/vectors/x509), ours are made by `ipsecbox pki`.
//   gw 10.1.0.1 ==== 10.1.0.2 far
import { assertEquals, assertMatch } from "@std/assert";
import { runHere } from "../cli/run.ts";
import { Daemon, startEngine, writePrivate } from "../netns/isakmpd_hosts.ts";
import { type Host, topology, type TopologySpec, waitFor } from "../netns/topology.ts";
import { file } from "../x509/fixtures.ts";
import { Charon } from "./charon.ts";
import { isakmpdConf } from "./charon_scenario.ts";

const NET: TopologySpec = {
  hosts: { gw: {}, far: {} },
  links: [{ ends: [["gw", "wan", "10.1.0.1/24"], ["far", "wan", "10.1.0.2/24"]] }],
};

const text = (name: string): string => new TextDecoder().decode(file(name));

/** Our authority, and certificates of it for gw with every kind of ID. */
async function ourPki(folder: string): Promise<void> {
  const pki = async (...words: string[]) => {
    const { status, err } = await runHere(["pki", ...words.map((word) => word.replace(/^@/, `${folder}/`))]);
    assertEquals(status, 0, err);
  };
  await pki("ca", "-s", "/C=SE/O=Ours/CN=Our CA", "-o", "@ca.crt", "-k", "@ca.key");
  const ids = ["gw.ours.se", "10.1.0.1", "gw@ours.se"].flatMap((id) => ["-i", id]);
  await pki(
    "cert",
    "-s",
    "/C=SE/O=Ours/CN=gw",
    ...ids,
    "-c",
    "@ca.crt",
    "-k",
    "@ca.key",
    "-o",
    "@gw.crt",
    "-n",
    "@gw.key",
  );
  const curve = ["-b", "256", "-o", "@gw-ec.crt", "-n", "@gw-ec.key"];
  await pki("cert", "-s", "/C=SE/O=Ours/CN=gw-ec", "-i", "gw.ours.se", "-c", "@ca.crt", "-k", "@ca.key", ...curve);
  await pki("crl", "-c", "@ca.crt", "-k", "@ca.key", "-o", "@good.crl");
  await pki("crl", "-c", "@ca.crt", "-k", "@ca.key", "-o", "@bad.crl", "@gw.crt");
  // And a list of charon's authority.
  for (const name of ["ca.crt", "ca.key", "revoked.crt"]) {
    Deno.writeFileSync(`${folder}/their-${name}`, file(name), { mode: 0o600 });
  }
  const theirs = ["-c", "@their-ca.crt", "-k", "@their-ca.key", "-o", "@theirs.crl"];
  await pki("crl", ...theirs, "-r", "superseded", "@their-revoked.crt");
}

/** What a case differs in. */
interface Case {
  /** charon's certificates (fixtures) and key, and the ID that it claims, as swanctl has it. */
  readonly certificates: readonly string[];
  readonly key: string;
  readonly id: string;
  /** Our ID as isakmpd.conf and as swanctl have it. */
  readonly ours?: readonly [section: string, id: string];
  /** The section of the ID that we expect of charon. */
  readonly expected?: string;
  /** Whether we have the CRL of charon's authority, and which charon has of ours. */
  readonly crl?: boolean;
  readonly ourCrl?: "good.crl" | "bad.crl";
  readonly policy?: string;
  /** ECDSA on P-256 (RFC 4754) in place of RSA: ours is `gw-ec`. */
  readonly ecdsa?: boolean;
}

const POLICY = `Authorizer: "POLICY"
Licensees: "DN:/C=SE/O=MySite/CN=MySite CA"
Conditions: app_domain == "IPsec policy" && esp_present == "yes" && esp_enc_alg != "null" -> "true";
`;

class Pair {
  constructor(readonly gw: Host, readonly far: Host, readonly pki: string) {}

  async run(
    {
      certificates,
      key,
      id,
      ours = ["ID-type=FQDN\nName=gw.ours.se", "gw.ours.se"],
      expected,
      crl = false,
      ourCrl,
      policy,
      ecdsa = false,
    }: Case,
    body: (ours: Daemon, charon: Charon) => Promise<void>,
  ): Promise<void> {
    const charon = await Charon.start(
      this.far,
      `connections { gw { version = 1
  local_addrs = 10.1.0.2
  remote_addrs = 10.1.0.1
  proposals = aes128-sha256-modp2048
  local { auth = pubkey
    certs = ${certificates[0]}.pem
    id = "${id}" }
  remote { auth = pubkey
    id = "${ours[1]}"
    cacerts = ours.pem
    revocation = ${ourCrl ? "strict" : "relaxed"} }
  children { tunnel { esp_proposals = aes128-sha256-modp2048 } } } }
`,
      {
        files: {
          ...Object.fromEntries(certificates.map((name) => [`x509/${name}.pem`, text(`${name}.crt`)])),
          "private/own.pem": text(`${key}.key`),
          "x509ca/own.pem": text("ca.crt"),
          "x509ca/ours.pem": Deno.readTextFileSync(`${this.pki}/ca.crt`),
          ...(ourCrl ? { "x509crl/ours.pem": Deno.readTextFileSync(`${this.pki}/${ourCrl}`) } : {}),
        },
      },
    );
    try {
      const ours_ = await Daemon.start(this.gw, this.#configuration(ours[0], expected, crl, ecdsa, policy), []);
      try {
        await body(ours_, charon);
      } catch (error) {
        throw new Error(
          `${(error as Error).message}\n-- isakmpd\n${ours_.output().slice(-4000)}\n-- charon\n${
            charon.log().slice(-4000)
          }`,
        );
      } finally {
        await ours_.stop();
      }
    } finally {
      await charon.stop();
    }
  }

  #configuration(id: string, expected: string | undefined, crl: boolean, ecdsa: boolean, policy = POLICY): string {
    const own = ecdsa ? "gw-ec" : "gw";
    const root = `${this.gw.folder}/isakmpd`;
    Deno.mkdirSync(root, { recursive: true });
    Deno.removeSync(root, { recursive: true });
    for (const folder of ["ca", "certs", "crls"]) Deno.mkdirSync(`${root}/${folder}`, { recursive: true });
    Deno.writeFileSync(`${root}/ca/theirs.crt`, file("ca.crt"));
    Deno.copyFileSync(`${this.pki}/ca.crt`, `${root}/ca/ours.crt`);
    Deno.copyFileSync(`${this.pki}/${own}.crt`, `${root}/certs/gw.crt`);
    if (crl) Deno.copyFileSync(`${this.pki}/theirs.crl`, `${root}/crls/theirs.crl`);
    writePrivate(this.gw, "isakmpd/local.key", Deno.readTextFileSync(`${this.pki}/${own}.key`));
    writePrivate(this.gw, "isakmpd/isakmpd.policy", policy);
    return isakmpdConf({
      hosts: true,
      ike: ["", ecdsa ? "ecdsa" : "AES-128-SHA2-256-GRP14-RSA_SIG"],
      esp: ["", "QM-ESP-AES-128-SHA2-256-PFS-GRP14-SUITE"],
      general: `Policy-file=${root}/isakmpd.policy`,
      peer: `ID=me
${expected ? "Remote-ID=it" : ""}
[me]
${id}
${expected ? `[it]\n${expected}` : ""}`,
      rest: `[X509-certificates]
CA-directory=${root}/ca
Cert-directory=${root}/certs
CRL-directory=${root}/crls
Private-key=${root}/local.key
[ecdsa]
ENCRYPTION_ALGORITHM=AES_CBC
KEY_LENGTH=128,128:128
HASH_ALGORITHM=SHA2_256
GROUP_DESCRIPTION=MODP_2048
AUTHENTICATION_METHOD=ECDSA_256
Life=an-hour
[an-hour]
LIFE_TYPE=SECONDS
LIFE_DURATION=3600,60:86400`,
    });
  }

  /** We begin, then charon; each time packets pass. */
  both(which: Case): Promise<void> {
    return this.run(which, async (ours, charon) => {
      const ping = async () => {
        const { received, output } = await this.gw.ping("10.1.0.2", { count: 2, waitSeconds: 2 });
        assertEquals(received, 2, output);
      };
      await ours.command("c tunnel");
      await ours.up();
      await waitFor(async () => /INSTALLED, TUNNEL/.test(await charon.sas()), "charon to have the SAs");
      await ping();
      await ours.command("t tunnel");
      await ours.command("t main charon");
      await waitFor(async () => !(await charon.sas()).includes("ESTABLISHED"), "charon to believe our DELETEs");
      const { code, stdout, stderr } = await charon.initiate("tunnel");
      assertEquals(code, 0, stdout + stderr);
      await ours.up(2);
      await ping();
    });
  }

  /** charon begins and is refused; our log says why. */
  refused(which: Case, why: RegExp): Promise<void> {
    return this.run(which, async (ours, charon) => {
      await charon.initiate("tunnel", 5);
      await ours.says(why);
      assertEquals(/INSTALLED/.test(await charon.sas()), false);
    });
  }
}

const MANY = { certificates: ["many"], key: "gw" } as const;
const ID = {
  fqdn: (name: string) => `ID-type=FQDN\nName=${name}`,
  user: (name: string) => `ID-type=USER_FQDN\nName=${name}`,
  address: (name: string) => `ID-type=IPV4_ADDR\nAddress=${name}`,
};

Deno.test("certificates between isakmpd and charon", async (t) => {
  await using net = await topology("x509", NET);
  const [gw, far] = [net.host("gw"), net.host("far")];
  const folder = `${gw.folder}/pki`;
  Deno.mkdirSync(folder);
  await ourPki(folder);
  await startEngine(gw);
  const pair = new Pair(gw, far, folder);

  await t.step("strongSwan's pki accepts our certificates and our CRL", async () => {
    const verify = (crl: string) =>
      far.exec([
        "pki",
        "--verify",
        "--in",
        `${folder}/gw.crt`,
        "--cacert",
        `${folder}/ca.crt`,
        "--crl",
        `${folder}/${crl}`,
      ], {
        check: false,
      });
    const good = await verify("good.crl");
    assertMatch(good.stdout + good.stderr, /certificate trusted/);
    const bad = await verify("bad.crl");
    assertMatch(bad.stdout + bad.stderr, /certificate (was )?revoked/);
  });
  await t.step(
    "domain names, both roles, a CRL on both sides",
    () =>
      pair.both({
        ...MANY,
        id: "many.mysite.se",
        expected: ID.fqdn("many.mysite.se"),
        crl: true,
        ourCrl: "good.crl",
      }),
  );
  await t.step("addresses, both roles", () =>
    pair.both({
      ...MANY,
      id: "10.0.0.1",
      expected: ID.address("10.0.0.1"),
      ours: [ID.address("10.1.0.1"), "10.1.0.1"],
    }));
  await t.step(
    "e-mail addresses, both roles",
    () =>
      pair.both({
        ...MANY,
        id: "Boss@mysite.se",
        expected: ID.user("Boss@mysite.se"),
        ours: [ID.user("gw@ours.se"), "gw@ours.se"],
      }),
  );
  await t.step("charon's distinguished name, both roles, the policy naming it", () =>
    pair.both({
      ...MANY,
      id: "C=SE, O=MySite, CN=many",
      policy: `${POLICY.trimEnd().replace(/ -> "true";$/, "")} &&
            remote_id_type == "ASN1 DN" && remote_id == "/C=SE/O=MySite/CN=many" -> "true";\n`,
    }));
  await t.step(
    "an intermediate authority that only charon has",
    () =>
      pair.both({
        certificates: ["under-inter", "inter"],
        key: "gw",
        id: "under.mysite.se",
        expected: ID.fqdn("under.mysite.se"),
      }),
  );
  await t.step(
    "ECDSA signatures (RFC 4754), both roles",
    () =>
      pair.both({
        certificates: ["worksite"],
        key: "p256",
        id: "gw.worksite.se",
        expected: ID.fqdn("gw.worksite.se"),
        ecdsa: true,
      }),
  );
  await t.step("a revoked certificate is refused", () =>
    pair.refused(
      { certificates: ["revoked"], key: "gw", id: "C=SE, O=MySite, CN=revoked", crl: true },
      /CN=revoked: revoked on 20\S+ \(superseded\)/,
    ));
  await t.step("another ID than we expect is refused", () =>
    pair.refused(
      { certificates: ["email"], key: "gw", id: "ake@mysite.se", expected: ID.user("Boss@mysite.se") },
      /ake@mysite.se/,
    ));
  await t.step("the policy refuses whom it does not know, and says so", () =>
    pair.refused(
      { ...MANY, id: "many.mysite.se", policy: POLICY.replace("MySite CA", "Another CA") },
      /licenses "DN:\/C=SE\/O=MySite\/CN=Another CA", and the requesters have no authority from them/,
    ));
  await t.step(
    "charon refuses our certificate when our own CRL revokes it",
    () =>
      pair.run({ ...MANY, id: "many.mysite.se", ourCrl: "bad.crl" }, async (ours, charon) => {
        await ours.command("c tunnel");
        await waitFor(() => /certificate was revoked/.test(charon.log()), "charon to see the revocation");
        assertEquals(/Established phase 2/.test(ours.output()), false);
      }),
  );
});
