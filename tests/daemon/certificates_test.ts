// The certificate directories of isakmpd, and the attack of FAQ 13.9.
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { encodePublicKey } from "../../lib/crypto/signature.ts";
import { CertificateDirectories, type CertificateSettings } from "../../lib/daemon/certificates.ts";
import { identityWarnings } from "../../lib/daemon/identity_warnings.ts";
import { authorize, parsePolicy } from "../../lib/daemon/isakmpd_policy.ts";
import { principalsOf, pseudoCredentials } from "../../lib/daemon/pseudo_credentials.ts";
import { policyAttributes } from "../../lib/ike/policy_attributes.ts";
import type { Certificate as Payload, VerifyTask } from "../../lib/ike/events.ts";
import { parseAddress } from "../../lib/ip/address.ts";
import { addressId, type Identification, textId } from "../../lib/isakmp/identification.ts";
import {
  CERT_ENCODING,
  ENCAPSULATION_MODE,
  ID_TYPE,
  IKE_AUTHENTICATION,
  PROTOCOL_ID,
} from "../../lib/isakmp/numbers.ts";
import { parseAssertions } from "../../lib/keynote/parse.ts";
import { formatPrincipal } from "../../lib/keynote/principal.ts";
import { publicKeyOf } from "../../lib/keynote/private_key.ts";
import { signAssertion } from "../../lib/keynote/signature.ts";
import { formatBase64 } from "../../lib/octets/base64.ts";
import { encodeText } from "../../lib/octets/bytes.ts";
import { Secret } from "../../lib/octets/secret.ts";
import { CertificateError } from "../../lib/x509/error.ts";
import { certificate, derOf, file, key, NOW } from "../x509/fixtures.ts";

/** Directories with these fixtures: authorities, certificates, CRLs. */
function directories(
  ca: string[],
  certs: string[] = [],
  crls: string[] = [],
  more: Partial<CertificateSettings> = {},
): CertificateDirectories & Disposable {
  const root = Deno.makeTempDirSync({ prefix: "ipsecbox-certs-" });
  for (const [folder, suffix, names] of [["ca", "crt", ca], ["certs", "crt", certs], ["crls", "crl", crls]] as const) {
    Deno.mkdirSync(`${root}/${folder}`);
    for (const name of names) {
      Deno.writeFileSync(`${root}/${folder}/${name}.${suffix}`, file(`${name}.${suffix}`), { mode: 0o644 });
    }
  }
  const store = new CertificateDirectories({
    caDirectory: `${root}/ca/`,
    certDirectory: `${root}/certs/`,
    crlDirectory: `${root}/crls/`,
    credentialDirectory: `${root}/keynote/`,
    acceptSelfSigned: false,
    privateKey: `${root}/local.key`,
    ...more,
  }, () => NOW);
  return Object.assign(store, { [Symbol.dispose]: () => Deno.removeSync(root, { recursive: true }) });
}

const x509 = (...names: string[]): Payload[] =>
  names.map((name) => ({ encoding: CERT_ENCODING.X509_SIG, octets: derOf(name) }));
const fqdn = (name: string) => textId("FQDN", name);
const task = (
  remoteId: Identification,
  certificates: Payload[],
  method: number = IKE_AUTHENTICATION.RSA_SIG,
): VerifyTask => ({
  op: "verify",
  method,
  peer: "peer",
  remoteId,
  certificates,
  octets: new Uint8Array(20),
  signature: new Uint8Array(128),
});
const why = (store: CertificateDirectories, of: VerifyTask): string =>
  assertThrows(() => store.keyOf(of), CertificateError).message;

