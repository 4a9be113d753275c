import { assert, assertEquals } from "@std/assert";
import { rawKeyPath } from "../../lib/daemon/isakmpd_credentials.ts";
import { authorize, parsePolicy } from "../../lib/daemon/isakmpd_policy.ts";
import { parseAddress } from "../../lib/ip/address.ts";
import { addressId, textId } from "../../lib/isakmp/identification.ts";
import { encodeText } from "../../lib/octets/bytes.ts";
import { Secret } from "../../lib/octets/secret.ts";

const example = Deno.readTextFileSync(new URL("../../examples/isakmpd-east-west/policy", import.meta.url));
const attributes = { app_domain: "IPsec policy", esp_present: "yes", esp_enc_alg: "3des" };
const ask = (text: string, pass: string, more: Record<string, string> = {}) =>
  authorize(parsePolicy(text, "policy"), {
    attributes: { ...attributes, ...more },
    secret: new Secret(encodeText(pass)),
    peer: "peer",
  });

Deno.test("FAQ 13.8's policy lets in who knows the pass-phrase and encrypts, and says why it does not", () => {
  assertEquals(ask(example, "mekmitasdigoat"), { allowed: true, explanation: "" });
  const refused = ask(example, "mekmitasdigoat", { esp_enc_alg: "null" });
  assertEquals(refused.allowed, false);
  assert(/esp_enc_alg != "null" should be true/.test(refused.explanation), refused.explanation);
  assert(/the action: .*esp_enc_alg=null/.test(refused.explanation), refused.explanation);
  const stranger = ask(example, "another secret");
  assertEquals(stranger.allowed, false);
  assert(!/mekmitasdigoat|another secret/.test(stranger.explanation), "a pass-phrase is told");
});

Deno.test("the pass-phrase may stand in the policy as its MD5 or SHA-1", () => {
  for (
    const principal of [
      "passphrase-md5-hex:227f500abfe58f5f5d61e7f6053d8d85",
      "passphrase-sha1-hex:bf1091800d1221f9a35ec087a67e2d6209d6478e",
    ]
  ) {
    const text = `Authorizer: "POLICY"\nLicensees: "${principal}"\n`;
    assertEquals([ask(text, "mekmitasdigoat").allowed, ask(text, "mekmitasdigoaT").allowed], [true, false]);
  }
});

Deno.test("a raw key is looked up by the kind of ID, and an ID cannot lead out of the directory", () => {
  const path = (id: Parameters<typeof rawKeyPath>[1]) => rawKeyPath("/keys", id);
  assertEquals(path(addressId(parseAddress("10.0.0.1"))), "/keys/ipv4/10.0.0.1");
  assertEquals(path(addressId(parseAddress("fd00::1"))), "/keys/ipv6/fd00::1");
  assertEquals(path(textId("FQDN", "gw.example.org")), "/keys/fqdn/gw.example.org");
  assertEquals(path(textId("USER_FQDN", "a@example.org")), "/keys/ufqdn/a@example.org");
  for (const evil of ["../../etc/shadow", "a/b", "..", ".", "", "x".repeat(256)]) {
    assertEquals(path(textId("FQDN", evil)), undefined, evil);
  }
  assertEquals(path(textId("KEY_ID", "group")), undefined);
});
