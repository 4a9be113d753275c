// Mutated certificates, CRLs and names: decoded or refused with a CertificateError, and none of them believed.
import { assert, assertEquals } from "@std/assert";
import { parseCertificate } from "../../lib/x509/certificate.ts";
import { parseRevocationList } from "../../lib/x509/crl.ts";
import { patchIdentities } from "../../lib/x509/rewrite.ts";
import { CertificateError } from "../../lib/x509/error.ts";
import { carries, identitiesOf } from "../../lib/x509/identity.ts";
import { nameFromText, parseName } from "../../lib/x509/name.ts";
import { validatePath } from "../../lib/x509/path.ts";
import { decodeFile } from "../../lib/x509/pem.ts";
import { certificate, crl, derOf, file, fqdn, key, names, trust } from "../x509/fixtures.ts";
import { equal } from "../../lib/octets/bytes.ts";
import { generator, mutateOctets, mutateText } from "./mutate.ts";

const chains = [
  "dns",
  "email",
  "ip",
  "dir",
  "uri",
  "uri-user",
  "policy-map",
  "policy-no-map",
  "policy-no-any",
  "pss-mixed",
  "pss384-root",
  "under-ed",
].map((name) => `paths/${name}`);
const certificates = [...names().filter((name) => name.endsWith(".crt")).map((name) => name.slice(0, -4)), ...chains]
  .map(derOf);

/** What `work` gives, unless it refuses. */
function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof CertificateError) return undefined;
    throw error;
  }
}

Deno.test("mutated certificates are refused or not believed", () => {
  const random = generator(10);
  const trusted = { ...trust(["ca"], ["inter"]), revocationLists: [crl("ca")] };
  const authority = key("ca");
  let decoded = 0;
  for (let round = 0; round < 6000; round++) {
    const der = mutateOctets(random, certificates[random(certificates.length)], certificates);
    const found = attempt(() => parseCertificate(der));
    if (!found) continue;
    decoded++;
    const result = validatePath(found, trusted);
    if (result.ok) assert(certificates.some((each) => equal(each, der)), "a mutated certificate was accepted");
    identitiesOf(found).forEach((identity) => assertEquals(carries(found, identity), true));
    if (round % 20 === 0) attempt(() => patchIdentities(der, [fqdn("x.se")], authority));
  }
  assert(decoded > 300, `${decoded} decoded`);
});

Deno.test("mutated CRLs are refused, or unusable, or say what they said", () => {
  const random = generator(11);
  const lists = ["ca", "nothing", "stale"].map((name) => crl(name).der);
  const revoked = certificate("revoked"), trusted = trust(["ca"]);
  for (let round = 0; round < 3000; round++) {
    const der = mutateOctets(random, lists[0], lists);
    const list = attempt(() => parseRevocationList(der));
    if (!list) continue;
    const result = validatePath(revoked, { ...trusted, revocationLists: [list] });
    // Without a list that may be this authority's the certificate stands; with one it must not.
    const itsName = list.issuer.key === revoked.issuer.key &&
      list.authorityKeyIdentifier === crl("ca").authorityKeyIdentifier;
    if (itsName && !lists.slice(1).some((each) => equal(each, der))) assertEquals(result.ok, false);
  }
});

Deno.test("mutated names and files are read or refused", () => {
  const random = generator(12);
  const ders = certificates.map((der) => parseCertificate(der).subject.der);
  const texts = ["/C=SE/O=My Site/CN=gw.mysite.se", "/CN=\\xC3\\x85ke\\/b=c/emailAddress=a@b/1.2.3=x"];
  const pem = new TextDecoder().decode(file("gw.crt"));
  for (let round = 0; round < 4000; round++) {
    attempt(() => parseName(mutateOctets(random, ders[random(ders.length)], ders)));
    const name = attempt(() => nameFromText(mutateText(random, texts[random(2)], texts)));
    if (name && !name.empty) assertEquals(nameFromText(name.text).key, name.key, name.text);
    attempt(() =>
      decodeFile(new TextEncoder().encode(mutateText(random, pem, [pem])), "CERTIFICATE").map(parseCertificate)
    );
  }
});