Deno.test("a peer's key comes from its certificate, sent or lying in the directory", () => {
  using store = directories(["ca", "twin"], ["gw", "inter"]);
  assertEquals(store.problems, []);
  const gw = encodePublicKey(key("gw"));
  assertEquals(store.keyOf(task(fqdn("gw.mysite.se"), x509("gw")))!.publicKey, gw);
  assertEquals(store.keyOf(task(fqdn("gw.mysite.se"), []))!.publicKey, gw); // of the directory
  assertEquals(store.keyOf(task(fqdn("under.mysite.se"), x509("under-inter")))!.publicKey, gw); // inter is at hand
  assertEquals(store.keyOf(task(addressId(parseAddress("10.0.0.1")), x509("many")))!.publicKey, gw);
  assertEquals(store.keyOf(task(textId("USER_FQDN", "Boss@mysite.se"), x509("many")))!.publicKey, gw);
  const name: Identification = {
    type: ID_TYPE.DER_ASN1_DN,
    protocol: 0,
    port: 0,
    data: certificate("dsa").subject.der,
  };
  assertEquals(store.keyOf(task(name, x509("dsa"), IKE_AUTHENTICATION.DSS))!.publicKey, encodePublicKey(key("dsa")));
  const ec = task(fqdn("gw.worksite.se"), x509("worksite"), IKE_AUTHENTICATION.ECDSA_256);
  assertEquals(store.keyOf(ec)!.publicKey, encodePublicKey(key("p256")));
  assertEquals(store.keyOf(task(fqdn("nobody.mysite.se"), [])), undefined);
  assertEquals(store.keyOf(task(textId("KEY_ID", "x"), x509("gw"))), undefined);
});

Deno.test("a peer's certificate that does not hold is refused with the reason", () => {
  using store = directories(["ca"], [], ["ca"]);
  assertMatch(
    why(store, task(fqdn("gw.worksite.se"), x509("gw"))),
    /is not for FQDN gw.worksite.se: its subjectAltName is FQDN gw/,
  );
  assertMatch(why(store, task(fqdn("under.mysite.se"), x509("under-inter"))), /its issuer .*Intermediate is not known/);
  assertMatch(why(store, task(fqdn("alone.mysite.se"), x509("alone"))), /self-signed/);
  assertMatch(
    why(store, task(fqdn("gw.mysite.se"), x509("gw"), IKE_AUTHENTICATION.DSS)),
    /a key of another kind \(rsa\)/,
  );
  const name: Identification = {
    type: ID_TYPE.DER_ASN1_DN,
    protocol: 0,
    port: 0,
    data: certificate("revoked").subject.der,
  };
  assertMatch(why(store, task(name, x509("revoked"))), /revoked on 2020-01-01/);
  const cut = [{ encoding: CERT_ENCODING.X509_SIG, octets: derOf("gw").slice(0, 100) }];
  assertMatch(why(store, task(fqdn("gw.mysite.se"), cut)), /the peer sent what is none: certificate:/);
});

Deno.test("a broken certificate beside a good one does no harm", () => {
  using store = directories(["ca"]);
  const rubbish = { encoding: CERT_ENCODING.X509_SIG, octets: Uint8Array.of(0x30, 0) };
  assertEquals(
    store.keyOf(task(fqdn("gw.mysite.se"), [rubbish, ...x509("gw")]))!.publicKey,
    encodePublicKey(key("gw")),
  );
});

Deno.test("Accept-self-signed accepts what nobody vouches for", () => {
  using store = directories(["ca"], [], [], { acceptSelfSigned: true });
  const found = store.keyOf(task(fqdn("alone.mysite.se"), x509("alone")))!;
  assertEquals(found.credential.assertions!.size, 0);
  assertEquals(found.credential.principals[1], "DN:/C=SE/O=MySite/CN=alone");
});

Deno.test("our certificate is chosen by our ID, with the intermediates, for the authority that is asked for", () => {
  using store = directories(["ca", "stranger"], ["gw", "inter", "under-inter", "worksite"]);
  const own = (id: Identification, ...asked: string[]) =>
    store.ownChain(
      id,
      asked.map((name) => ({ encoding: CERT_ENCODING.X509_SIG, octets: certificate(name).subject.der })),
    )
      .map(({ octets }) => octets);
  assertEquals(own(fqdn("gw.mysite.se")), [derOf("gw")]);
  assertEquals(own(fqdn("under.mysite.se"), "ca"), [derOf("under-inter"), derOf("inter")]);
  assertEquals(own(fqdn("gw.mysite.se"), "stranger"), [derOf("gw")]); // better than none
  assertEquals(own(fqdn("nobody.mysite.se")), []);
  assertEquals(own(textId("KEY_ID", "gw")), []);
  assertEquals(
    store.authorities().map(({ octets }) => octets),
    [certificate("ca"), certificate("stranger")].map((c) => c.subject.der),
  );
});

