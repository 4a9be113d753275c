// certpatch(8) and "pki", judged by openssl; and the openssl commands that pki names, run.
import { assertEquals, assertMatch } from "@std/assert";
import { parseCertificate } from "../../lib/x509/certificate.ts";
import { describeIdentity } from "../../lib/x509/identity.ts";
import { decodeFile } from "../../lib/x509/pem.ts";
import { type Outcome, runHere } from "./run.ts";

const FIXTURES = new URL("../vectors/x509/", import.meta.url).pathname;

interface Folder extends Disposable {
  readonly path: string;
  /** Runs a subcommand; words that begin with "@" are files of the folder. */
  run(...words: string[]): Promise<Outcome>;
  /** Runs a shell command line in it; all that it prints. */
  shell(line: string): string;
  file(name: string): string;
}

function folder(): Folder {
  const path = Deno.makeTempDirSync({ prefix: "ipsecbox-pki-" });
  return {
    path,
    run: (...words) => runHere(words.map((word) => word.replace(/^@/, `${path}/`))),
    shell: (line) => {
      const { stdout, stderr } = new Deno.Command("sh", { args: ["-c", line], cwd: path }).outputSync();
      return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    },
    file: (name) => Deno.readTextFileSync(`${path}/${name}`),
    [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }),
  };
}

const ok = ({ status, err }: Outcome): void => assertEquals(status, 0, err);

Deno.test("certpatch does what README.PKI's procedure needs, with openssl's certificates", async () => {
  using place = folder();
  const { run, shell, file } = place;
  shell(`openssl genrsa -out ca.key 2048
    openssl req -new -key ca.key -subj '/C=SE/O=MySite/CN=CA' -out ca.csr
    openssl x509 -req -days 365 -in ca.csr -signkey ca.key -out ca.crt
    openssl genrsa -out local.key 2048
    openssl req -new -key local.key -subj '/C=SE/CN=10.0.0.1' -out gw.csr
    openssl x509 -req -days 365 -in gw.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out gw.crt`);
  const patch = (...words: string[]) => run("certpatch", ...words, "-k", "@ca.key", "@gw.crt", "@new.crt");
  const names = () => {
    const { alternativeNames } = parseCertificate(
      decodeFile(Deno.readFileSync(`${place.path}/new.crt`), "CERTIFICATE")[0],
    );
    assertEquals(shell("openssl verify -CAfile ca.crt new.crt"), "new.crt: OK\n");
    return alternativeNames.map(describeIdentity);
  };
  const first = await patch("-i", "10.0.0.1");
  ok(first);
  assertEquals(
    first.out.replaceAll(`${place.path}/`, ""),
    "reading certificate gw.crt\nsigning with the RSA key, sha256WithRSAEncryption: OKAY\nwriting certificate new.crt with 10.0.0.1\n",
  );
  assertEquals(names(), ["10.0.0.1"]);
  ok(await patch("-t", "FQDN", "-i", "home.mysite.se"));
  assertEquals(names(), ["FQDN home.mysite.se"]);
  ok(await patch("-i", "someone@mysite.se", "-t", "ufqdn"));
  assertEquals(names(), ["USER_FQDN someone@mysite.se"]);
  ok(await patch("-i", "2001:db8::1"));
  assertEquals(names(), ["2001:db8:0:0:0:0:0:1"]);
  ok(await patch("-t", "ip", "-i", "10.0.0.1", "-t", "fqdn", "-i", "gw.mysite.se"));
  assertEquals(names(), ["10.0.0.1", "FQDN gw.mysite.se"]);
  ok(await patch("-t", "fqdn", "-i", "a.mysite.se", "-i", "b.mysite.se"));
  assertEquals(names(), ["FQDN a.mysite.se", "FQDN b.mysite.se"]);
  // The same file twice, and a second run: replaced, not added.
  ok(await run("certpatch", "-t", "fqdn", "-i", "one.se", "-k", "@ca.key", "@new.crt", "@new.crt"));
  ok(await run("certpatch", "-t", "fqdn", "-i", "two.se", "-k", "@ca.key", "@new.crt", "@new.crt"));
  assertEquals(names(), ["FQDN two.se"]);
  assertMatch(shell("openssl x509 -in new.crt -noout -text"), /Version: 3[^]*Subject Alternative Name: critical/);
  assertEquals(file("gw.crt").startsWith("-----BEGIN CERTIFICATE-----\n"), true);
});

