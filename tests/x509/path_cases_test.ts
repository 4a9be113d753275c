// Chains after the manner of NIST's PKITS, RSASSA-PSS, Ed25519, name constraints and policies (tests/vectors/x509/paths/make.sh):
// each is accepted or refused with its reason, and openssl comes to the same verdict.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { parseCertificate } from "../../lib/x509/certificate.ts";
import { parseRevocationList } from "../../lib/x509/crl.ts";
import { type Refusal, validatePath } from "../../lib/x509/path.ts";
import { decodeFile } from "../../lib/x509/pem.ts";
import { verifyOctets } from "../../lib/x509/signature.ts";
import { NOW } from "./fixtures.ts";

const FOLDER = new URL("../vectors/x509/paths/", import.meta.url);
const file = (name: string) => Deno.readFileSync(new URL(name, FOLDER));
const certificate = (name: string) => parseCertificate(decodeFile(file(`${name}.crt`), "CERTIFICATE")[0]);
const crl = (name: string) => parseRevocationList(decodeFile(file(`${name}.crl`), "X509 CRL")[0]);
const words = (text: string) => text.split(" ").filter(Boolean);

/** Blank-separated names of files. */
interface Case {
  readonly end: string;
  readonly anchors: string;
  readonly between?: string;
  readonly crls?: string;
  readonly refusal?: Refusal;
  readonly message?: RegExp;
  /** Where openssl decides otherwise: why that is so. */
  readonly openssl?: { readonly accepts: boolean; readonly because: string };
}

const good = (anchors: string, ends: string, between = ""): Case[] =>
  words(ends).map((end) => ({ end, anchors, between }));
const bad = (refusal: Refusal, anchors: string, ends: string, between: string, message: RegExp): Case[] =>
  words(ends).map((end) => ({ end, anchors, between, refusal, message }));
const names = (between: string, ends: string, message: RegExp) =>
  bad("name-constraints", "root", ends, between, message);

const policies = (between: string, accepted: string, refused: string) => {
  const of = (list: string) => words(list).map((name) => `policy-${name}`).join(" ");
  return [
    ...good("root", of(accepted), of(between)),
    ...bad(
      "policy",
      "root",
      of(refused),
      of(between),
      /under .*: it has no policy that its authorities have, as .* demands/,
    ),
  ];
};