Deno.test("what is wrong with our own side is said", () => {
  using store = directories(["ca"], ["gw", "under-inter"]);
  const withKey = (name: string, mode = 0o600) => {
    Deno.writeFileSync(store.settings.privateKey, file(`${name}.key`));
    Deno.chmodSync(store.settings.privateKey, mode);
    return (id: string) => store.ownProblems(fqdn(id));
  };
  assertMatch(store.ownProblems(fqdn("gw.mysite.se"))[0], /private key .*local.key: it does not exist/);
  assertEquals(store.keyProblems(), []); // who has another needs none
  const good = withKey("gw");
  assertEquals([good("gw.mysite.se"), store.keyProblems()], [[], []]);
  assertMatch(good("x.mysite.se")[0], /no certificate for FQDN x.mysite.se/);
  assertMatch(good("under.mysite.se")[0], /Intermediate is not known/);
  assertMatch(withKey("p256")("gw.mysite.se")[0], /FQDN gw.mysite.se is not that of .*local.key/);
  assertMatch(
    withKey("ed25519")("gw.mysite.se")[0],
    /local.key: Cannot use private key of type ed25519: .*openssl genp/,
  );
  assertEquals(store.keyProblems(), store.ownProblems(fqdn("gw.mysite.se")));
  assertMatch(withKey("gw", 0o640)("gw.mysite.se")[0], /mode 0640 lets others at it/);
});

Deno.test("files that cannot be used are left out and said; a reload sees what has changed", () => {
  using store = directories(["ca"], ["gw"]);
  const { caDirectory, certDirectory } = store.settings;
  Deno.writeTextFileSync(`${certDirectory}/notes.txt`, "no certificate");
  Deno.writeTextFileSync(`${certDirectory}/.hidden`, "not looked at");
  Deno.mkdirSync(`${certDirectory}/folder`);
  Deno.writeFileSync(`${certDirectory}/cut.crt`, derOf("gw").subarray(0, 99));
  Deno.writeFileSync(`${caDirectory}/open.crt`, file("twin.crt"));
  Deno.chmodSync(`${caDirectory}/open.crt`, 0o666);
  const problems = store.reload().map((line) => line.slice(line.lastIndexOf("/") + 1));
  assertEquals(problems.map((line) => line.split(":")[0]), ["open.crt", "cut.crt", "notes.txt"]);
  assertMatch(problems[0], /others may write it/);
  assertEquals(store.authorityCertificates.length, 1);
  Deno.removeSync(`${caDirectory}/ca.crt`);
  store.reload();
  assertMatch(why(store, task(fqdn("gw.mysite.se"), x509("gw"))), /is not known here/);
});

// ---- pseudo-credentials and policies -----------------------------------------------------------------------------

const proposal = (remoteId: Identification, now = new Date(NOW)) =>
  policyAttributes({
    initiator: false,
    exchange: "ID_PROT",
    phase1Group: 2,
    protocols: [{
      protocol: PROTOCOL_ID.IPSEC_ESP,
      cipher: { keynote: "3des" },
      authenticator: { keynote: "hmac-sha", keynoteHash: "sha" },
      encapsulation: ENCAPSULATION_MODE.TUNNEL,
      lifeSeconds: 1200,
      lifeKilobytes: 0,
    }],
    remoteId,
    localAddress: parseAddress("10.0.0.1"),
    remoteAddress: parseAddress("10.0.0.2"),
    now,
  });

const decide = (policyText: string, remoteId: Identification, credential: unknown, now?: Date) =>
  authorize(parsePolicy(policyText, "policy"), { attributes: proposal(remoteId, now), credential, peer: "peer" });

const caBase64 = formatBase64(certificate("ca").der);
const ESP = 'app_domain == "IPsec policy" && esp_present == "yes" && esp_enc_alg != "null"';
/** The policies that FAQ 13.9 speaks of: by certificate of the authority, and by its name. */
const byCertificate = (more = "") =>
  `Authorizer: "POLICY"
Licensees: "x509-base64:${caBase64.replace(/(.{60})/g, "$1\\\n            ")}"
Conditions: ${ESP}${more} -> "true";
`;
const byName = (more = "") =>
  `Authorizer: "POLICY"
Licensees: "DN:/C=SE/O=MySite/CN=MySite CA"
Conditions: ${ESP}${more} -> "true";
`;
const EXPECTED = ` &&
            remote_id_type == "FQDN" &&
            (remote_id == "gw.mysite.se" || remote_id == "gw.somesite.se")`;