Deno.test("certpatch says what is wrong, on standard output as the original, usage on standard error", async () => {
  using place = folder();
  Deno.writeTextFileSync(`${place.path}/rubbish`, "rubbish");
  const [gw, key] = [`${FIXTURES}gw.crt`, `${FIXTURES}ca.key`];
  Deno.copyFileSync(key, `${place.path}/own.key`);
  const cases: [string[], RegExp][] = [
    [["-t", "dns", "-i", "x", "-k", key, gw, "@o"], /no identity type "dns", allowed ip, fqdn, ufqdn/],
    [["-k", key, gw, "@o"], /-i: the identity is missing/],
    [["-i", "10.0.0.1", gw, "@o"], /-k: the key of the authority is missing/],
    [["-i", "10.0.0.256", "-k", key, gw, "@o"], /"10.0.0.256" is no IPv4 or IPv6 address/],
    [["-i", "gw.mysite.se", "-k", key, gw, "@o"], /"gw.mysite.se" is no IPv4 or IPv6 address \(-t says the type\)/],
    [["-t", "fqdn", "-i", "a..b", "-k", key, gw, "@o"], /"a..b" is no domain name/],
    [["-t", "ufqdn", "-i", "mysite.se", "-k", key, gw, "@o"], /"mysite.se" is no user@domain/],
    [["-t", "ip", "-t", "fqdn", "-i", "10.0.0.1", "-k", key, gw, "@o"], /2 types for 1 identities/],
    [["-i", "10.0.0.1", "-k", "@rubbish", gw, "@o"], /rubbish: Cannot read private key/],
    [["-i", "10.0.0.1", "-k", key, "@rubbish", "@o"], /rubbish: no PEM block CERTIFICATE/],
    [["-i", "10.0.0.1", "-k", key, "@none", "@o"], /none: it does not exist/],
    [["-i", "10.0.0.1", "-k", key, gw, "/nonexistent/o"], /\/nonexistent\/o: /],
    [["-i", "10.0.0.1", "-k", "@own.key", gw, "@own.key"], /own.key: one file cannot be two/],
    [["-t", "fqdn", "-i", "10.0.0.1", "-k", key, gw, "@o"], /"10.0.0.1" is no domain name/],
  ];
  for (const [words, message] of cases) {
    const { status, out, err } = await place.run("certpatch", ...words);
    assertEquals([status, err], [1, ""], words.join(" "));
    assertMatch(out, message);
  }
  for (const words of [["-z", gw, "@o"], ["-i", "10.0.0.1", gw], []]) {
    const { status, out, err } = await place.run("certpatch", ...words);
    assertEquals([status, out], [1, ""]);
    assertMatch(err, /\nusage: certpatch \[-t ip\|fqdn\|ufqdn\] -i identity -k signing-key input-cert output-cert\n$/);
  }
});