const GROUPS: Record<string, readonly Case[]> = {
  "RSASSA-PSS": [
    ...good("rsa-root", "pss-sha256 pss-sha512 pss-nosalt pss-mixed pss-sha1"),
    ...good("odd-root", "pss-odd"),
    ...good("pss-root", "pss-key"),
    ...good("pss384-root", "pss384-key"),
    ...bad("unknown-issuer", "odd-root", "pss-sha256", "", /its issuer \/O=Paths\/CN=RSA root is not known/),
    {
      ...bad("unsupported", "root", "pss-leaf", "", /its key signs with RSASSA-PSS only, which IKE/)[0],
      openssl: { accepts: true, because: "it is not asked about IKE" },
    },
  ],
  "Ed25519": [
    ...good("ed-root", "under-ed"),
    ...good("ed-root", "under-ed-inter", "ed-inter"),
    ...good("root", "under-ed-mid", "ed-mid"),
    ...bad("unknown-issuer", "root", "under-ed-inter", "ed-mid", /Ed25519 intermediate is not known/),
    {
      ...bad("unsupported", "root", "ed-leaf", "", /its key signs with Ed25519, which IKE/)[0],
      openssl: { accepts: true, because: "it is not asked about IKE" },
    },
    { end: "under-ed", anchors: "ed-root", crls: "ed", refusal: "revoked", message: /revoked on 2020-01-01/ },
  ],
  "path lengths": [
    ...good("root", "under-len0", "len0"),
    ...good("root", "under-len1-sub", "len1-sub len1"),
    ...good("root", "under-rekeyed", "len0-rekeyed len0"), // self-issued certificates are not counted
    ...bad("path-length", "root", "under-len0-sub", "len0-sub len0", /Length 0: it allows 0 authorities below it/),
    ...bad("path-length", "root", "under-len1-subsub", "len1-subsub len1-sub len1", /it allows 1 .* there are 2/),
  ],
  "what an intermediate may be": [
    ...good("root", "under-harmless", "harmless"),
    ...bad("expired", "root", "under-expired", "expired", /CN=Expired: expired on 2020/),
    ...bad("not-yet-valid", "root", "under-coming", "coming", /CN=To come: not valid before 2050/),
    ...bad("key-usage", "root", "under-nosign", "nosign", /No signing: its keyUsage does not allow it to issue/),
    ...bad("not-an-authority", "root", "under-notca", "notca", /CN=Not a CA: it is not marked/),
    ...bad("critical-extension", "root", "under-unknown", "unknown", /CN=Unknown: .*not understood, 1.2.3.4/),
  ],
  "loops and names in common": [
    {
      ...good("root", "under-loop", "loop-b-by-a loop-a-by-b loop-b loop-a-by-root")[0],
      openssl: { accepts: false, because: "of several ways it goes the first and does not come back" },
    },
    ...good("root", "under-loop", "loop-a-by-root loop-b-by-a loop-a-by-b loop-b"),
    ...good("loop-b", "under-loop", "loop-b-by-a loop-a-by-b"),
    ...bad("unknown-issuer", "root", "under-loop", "loop-b-by-a loop-a-by-b", /its issuer .*CN=[AB] is not known/),
    ...good("same-2", "under-same"),
    {
      end: "under-same",
      anchors: "same-1 same-2 same-3",
      openssl: { accepts: false, because: "without identifiers it takes the first of the name" },
    },
    ...bad("bad-signature", "same-1 same-3", "under-same", "", /under the second: its signature is not that of/),
  ],
  "strings": [
    ...good("string-utf8", "under-string"),
    ...words("printable t61 bmp universal").flatMap((type) => good(`string-${type}`, "under-string")),
    ...good("root", "t61 bmp utf8 empty huge huger serial-251 serial-minus-5"),
  ],
  "name constraints": [
    ...good("root", "dns-same dns-below dns-other-form", "dns"),
    {
      ...good("root", "dns-none", "dns")[0],
      openssl: { accepts: false, because: "it takes a common name for a domain name where there is no subjectAltName" },
    },
    ...names(
      "dns",
      "dns-suffix dns-outside",
      /FQDN .* is not permitted by the name constraints of \/O=Paths\/CN=Names dns/,
    ),
    ...names("dns", "dns-excluded", /FQDN a.secret.mysite.se is excluded/),
    {
      ...names("dns", "dns-excluded-dot", /FQDN secret.mysite.se. is excluded/)[0],
      openssl: { accepts: false, because: "the dot leaves the permitted subtree" },
    },
    ...good("root", "email-host email-below email-box email-dn", "email"),
    ...names("email", "email-sub email-domain email-box-other email-dn-outside", /USER_FQDN .* is not permitted/),
    ...names("email", "email-excluded", /USER_FQDN spy@mysite.se is excluded/),
    ...good("root", "ip-in", "ip"),
    ...names("ip", "ip-out ip6-out", / is not permitted/),
    ...names("ip", "ip-excluded", /10.1.9.200 is excluded/),
    ...names("ip4", "ip4-six", /2001:db8:0:0:0:0:0:7 is not permitted/),
    ...good("root", "dir-in", "dir"),
    ...names("dir", "dir-other dir-order dir-san", / is not permitted/),
    ...names("dir", "dir-excluded", /OU=Secret\/CN=x is excluded/),
    ...good("root", "uri-none uri-below uri-port uri-host uri-user", "uri"),
    ...names("uri", "uri-domain uri-suffix uri-outside", /URI http:\/\/[a-z.]*\/ is not permitted by/),
    ...names("uri", "uri-excluded", /URI http:\/\/secret.mysite.se\/ is excluded by/),
    ...names("uri", "uri-address uri-nowhere", /URI .* has no host name, which is not allowed/),
    {
      ...names("uri", "uri-user-outside", /URI http:\/\/gw.mysite.se:x@evil.se\/ is not permitted/)[0],
      openssl: { accepts: true, because: "it takes a user's name and password for a host and a port" },
    },
    ...good("root", "uri-but-good", "uri-but"),
    ...names("uri-but", "uri-but-bad", /is excluded/),
    {
      ...names("uri-but", "uri-but-address", /has no host name/)[0],
      openssl: { accepts: true, because: "it compares addresses, which RFC 5280 section 4.2.1.10 has refused" },
    },
    ...good("root", "other-none", "other"),
    ...names("other", "other-has", /it has a name of the form registeredID, which is not compared/),
    ...good("root", "dns-sub-in", "dns-sub dns"),
    ...names("dns-sub dns", "dns-sub-out", /x.b.mysite.se is not permitted by .*CN=Names below/),
    ...names("dns-sub-wide dns", "dns-wide-out", /gw.worksite.se is not permitted by .*CN=Names dns/),
    ...good("names-root", "anchor-in"),
    ...bad("name-constraints", "names-root", "anchor-out", "", /gw.worksite.se is not permitted/),
  ],
  // The policies A, B and C of make.sh are 1.2.3.1 to 1.2.3.3.
  "policies": [
    ...policies("must-a", "a any", "b none"),
    ...policies("must-one", "", "one-none"),
    ...policies("one-sub must-one", "one-sub-a", "one-sub-b"),
    ...policies("must-two", "two-none", ""),
    ...policies("two-sub must-two", "", "two-sub-a"), // the first authority has none itself
    ...policies("two-again must-two", "two-again-none", ""),
    ...policies("open", "open-none", "end-lacks"),
    ...policies("open-sub open", "open-sub-a end-demands", "open-sub-b"),
    ...policies("no-any", "no-any-a", "no-any-any"),
    ...policies("no-any-sub no-any", "", "no-any-sub-a"),
    ...policies("no-any-again no-any", "no-any-again-a", ""),
    ...policies("map", "map-b map-c", "map-a"),
    ...policies("map-sub map", "map-sub-a", "map-sub-b"),
    ...policies("map-any", "map-any-c map-any-a", ""), // anyPolicy stays
    ...policies("no-map-sub no-map", "no-map-c", "no-map-a no-map-b"),
    ...good("policy-anchor", "policy-anchor-a"),
    {
      ...bad("policy", "policy-anchor", "policy-anchor-none", "", /as \/O=Paths\/CN=Policy anchor demands/)[0],
      openssl: { accepts: true, because: "it does not ask what the anchor constrains" },
    },
  ],
  "revocation": [
    { end: "victim", anchors: "root", crls: "clean" },
    { end: "victim", anchors: "root", crls: "root", refusal: "revoked", message: /CN=victim: revoked on 2020-01-01/ },
    { end: "victim", anchors: "root", crls: "overdue", refusal: "crl-unusable", message: /was due on 2021-01-01/ },
    { end: "victim", anchors: "root", crls: "impostor", refusal: "crl-unusable", message: /not this authority's/ },
    {
      end: "victim",
      anchors: "root",
      crls: "clean impostor", // somebody else's entries count for nothing
    },
    {
      end: "t61",
      anchors: "root",
      crls: "delta",
      refusal: "crl-unusable",
      message: /it is a delta CRL, which holds only changes; the whole list is needed/,
      openssl: { accepts: true, because: "it takes a delta for a list when there is no other" },
    },
    {
      end: "t61",
      anchors: "root",
      crls: "part",
      refusal: "crl-unusable",
      message: /it is a list of some certificates or reasons only/,
      openssl: { accepts: true, because: "it knows issuingDistributionPoint" },
    },
    { end: "t61", anchors: "root", crls: "delta clean" }, // the whole list is there
    {
      end: "victim",
      anchors: "root",
      crls: "delta clean",
      refusal: "revoked",
      message: /victim: revoked/,
    },
    {
      end: "under-len0",
      anchors: "root",
      between: "len0",
      crls: "nocrl clean",
      refusal: "crl-unusable",
      message: /keyUsage does not allow it to sign CRLs/,
    },
    { end: "serial-minus-5", anchors: "root", crls: "minus", refusal: "revoked", message: /revoked/ },
    { end: "serial-251", anchors: "root", crls: "minus" },
    { end: "serial-251", anchors: "root", crls: "plus", refusal: "revoked", message: /revoked/ },
    { end: "serial-minus-5", anchors: "root", crls: "plus" },
  ],
};

/** Whether openssl accepts a case. */
async function opensslAccepts({ end, anchors, between = "", crls = "" }: Case): Promise<boolean> {
  const files = (option: string, list: string, suffix: string) =>
    words(list).flatMap((name) => [option, `${name}.${suffix}`]);
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(
      `${folder}/anchors.pem`,
      words(anchors).map((name) => new TextDecoder().decode(file(`${name}.crt`))).join(""),
    );
    const args = [
      ...["verify", "-attime", String(NOW / 1000), "-policy_check", "-policy", "2.5.29.32.0"],
      ...["-CAfile", `${folder}/anchors.pem`],
      ...files("-untrusted", between, "crt"),
      ...files("-CRLfile", crls, "crl"),
      ...(crls ? [between ? "-crl_check_all" : "-crl_check"] : []),
      `${end}.crt`,
    ];
    const { success } = await new Deno.Command("openssl", {
      args,
      cwd: FOLDER.pathname,
      stdout: "null",
      stderr: "null",
    })
      .output();
    return success;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (const [title, cases] of Object.entries(GROUPS)) {
  Deno.test(`chains, and openssl agrees: ${title}`, async () => {
    await Promise.all(cases.map(async (one) => {
      const { end, anchors, between = "", crls = "", refusal, message, openssl } = one;
      const what = `${end} under ${anchors} with ${between} ${crls}`;
      const result = validatePath(certificate(end), {
        authorities: words(anchors).map(certificate),
        intermediates: words(between).map(certificate),
        revocationLists: words(crls).map(crl),
        nowMs: NOW,
      });
      assertEquals(
        result.ok ? undefined : result.refusal,
        refusal,
        `${what}: ${result.ok ? "accepted" : result.message}`,
      );
      if (message) assertMatch((result as { message: string }).message, message);
      assertEquals(await opensslAccepts(one), openssl?.accepts ?? result.ok, `openssl: ${what}`);
    }));
  });
}

Deno.test("RSASSA-PSS and Ed25519 signatures with one bit flipped, and of the wrong parameters, are none", () => {
  for (const [end, issuer] of [["pss-sha256", "rsa-root"], ["pss-odd", "odd-root"], ["under-ed", "ed-root"]]) {
    const { key } = certificate(issuer), { algorithm, tbs, signature } = certificate(end);
    assert(verifyOctets(key!, algorithm!, tbs, signature));
    for (let bit = 0; bit < 8 * signature.length; bit += 31) {
      const flipped = signature.slice();
      flipped[bit >> 3] ^= 1 << (bit & 7);
      assertEquals(verifyOctets(key!, algorithm!, tbs, flipped), false);
    }
    assertEquals(verifyOctets(key!, algorithm!, tbs.subarray(1), signature), false);
    assertEquals(verifyOctets(key!, algorithm!, tbs, signature.subarray(1)), false);
  }
  const { key } = certificate("rsa-root"), { algorithm, tbs, signature } = certificate("pss-sha256");
  for (const pss of [{ maskHash: "sha256", saltOctets: 20 }, { maskHash: "sha512", saltOctets: 32 }] as const) {
    assertEquals(verifyOctets(key!, { ...algorithm!, pss }, tbs, signature), false);
  }
});

Deno.test("a key for RSASSA-PSS vouches for nothing that is signed otherwise or with less", () => {
  const root = certificate("pss384-root");
  const restricted = { ...certificate("rsa-root"), pssOnly: root.pssOnly };
  const refusals = ["pss-sha256", "pss-sha512"].map((end) =>
    validatePath(certificate(end), { authorities: [restricted], intermediates: [], revocationLists: [], nowMs: NOW })
  );
  for (const result of refusals) assertEquals(result.ok ? "accepted" : result.refusal, "bad-signature");
});

Deno.test("a serial number is as long as it likes, and a negative one is another than its positive twin", () => {
  assertEquals(certificate("huge").serial, `7f${"ff".repeat(19)}`);
  assertEquals(certificate("huger").serial.length, 66);
  assertEquals([certificate("serial-251").serial, certificate("serial-minus-5").serial], ["fb", "-05"]);
});

Deno.test("a name is written and compared by its characters, whatever string type it has", () => {
  assertEquals(certificate("t61").subject.text, "/O=Paths/CN=\\xC5ke");
  assertEquals(certificate("bmp").subject.key, certificate("utf8").subject.key);
  assertEquals(certificate("string-universal").subject.key, certificate("string-printable").subject.key);
  assertEquals(certificate("empty").subject.empty, true);
});