Deno.test("a certificate becomes two assertions, as isakmpd makes them", () => {
  const rsa = (name: string) => formatPrincipal(publicKeyOf(key(name)));
  const [byKey, byDn, ...more] = pseudoCredentials(certificate("gw"), certificate("ca")).split("\n\n");
  const conditions = 'Conditions: GMTTimeOfDay >= "20000101000000" && GMTTimeOfDay <= "20991231235959";\n';
  assertEquals(byKey, `Authorizer: "${rsa("ca")}"\nLicensees: "${rsa("gw")}"\n${conditions}`.trimEnd());
  assertEquals(
    byDn,
    `Authorizer: "DN:/C=SE/O=MySite/CN=MySite CA"\nLicensees: "DN:/C=SE/O=MySite/CN=gw.mysite.se"\n${conditions}`,
  );
  assertEquals(more, []);
  // Also a key that KeyNote has no name for, and e-mail in both spellings.
  assertMatch(principalsOf(certificate("worksite"))[0], /^x509-base64:/);
  assertEquals(principalsOf(certificate("email")).slice(1), [
    "DN:/C=SE/O=MySite/CN=\\xC3\\x85ke/emailAddress=ake@mysite.se",
    "DN:/C=SE/O=MySite/CN=\\xC3\\x85ke/Email=ake@mysite.se",
  ]);
  const { assertions, problems } = parseAssertions(pseudoCredentials(certificate("email"), certificate("ca")), "x");
  assertEquals([assertions.length, problems], [2, []]);
});

Deno.test("a policy that licenses the authority accepts its certificates, while they are valid", () => {
  using store = directories(["ca"]);
  for (
    const [name, id, method] of [
      ["gw", "gw.mysite.se", IKE_AUTHENTICATION.RSA_SIG],
      ["worksite", "gw.worksite.se", IKE_AUTHENTICATION.ECDSA_256],
    ] as const
  ) {
    const { credential } = store.keyOf(task(fqdn(id), x509(name), method))!;
    for (const policy of [byCertificate(), byName()]) {
      assertEquals(decide(policy, fqdn(id), credential).allowed, true, name);
      assertEquals(decide(policy, fqdn(id), credential, new Date(Date.UTC(1999, 0, 1))).allowed, false);
      assertEquals(decide(policy, fqdn(id), undefined).allowed, false);
    }
  }
});

Deno.test("a policy licenses the authority over an intermediate, the user's certificate, or the user's name", () => {
  using store = directories(["ca"], ["inter"]);
  const { credential } = store.keyOf(task(fqdn("under.mysite.se"), x509("under-inter")))!;
  const x509Principal = (name: string) => `x509-base64:${formatBase64(certificate(name).der)}`;
  for (
    const licensee of [
      "DN:/C=SE/O=MySite/CN=MySite CA",
      "DN:/C=SE/O=MySite/CN=Intermediate",
      "DN:/C=SE/O=MySite/CN=under",
      x509Principal("ca"),
      x509Principal("inter"),
      x509Principal("under-inter"),
    ]
  ) {
    const policy = `Authorizer: "POLICY"\nLicensees: "${licensee}"\n`;
    assertEquals(decide(policy, fqdn("under.mysite.se"), credential).allowed, true, licensee.slice(0, 40));
  }
  const other = `Authorizer: "POLICY"\nLicensees: "DN:/C=SE/O=Elsewhere/CN=CA" || "${x509Principal("ec-ca")}"\n`;
  assertEquals(decide(other, fqdn("under.mysite.se"), credential).allowed, false);
});