for (const bits of ["2048", "256", "521"]) {
  Deno.test(`pki makes an authority, a peer's certificate and a CRL that openssl accepts (${bits} bits)`, async () => {
    using place = folder();
    const { run, shell } = place;
    ok(
      await run(
        "pki",
        "ca",
        "-s",
        "/C=SE/O=MySite/CN=MySite CA",
        "-o",
        "@ca.crt",
        "-k",
        "@ca.key",
        "-b",
        bits,
        "-p",
        "0",
      ),
    );
    for (const [name, ...ids] of [["gw", "gw.mysite.se", "10.0.0.1", "2001:db8::1"], ["joe", "joe@mysite.se"]]) {
      const identities = ids.flatMap((id) => ["-i", id]);
      const files = ["-c", "@ca.crt", "-k", "@ca.key", "-o", `@${name}.crt`, "-n", `@${name}.key`];
      ok(await run("pki", "cert", "-s", `/C=SE/O=MySite/CN=${name}`, ...identities, ...files, "-b", bits));
      assertEquals(shell(`openssl verify -x509_strict -CAfile ca.crt ${name}.crt`), `${name}.crt: OK\n`);
      assertEquals(Deno.statSync(`${place.path}/${name}.key`).mode! & 0o777, 0o600);
      assertEquals(shell(`openssl pkey -in ${name}.key -pubout`), shell(`openssl x509 -in ${name}.crt -pubkey -noout`));
    }
    assertMatch(
      shell("openssl x509 -in gw.crt -noout -ext subjectAltName"),
      /DNS:gw.mysite.se, IP Address:10.0.0.1, IP Address:2001:DB8:0:0:0:0:0:1/,
    );
    const verify = (name: string) => shell(`openssl verify -CAfile ca.crt -CRLfile ca.crl -crl_check ${name}.crt`);
    ok(await run("pki", "crl", "-c", "@ca.crt", "-k", "@ca.key", "-o", "@ca.crl"));
    assertEquals(verify("joe"), "joe.crt: OK\n");
    ok(await run("pki", "crl", "-c", "@ca.crt", "-k", "@ca.key", "-o", "@ca.crl", "-r", "keyCompromise", "@joe.crt"));
    assertMatch(verify("joe"), /certificate revoked/);
    assertEquals(verify("gw"), "gw.crt: OK\n");
    const again = await run("pki", "crl", "-c", "@ca.crt", "-k", "@ca.key", "-o", "@ca.crl", "@gw.crt", "@joe.crt");
    assertMatch(again.out, /gw.crt: .* is revoked\n.*joe.crt: .* is revoked already\n.*ca.crl: 2 revoked/);
    assertMatch(verify("gw"), /certificate revoked/);
    assertMatch(shell("openssl crl -in ca.crl -noout -text"), /Key Compromise/);
  });
}

Deno.test("the openssl commands that pki ca and pki cert name make the same", async () => {
  using place = folder();
  const { run, shell } = place;
  const ca = await run("pki", "ca", "-s", "/C=SE/O=My Site's/CN=CA", "-o", "@ca.crt", "-k", "@ca.key");
  const cert = await run(
    ...["pki", "cert", "-s", "/CN=gw", "-i", "gw.mysite.se", "-i", "10.0.0.1", "-c", "@ca.crt", "-k", "@ca.key"],
    ...["-o", "@gw.crt", "-n", "@gw.key", "-b", "256"],
  );
  const text = (name: string) =>
    shell(`openssl x509 -in ${name} -noout -subject -issuer -ext basicConstraints,keyUsage,subjectAltName`);
  const ours = [text("ca.crt"), text("gw.crt")];
  for (const name of ["ca.crt", "ca.key", "gw.crt", "gw.key"]) Deno.removeSync(`${place.path}/${name}`);
  shell(`set -e\n${ca.err}${cert.err}`);
  assertEquals([text("ca.crt"), text("gw.crt")], ours);
  assertEquals(shell("openssl verify -CAfile ca.crt gw.crt"), "gw.crt: OK\n");
});

