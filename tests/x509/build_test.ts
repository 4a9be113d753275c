// Certificates and CRLs that we make: read by ourselves, and judged by openssl.
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { encodePem, encodePublicKey } from "../../lib/crypto/signature.ts";
import { buildCertificate, buildRevocationList, encodeTime } from "../../lib/x509/build.ts";
import { parseCertificate } from "../../lib/x509/certificate.ts";
import { parseRevocationList } from "../../lib/x509/crl.ts";
import { CertificateError } from "../../lib/x509/error.ts";
import { describeIdentity } from "../../lib/x509/identity.ts";
import { nameFromText } from "../../lib/x509/name.ts";
import { validatePath } from "../../lib/x509/path.ts";
import { patchIdentities } from "../../lib/x509/rewrite.ts";
import { certificate, derOf, fqdn, key, NOW, refused, trust } from "./fixtures.ts";

const hour = 3600_000;
const serial = Uint8Array.from({ length: 16 }, (_, i) => 0xf0 + i);

/** Runs openssl on files of these contents; the answer is all that it prints. */
function openssl(files: Record<string, string>, ...args: string[]): string {
  const folder = Deno.makeTempDirSync();
  try {
    for (const [name, text] of Object.entries(files)) Deno.writeTextFileSync(`${folder}/${name}`, text);
    const { stdout, stderr } = new Deno.Command("openssl", { args, cwd: folder }).outputSync();
    return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

for (const kind of ["ca", "p256", "p521", "dsa"]) {
  Deno.test(`an authority, a certificate and a CRL with the ${kind} key satisfy openssl and ourselves`, () => {
    const authorityKey = key(kind);
    const subject = nameFromText("/C=SE/O=MySite/CN=New CA");
    const common = { serial, notBefore: Date.now() - hour, notAfter: Date.now() + hour, hash: "sha256" } as const;
    const caDer = buildCertificate(
      { ...common, subject, spki: encodePublicKey(authorityKey), identities: [], authority: { pathLength: 0 } },
      { key: authorityKey },
    );
    const ca = parseCertificate(caDer);
    const issuer = { certificate: ca, key: authorityKey };
    const identities = [fqdn("new.mysite.se"), { type: "IPV4_ADDR", octets: Uint8Array.of(10, 0, 0, 1) } as const];
    const leafDer = buildCertificate(
      { ...common, subject: nameFromText("/CN=\\xC3\\x85sa"), spki: encodePublicKey(key("gw")), identities },
      issuer,
    );
    const leaf = parseCertificate(leafDer);
    assertEquals(leaf.alternativeNames.map(describeIdentity), ["FQDN new.mysite.se", "10.0.0.1"]);
    const list = {
      revoked: [{ serial: leaf.serial, at: Date.now() - 1000, reason: 1 }, { serial: "01", at: 0 }],
      number: Uint8Array.of(7),
      thisUpdate: Date.now() - 1000,
      nextUpdate: Date.now() + hour,
      hash: "sha256",
    } as const;
    const crlDer = buildRevocationList(list, issuer);
    const files = {
      "ca.crt": encodePem("CERTIFICATE", caDer),
      "leaf.crt": encodePem("CERTIFICATE", leafDer),
      "ca.crl": encodePem("X509 CRL", crlDer),
    };
    const verify = ["verify", "-x509_strict", "-check_ss_sig", "-CAfile", "ca.crt"];
    assertEquals(openssl(files, ...verify, "leaf.crt"), "leaf.crt: OK\n");
    assertMatch(openssl(files, ...verify, "-CRLfile", "ca.crl", "-crl_check", "leaf.crt"), /certificate revoked/);
    assertMatch(openssl(files, "x509", "-in", "leaf.crt", "-noout", "-text"), /DNS:new.mysite.se, IP Address:10.0.0.1/);
    const trusted = { ...trust([]), authorities: [ca], nowMs: Date.now() };
    assertEquals(validatePath(leaf, trusted).ok, true);
    const crl = parseRevocationList(crlDer);
    assertEquals([...crl.revoked.keys()], [leaf.serial, "01"]);
    assertEquals(refused(validatePath(leaf, { ...trusted, revocationLists: [crl] })).refusal, "revoked");
    const empty = parseRevocationList(buildRevocationList({ ...list, revoked: [] }, issuer));
    assertEquals(validatePath(leaf, { ...trusted, revocationLists: [empty] }).ok, true);
  });
}

Deno.test("patching replaces subjectAltName and leaves everything else", () => {
  for (const name of ["gw", "many", "under-v1", "sha1"]) {
    const authority = name === "under-v1" ? "v1-ca" : "ca";
    const before = certificate(name);
    const { der, algorithm } = patchIdentities(derOf(name), [fqdn("home.mysite.se")], key("ca"));
    const after = parseCertificate(der);
    assertEquals(after.alternativeNames.map(describeIdentity), ["FQDN home.mysite.se"]);
    assertEquals(after.version, 3);
    assertEquals(algorithm.name, name === "sha1" ? "sha1WithRSAEncryption" : "sha256WithRSAEncryption");
    for (const field of ["serial", "subject", "issuer", "notBefore", "notAfter", "spki", "keyUsage"] as const) {
      assertEquals(after[field], before[field], field);
    }
    const files = {
      "ca.crt": encodePem("CERTIFICATE", derOf(authority)),
      "x.crt": encodePem("CERTIFICATE", der),
    };
    const at = String(NOW / 1000);
    assertEquals(openssl(files, "verify", "-attime", at, "-CAfile", "ca.crt", "x.crt"), "x.crt: OK\n");
    assertMatch(
      openssl(files, "x509", "-in", "x.crt", "-noout", "-text"),
      /X509v3 Subject Alternative Name: critical\s+DNS:home.mysite.se/,
    );
    assertEquals(validatePath(after, trust([authority])).ok, true);
  }
});

Deno.test("a certificate is patched with an authority's key of another kind", () => {
  assertEquals(patchIdentities(derOf("gw"), [fqdn("x")], key("p256")).algorithm.name, "ecdsa-with-SHA256");
});

Deno.test("only the issuer's key signs in its name", () => {
  const request = {
    subject: nameFromText("/CN=x"),
    spki: encodePublicKey(key("gw")),
    identities: [],
    serial,
    notBefore: 0,
    notAfter: hour,
    hash: "sha256",
  } as const;
  const wrong = { certificate: certificate("ca"), key: key("twin") };
  assertThrows(() => buildCertificate(request, wrong), CertificateError, "the private key is not that of /C=SE");
  const list = { revoked: [], number: serial, thisUpdate: 0, nextUpdate: hour, hash: "sha256" } as const;
  assertThrows(() => buildRevocationList(list, wrong), CertificateError, "the private key is not that of");
});

Deno.test("times have two digits of the year until 2049 and four from 2050 on (RFC 5280 4.1.2.5)", () => {
  const text = (at: number) => String.fromCharCode(...encodeTime(at));
  assertEquals(text(Date.UTC(2049, 11, 31, 23, 59, 59)), "\x17\x0d491231235959Z");
  assertEquals(text(Date.UTC(2050, 0, 1)), "\x18\x0f20500101000000Z");
});