Deno.test("FAQ 13.9: a valid certificate of the same authority with another FQDN is refused by the FAQ's policy", () => {
  using store = directories(["ca"]);
  // The attacker owns the key and the certificate of evil.mysite.se, and takes the peer's address.
  const attacker = store.keyOf(task(fqdn("evil.mysite.se"), x509("attacker"), IKE_AUTHENTICATION.ECDSA_256))!;
  const friend = store.keyOf(task(fqdn("gw.mysite.se"), x509("gw")))!;
  for (const policy of [byCertificate, byName]) {
    assertEquals(decide(policy(), fqdn("evil.mysite.se"), attacker.credential).allowed, true, "this is the hole");
    const refused = decide(policy(EXPECTED), fqdn("evil.mysite.se"), attacker.credential);
    assertEquals(refused.allowed, false);
    assertMatch(refused.explanation, /remote_id == "gw.mysite.se" should be true \(remote_id is "evil.mysite.se"\)/);
    assertEquals(decide(policy(EXPECTED), fqdn("gw.mysite.se"), friend.credential).allowed, true);
  }
  // With Remote-ID it does not come so far: the core compares the ID, and another ID needs another certificate.
  assertMatch(
    why(store, task(fqdn("gw.mysite.se"), x509("attacker"), IKE_AUTHENTICATION.ECDSA_256)),
    /is not for FQDN gw.mysite.se: its subjectAltName is FQDN evil.mysite.se/,
  );
  // Nor does an ID of another kind with the same text help.
  assertEquals(decide(byName(EXPECTED), textId("USER_FQDN", "gw.mysite.se"), friend.credential).allowed, false);
});

Deno.test("FAQ 13.9: the hole is warned about when neither Remote-ID nor the policy closes it", () => {
  const authorities = [certificate("ca")];
  const parsed = (text: string) => parsePolicy(text, "isakmpd.policy").assertions;
  const open = { name: "gw.worksite", usesCertificates: true };
  const warn = (text: string | undefined, peer: object = open) =>
    identityWarnings([peer as typeof open], text === undefined ? undefined : parsed(text), authorities);
  for (const text of [byCertificate(), byName(), 'Authorizer: "POLICY"\n']) {
    assertMatch(warn(text)[0], /^peer gw.worksite: any certificate .*isakmpd.policy:1\) does not test remote_id/);
  }
  assertMatch(warn(undefined)[0], /no policy is used/);
  const indirect = `Authorizer: "POLICY"\nLicensees: "staff"\n\n${byName().replace('"POLICY"', '"staff"')}`;
  assertMatch(warn(indirect)[0], /isakmpd.policy:4\)/);
  // Closed: by the policy, at either step; by Remote-ID; because only single users are licensed; no certificates.
  assertEquals(warn(byCertificate(EXPECTED)), []);
  assertEquals(warn(byName(EXPECTED)), []);
  assertEquals(warn(indirect.replace('"staff"\n', '"staff"\nConditions: remote_id ~= "mysite.se$";\n')), []);
  assertEquals(warn(byName(), { ...open, remoteId: fqdn("gw.worksite.se") }), []);
  assertEquals(warn('Authorizer: "POLICY"\nLicensees: "DN:/C=SE/O=MySite/CN=gw.mysite.se"\n'), []);
  assertEquals(warn(byName(), { ...open, usesCertificates: false }), []);
  assertEquals(identityWarnings([open], parsed(byName()), []), []);
});

Deno.test("the multiuser policy of FAQ 13.9 lets each user reach what its e-mail address allows", () => {
  const policy = `Authorizer: "POLICY"
Licensees: "DN:/C=SE/O=MySite/CN=MySite CA"
Conditions: ${ESP} && remote_id_type == "User FQDN" &&
            remote_id ~= "^.*@mysite\\\\.se$" -> {
                local_filter == "192.168.001.002" && local_filter_proto == "tcp" &&
                    local_filter_port == "80" -> "true";
                remote_id == "Boss@mysite.se" -> "true";
            };
`;
  using store = directories(["ca"]);
  const ask = (user: string, name: string, host: string, port: number) => {
    const remoteId = textId("USER_FQDN", user);
    const { credential } = store.keyOf(task(remoteId, x509(name)))!;
    const attributes = { ...proposal(remoteId), ...policyAttributesOf(host, port) };
    return authorize(parsePolicy(policy, "policy"), { attributes, credential, peer: "x" }).allowed;
  };
  assertEquals(ask("ake@mysite.se", "email", "192.168.1.2", 80), true);
  assertEquals(ask("ake@mysite.se", "email", "192.168.1.2", 22), false);
  assertEquals(ask("ake@mysite.se", "email", "192.168.1.3", 80), false);
  assertEquals(ask("Boss@mysite.se", "many", "192.168.1.3", 22), true);
});