Deno.test("pki makes intermediate authorities, signs requests and renews; openssl accepts all of it, and makes the same", async () => {
  using place = folder();
  const { run, shell } = place;
  ok(await run("pki", "ca", "-s", "/O=My/CN=Root", "-o", "@ca.crt", "-k", "@ca.key", "-b", "256", "-p", "1"));
  const parent = ["-c", "@ca.crt", "-K", "@ca.key"];
  const inter = await run(
    ...["pki", "ca", "-s", "/O=My/CN=Inter", "-o", "@inter.crt", "-k", "@inter.key", "-b", "256", "-p", "0", ...parent],
  );
  ok(inter);
  shell(`openssl req -new -newkey rsa:2048 -nodes -keyout peer.key -subj /O=My/CN=peer -out peer.csr \\
    -addext 'subjectAltName=DNS:peer.my.se,IP:10.0.0.7' -addext basicConstraints=critical,CA:TRUE
    openssl req -new -key peer.key -subj /O=My/CN=bare -out bare.csr
    openssl req -new -key peer.key -subj /O=My/CN=odd -out odd.csr -addext subjectAltName=DNS:x%n.my.se`);
  const by = ["-c", "@inter.crt", "-k", "@inter.key"];
  const signed = await run("pki", "sign", ...by, "-o", "@peer.crt", "@peer.csr");
  ok(signed);
  assertMatch(signed.out, /peer.crt: \/O=My\/CN=peer, for FQDN peer.my.se, 10.0.0.7\n$/);
  const chosen = await run("pki", "sign", ...by, "-o", "@other.crt", "-i", "other.my.se", "@peer.csr");
  assertMatch(chosen.out, /it asked for FQDN peer.my.se, 10.0.0.7\n.*other.crt: .* for FQDN other.my.se\n$/);
  const verify = (name: string) => shell(`openssl verify -x509_strict -CAfile ca.crt -untrusted inter.crt ${name}`);
  const text = (name: string) =>
    shell(`openssl x509 -in ${name} -noout -subject -issuer -pubkey -ext basicConstraints,keyUsage,subjectAltName`);
  for (const name of ["inter.crt", "peer.crt", "other.crt"]) assertEquals(verify(name), `${name}: OK\n`);
  assertMatch(text("peer.crt"), /CA:FALSE/); // whatever it asked for

  const renewed = await run("pki", "renew", ...by, "-o", "@peer2.crt", "-d", "100", "@peer.crt");
  ok(renewed);
  assertEquals(verify("peer2.crt"), "peer2.crt: OK\n");
  assertEquals(text("peer2.crt"), text("peer.crt"));
  const serial = (name: string) => shell(`openssl x509 -in ${name} -noout -serial`);
  assertEquals(serial("peer2.crt") === serial("peer.crt"), false);
  // The authorities: what they signed stays good under the new certificates.
  ok(await run("pki", "renew", "-c", "@ca.crt", "-k", "@ca.key", "-o", "@inter2.crt", "@inter.crt"));
  const root = await run("pki", "renew", "-c", "@ca.crt", "-k", "@ca.key", "-o", "@ca2.crt", "-d", "3650", "@ca.crt");
  ok(root);
  assertEquals(text("ca2.crt"), text("ca.crt"));
  assertEquals(shell("openssl verify -x509_strict -CAfile ca2.crt -untrusted inter2.crt peer2.crt"), "peer2.crt: OK\n");

  const ours = ["inter.crt", "peer.crt", "peer2.crt", "ca2.crt"].map(text).map((each) =>
    each.replace(/-----B[^]*-----\n/, "")
  );
  const commands = [inter, signed, renewed, root].map(({ err }) => err).join("");
  for (const name of ["inter.crt", "inter.key", "peer.crt", "peer2.crt", "ca2.crt"]) {
    Deno.removeSync(`${place.path}/${name}`);
  }
  shell(`set -e\n${commands}`);
  assertEquals(
    ["inter.crt", "peer.crt", "peer2.crt", "ca2.crt"].map(text).map((each) => each.replace(/-----B[^]*-----\n/, "")),
    ours,
  );
  assertEquals(verify("peer2.crt"), "peer2.crt: OK\n");

  assertMatch(
    (await run("pki", "show", "@peer.csr")).out,
    /request of .*CN=peer\nidentities {2}FQDN peer.my.se, 10.0.0.7\n/,
  );
  const flip = decodeFile(Deno.readFileSync(`${place.path}/peer.csr`), "CERTIFICATE REQUEST")[0];
  flip[flip.length - 1] ^= 1;
  Deno.writeFileSync(`${place.path}/forged.csr`, flip);
  for (
    const [words, message] of [
      [
        ["sign", ...by, "-o", "@x.crt", "@forged.csr"],
        /forged.csr: request: it is not signed with the key that it is for/,
      ],
      [["sign", ...by, "-o", "@x.crt", "@bare.csr"], /bare.csr: it asks for no identity; -i says which it gets/],
      [["sign", ...by, "-o", "@x.crt", "@odd.csr"], /odd.csr: it asks for an identity that is no domain name/],
      [["sign", ...by, "-o", "@x.crt", "@peer.crt"], /no PEM block CERTIFICATE REQUEST, only CERTIFICATE/],
      [["ca", "-s", "/CN=x", "-o", "@x", "-k", "@y", "-c", "@inter.crt", "-K", "@inter.key"], /path length 0/],
      [["ca", "-s", "/CN=x", "-o", "@x", "-k", "@y", "-c", "@ca.crt"], /-K: the authority's key is missing/],
      [
        ["renew", "-c", "@ca.crt", "-k", "@ca.key", "-o", "@x.crt", "@peer.crt"],
        /CN=Root did not issue it, .*CN=Inter/,
      ],
      [
        [
          "cert",
          "-s",
          "/CN=x",
          "-i",
          "x.worksite.se",
          "-c",
          `${FIXTURES}constrained.crt`,
          "-k",
          `${FIXTURES}twin.key`,
          "-o",
          "@x.crt",
          "-n",
          "@x.key",
        ],
        /FQDN x.worksite.se is not permitted by the name constraints of .*Constrained/,
      ],
    ] as const
  ) {
    const { status, err } = await run("pki", ...words);
    assertEquals(status > 0, true, words.join(" "));
    assertMatch(err, message);
  }
});

Deno.test("a renewed certificate says all that the old one said, as openssl's own does, or there is none", async () => {
  using place = folder();
  const { run, shell } = place;
  // A root with constraints, one of version 1 as README.PKI's commands make it, and what they issued.
  shell(`printf '%s\\n' '[req]' 'distinguished_name=dn' '[dn]' >cnf
    openssl req -config cnf -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -subj /O=My/CN=CA -days 30 \\
      -addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign,cRLSign,digitalSignature \\
      -addext 'nameConstraints=permitted;DNS:my.se,excluded;URI:bad.se' -addext certificatePolicies=1.2.3 \\
      -addext policyConstraints=requireExplicitPolicy:0
    for name in v1 gw odd forged; do
      openssl req -config cnf -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $name.key -out $name.csr -subj /O=My/CN=$name
    done
    openssl x509 -req -in v1.csr -signkey v1.key -days 30 -out v1.crt
    issue() { openssl x509 -req -in $1.csr -CA ca.crt -CAkey $2 -CAcreateserial -days 30 -extfile $1.ext -out $1.crt; }
    cat >gw.ext <<END
basicConstraints=CA:FALSE
keyUsage=digitalSignature,keyEncipherment
extendedKeyUsage=critical,ipsecIKE,1.3.6.1.5.5.8.2.2
subjectAltName=critical,DNS:gw.my.se,URI:http://gw.my.se/,otherName:1.2.3.4;UTF8:x
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid,issuer:always
certificatePolicies=critical,1.2.3
crlDistributionPoints=URI:http://my.se/crl
authorityInfoAccess=OCSP;URI:http://my.se/
nsComment=text
END
    issue gw ca.key
    echo '1.2.3.4=ASN1:NULL' >odd.ext
    issue odd ca.key
    cp gw.ext forged.ext
    openssl genpkey -algorithm RSA -out other.key
    openssl req -config cnf -x509 -key other.key -out other.crt -subj /O=My/CN=CA
    openssl x509 -req -in forged.csr -CA other.crt -CAkey other.key -set_serial 7 -extfile gw.ext -out forged.crt`);
  const said = (name: string) =>
    shell(`openssl x509 -in ${name} -noout -text -certopt no_serial,no_validity,no_sigdump -nameopt RFC2253`)
      // That of the issuer's key, and no more of the issuer, whose own certificate may be renewed.
      .replace(/keyid:(.*)\n *DirName:.*\n *serial:.*/, "$1");
  const by = ["-c", "@ca.crt", "-k", "@ca.key"];
  const gw = await run("pki", "renew", ...by, "-o", "@gw2.crt", "-d", "20", "@gw.crt");
  const ca = await run("pki", "renew", ...by, "-o", "@ca2.crt", "@ca.crt");
  const v1 = await run("pki", "renew", "-c", "@v1.crt", "-k", "@v1.key", "-o", "@v12.crt", "@v1.crt");
  const names = ["gw", "ca", "v1"];
  [gw, ca, v1].forEach(ok);
  assertMatch(
    said("gw.crt"),
    /ipsec Internet Key Exchange[^]*URI:http:\/\/gw.my.se\/, othername:[^]*URI:http:\/\/my.se\/crl/,
  );
  assertMatch(said("v1.crt"), /Version: 1 /);
  for (const name of names) assertEquals(said(`${name}2.crt`), said(`${name}.crt`));
  assertEquals(shell("openssl verify -CAfile ca2.crt gw2.crt"), "gw2.crt: OK\n");
  for (const name of names) Deno.removeSync(`${place.path}/${name}2.crt`);
  shell(`set -e\n${gw.err}${ca.err}${v1.err}`);
  for (const name of names) assertEquals(said(`${name}2.crt`), said(`${name}.crt`));

  const key = ["-s", "/CN=x", "-i", "x.my.se", "-n", "@x.key", "-b", "256"];
  const { err } = await run("pki", "cert", ...by, ...key, "-o", "@x.crt");
  assertMatch(err, /\/O=My\/CN=CA demands a certificate policy, which it would not have/);
  for (
    const [name, message] of [
      ["odd", /odd.crt: its extension 1.2.3.4 may not hold of another certificate: make a new one\n$/],
      ["forged", /forged.crt: its signature is not that of \/O=My\/CN=CA\n$/],
    ] as const
  ) {
    const { status, err } = await run("pki", "renew", ...by, "-o", "@x.crt", `@${name}.crt`);
    assertEquals(status, 1);
    assertMatch(err, message);
  }
});

Deno.test("pki shows names and certificates as a policy has them", async () => {
  using place = folder();
  const { run, shell } = place;
  for (const name of ["gw", "email", "ca"]) {
    const dn = await run("pki", "dn", `${FIXTURES}${name}.crt`);
    const subject = shell(dn.err).trim().replace(/^subject=/, "");
    assertEquals(dn.out, `"DN:${subject.replaceAll("\\", "\\\\")}"\n`); // as a KeyNote string has it
    const base64 = await run("pki", "policy-base64", `${FIXTURES}${name}.crt`);
    const joined = base64.out.replace(/\\\n\s+/g, "");
    assertEquals(joined, `"x509-base64:${shell(base64.err).trim()}"\n`);
  }
  const { out } = await run("pki", "show", `${FIXTURES}many.crt`, `${FIXTURES}ca.crl`, `${FIXTURES}p256.key`);
  for (
    const words of [
      /subject {5}\/C=SE\/O=MySite\/CN=many\n/,
      /identities {2}10.0.0.1, 2001:db8:0:0:0:0:0:1, FQDN many.mysite.se, USER_FQDN Boss@mysite.se\n/,
      /not after {3}2099-12-31T23:59:59Z\n/,
      /authority {3}no\n/,
      /usage {7}digitalSignature\n/,
      /key {9}RSA 2048, SHA-256 [0-9a-f]{64}\n/,
      /revoked {5}[0-9a-f]+ 2020-01-01T00:00:00Z keyCompromise\n/,
      /private key *ECDSA 256, SHA-256 [0-9a-f]{64}\n/,
    ]
  ) assertMatch(out, words);
});

Deno.test("pki says what is wrong with its arguments and files", async () => {
  using place = folder();
  const [ca, key, twin] = ["ca.crt", "ca.key", "twin.key"].map((name) => `${FIXTURES}${name}`);
  const authority = ["-c", ca, "-k", key], own = ["-c", "@own.crt", "-k", "@own.key"];
  Deno.copyFileSync(ca, `${place.path}/own.crt`);
  Deno.copyFileSync(key, `${place.path}/own.key`);
  const cases: [string[], RegExp][] = [
    [["caa"], /no action "caa"; did you mean "ca"/],
    [["ca", "-o", "@x", "-k", "@y"], /-s: the name of the authority is missing/],
    [["ca", "-s", "CN=x", "-o", "@x", "-k", "@y"], /name "CN=x": it must begin with "\/"/],
    [["ca", "-s", "/XX=x", "-o", "@x", "-k", "@y"], /"XX=x" is no TYPE=value/],
    [["ca", "-s", "/CN=x", "-o", "@x", "-k", "@y", "-b", "1000000"], /-b: a number from 256 to 16384/],
    [["ca", "-s", "/CN=x", "-o", "@x", "-k", "@y", "-b", "300"], /-b: /],
    [["ca", "-s", "/CN=x", "-o", "@x", "-k", "@y", "-d", "0"], /-d: a number from 1 to 36500/],
    [["ca", "-z"], /ca: unknown option -z/],
    [["cert", "-s", "/CN=x", ...authority, "-o", "@x", "-n", "@y"], /-i: the identity is missing/],
    [["cert", "-s", "/CN=x", "-i", "a b", ...authority, "-o", "@x", "-n", "@y"], /"a b" is no address, no domain name/],
    [
      ["cert", "-s", "/CN=x", "-i", "10.0.0.300", ...authority, "-o", "@x", "-n", "@y"],
      /"10.0.0.300" is no address, no/,
    ],
    [["cert", "-s", "/CN=x", "-i", "a", ...authority, "-o", "@x", "-n", "@y", "z"], /"z": only options are taken/],
    [["cert", "-s", "/CN=x", "-i", "a", "-c", "@", "-k", key, "-o", "@x", "-n", "@y"], /\/: it is a directory\n/],
    [["ca", "-s", "/CN=x", "-o", "@x", "-k", "@./x"], /\.\/x: one file cannot be two/],
    [["cert", "-s", "/CN=x", "-i", "a", ...own, "-o", "@x", "-n", "@own.key"], /own.key: one file cannot be two/],
    [["renew", ...own, "-o", "@own.crt", `${FIXTURES}gw.crt`], /own.crt: one file cannot be two/],
    [["carrot"], /no action "carrot", allowed ca, cert, sign, renew, crl, show, dn, policy-base64/],
    [
      ["cert", "-s", "/CN=x", "-i", "a", "-c", ca, "-k", twin, "-o", "@x", "-n", "@y"],
      /twin.key: the private key is not that of/,
    ],
    [
      ["cert", "-s", "/CN=x", "-i", "a", "-c", `${FIXTURES}gw.crt`, "-k", `${FIXTURES}gw.key`, "-o", "@x", "-n", "@y"],
      /not an authority's/,
    ],
    [["cert", "-s", "/CN=x", "-i", "a", ...authority, "-o", "/nonexistent/x", "-n", "@y"], /\/nonexistent\/x: /],
    [["crl", ...authority, "-o", "@x", "-r", "theft"], /no reason "theft", allowed keyCompromise/],
    [
      ["crl", ...authority, "-o", "@x", `${FIXTURES}under-stranger.crt`],
      /MySite CA did not issue it, \/C=SE\/O=Elsewhere/,
    ],
    [["crl", ...authority, "-o", "@none/x"], /none\/x: /],
    [["dn"], /one file is needed, not 0/],
    [["dn", key], /no PEM block CERTIFICATE, only PRIVATE KEY/],
    [["show", "/dev/null"], /no certificate, request, CRL or private key/],
  ];
  for (const [words, message] of cases) {
    const { status, err } = await place.run("pki", ...words);
    assertEquals(status > 0, true, words.join(" "));
    assertMatch(err, message);
  }
});