/** The local filter of a proposal for TCP to one host and port. */
function policyAttributesOf(host: string, port: number): Record<string, string> {
  const all = policyAttributes({
    initiator: false,
    exchange: "ID_PROT",
    phase1Group: 2,
    protocols: [],
    remoteId: fqdn("x"),
    localClient: addressId(parseAddress(host), 6, port),
    remoteClient: addressId(parseAddress("192.0.2.1")),
    localAddress: parseAddress("10.0.0.1"),
    remoteAddress: parseAddress("10.0.0.2"),
    now: new Date(NOW),
  });
  return Object.fromEntries(Object.entries(all).filter(([name]) => name.startsWith("local_filter")));
}

Deno.test("KeyNote credentials prove a key, and no ID", () => {
  using store = directories(["ca"], ["gw"]);
  const [signer, holder] = [key("ca"), key("gw")].map((each) => formatPrincipal(publicKeyOf(each)));
  const text = (signature: string) => `Authorizer: "${signer}"\nLicensees: "${holder}"\nSignature: ${signature}\n`;
  const [unsigned] = parseAssertions(text(""), "x").assertions;
  const signed = text(`"${signAssertion(unsigned, "sig-rsa-sha1-hex:", key("ca"))}"`);
  const sent = (content: string) => [{ encoding: CERT_ENCODING.KEYNOTE, octets: encodeText(content) }];
  const found = store.keyOf(task(fqdn("gw.mysite.se"), sent(signed)))!;
  assertEquals(found.publicKey, encodePublicKey(key("gw")));
  const licensesSigner = `Authorizer: "POLICY"\nLicensees: "${signer}"\n`;
  assertEquals(decide(licensesSigner, fqdn("gw.mysite.se"), found.credential).allowed, true);
  assertEquals(
    decide(`Authorizer: "POLICY"\n`.concat('Licensees: "x"\n'), fqdn("gw.mysite.se"), found.credential).allowed,
    false,
  );
  const withId = `${licensesSigner}Conditions: remote_id == "gw.mysite.se";\n`;
  assertEquals(decide(withId, fqdn("gw.mysite.se"), found.credential).allowed, false);
  assertMatch(why(store, task(fqdn("gw.mysite.se"), sent(text('"sig-rsa-sha1-hex:00"')))), /credential refused/);
  assertMatch(why(store, task(fqdn("gw.mysite.se"), sent("nonsense"))), /is no field/);
  assertMatch(why(store, task(fqdn("gw.mysite.se"), sent(signed), IKE_AUTHENTICATION.DSS)), /does not license one key/);
});

Deno.test("our own KeyNote folder wins over certificates", () => {
  using store = directories(["ca"], ["gw"]);
  const folder = `${store.settings.credentialDirectory}/gw.mysite.se`;
  Deno.mkdirSync(folder, { recursive: true });
  Deno.writeTextFileSync(`${folder}/credentials`, "Authorizer: ...\n");
  assertEquals(store.ownChain(fqdn("gw.mysite.se"), []), [
    { encoding: CERT_ENCODING.KEYNOTE, octets: encodeText("Authorizer: ...\n") },
  ]);
  assertEquals(store.ownKeyPath(fqdn("gw.mysite.se"))!.endsWith("/gw.mysite.se/private_key"), true);
  assertEquals(store.ownKeyPath(fqdn("../../etc")), undefined);
  assertEquals(store.ownKeyPath(fqdn("..")), undefined);
});

Deno.test("pass-phrases license in three forms, and are in no explanation", () => {
  const phrase = "mekmitasdigoat";
  const secret = new Secret(encodeText(phrase));
  const ask = (licensee: string) => {
    const policy = parsePolicy(
      `Authorizer: "POLICY"\nLicensees: "${licensee}"\nConditions: esp_present == "yes";\n`,
      "policy",
    );
    return authorize(policy, { attributes: proposal(addressId(parseAddress("10.0.0.2"))), secret, peer: "x" });
  };
  // Hashes: printf mekmitasdigoat | openssl md5, openssl sha1.
  for (
    const licensee of [
      `passphrase:${phrase}`,
      "passphrase-md5-hex:227f500abfe58f5f5d61e7f6053d8d85",
      "passphrase-sha1-hex:bf1091800d1221f9a35ec087a67e2d6209d6478e",
    ]
  ) assertEquals(ask(licensee).allowed, true);
  const refused = ask("passphrase:another secret");
  assertEquals(refused.allowed, false);
  assertEquals(/another secret|mekmitas|227f500|bf10918/.test(refused.explanation), false);
  assertMatch(refused.explanation, /policy:1: licenses "passphrase..."/);
});
