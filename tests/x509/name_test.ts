// Names in one line, and which identities a certificate carries.
import { assertEquals, assertMatch, assertNotEquals, assertThrows } from "@std/assert";
import { encodeText } from "../../lib/octets/bytes.ts";
import { encodeDer, encodeOid, encodeSequence } from "../../lib/octets/der.ts";
import { CertificateError } from "../../lib/x509/error.ts";
import { carries, describeIdentity, identitiesOf, type Identity, mismatch } from "../../lib/x509/identity.ts";
import { formerText, nameFromText, parseName } from "../../lib/x509/name.ts";
import { certificate, fqdn, names, userFqdn } from "./fixtures.ts";

Deno.test("names are written in one line as openssl writes them", () => {
  // Expected: openssl x509 -noout -subject -nameopt compat
  assertEquals(certificate("gw").subject.text, "/C=SE/O=MySite/CN=gw.mysite.se");
  assertEquals(certificate("email").subject.text, "/C=SE/O=MySite/CN=\\xC3\\x85ke/emailAddress=ake@mysite.se");
  assertEquals(formerText(certificate("email").subject), "/C=SE/O=MySite/CN=\\xC3\\x85ke/Email=ake@mysite.se");
});

Deno.test("a value cannot pass for another attribute", () => {
  const forged = certificate("slash").subject;
  assertEquals(forged.text, "/C=SE/O=MySite\\/CN=gw.mysite.se/CN=x");
  assertNotEquals(forged.text, "/C=SE/O=MySite/CN=gw.mysite.se/CN=x");
  const attribute = (oid: string, value: string) =>
    encodeDer(0x31, encodeSequence(encodeOid(oid), encodeDer(0x0c, encodeText(value))));
  const name = (...pairs: [string, string][]) =>
    parseName(encodeSequence(...pairs.map((pair) => attribute(...pair)))).text;
  const texts = [
    name(["2.5.4.10", "a\\"], ["2.5.4.3", "x"]),
    name(["2.5.4.10", "a/CN=x"]),
    name(["2.5.4.10", "a\\/CN=x"]),
    name(["2.5.4.10", "a"], ["2.5.4.3", "x"]),
    name(["2.5.4.10", "a\\x2FCN=x"]),
  ];
  assertEquals(new Set(texts).size, texts.length, texts.join(" "));
  assertEquals(name(["2.5.4.3", "host/gw"]), "/CN=host/gw"); // harmless, and as it always was
});

Deno.test("names are read from one line", () => {
  for (const fixture of names().filter((name) => name.endsWith(".crt"))) {
    const { subject } = certificate(fixture.slice(0, -4));
    const read = nameFromText(subject.text);
    assertEquals([read.text, read.key], [subject.text, subject.key]);
  }
  assertEquals(nameFromText("/C=SE/CN=x/Email=a@b").text, "/C=SE/CN=x/emailAddress=a@b");
  assertEquals(nameFromText("/CN=a\\\\/O=b").text, "/CN=a\\\\/O=b");
  assertEquals(nameFromText("/1.2.3.4=v").text, "/1.2.3.4=v");
  assertEquals(nameFromText("/").empty, true);
  for (const text of ["", "CN=x", "/CN", "/=x", "/CN=", "/XX=y", "/C=SWE", "/constructor=x", "/1=x"]) {
    assertThrows(() => nameFromText(text), CertificateError);
  }
});

Deno.test("names are equal whatever the case, the blanks and the string types (RFC 5280 7.1)", () => {
  const attribute = (tag: number, octets: Uint8Array) =>
    parseName(encodeSequence(encodeDer(0x31, encodeSequence(encodeOid("2.5.4.10"), encodeDer(tag, octets))))).key;
  const printable = attribute(0x13, encodeText("My Site"));
  assertEquals(attribute(0x0c, encodeText(" MY   site ")), printable);
  assertEquals(attribute(0x1e, Uint8Array.from([..."My Site"].flatMap((c) => [0, c.charCodeAt(0)]))), printable);
  assertNotEquals(attribute(0x0c, encodeText("MySite")), printable);
});

Deno.test("malformed names are refused", () => {
  for (const octets of [[], [0x30], [0x30, 2, 0x31, 5], [0x31, 0], [0x30, 4, 0x31, 2, 0x30, 0]]) {
    assertThrows(() => parseName(Uint8Array.from(octets)), CertificateError);
  }
});

Deno.test("a certificate carries its subjectAltNames and its subject, and nothing else", () => {
  const many = certificate("many");
  const address = (...octets: number[]): Identity => ({
    type: octets.length === 4 ? "IPV4_ADDR" : "IPV6_ADDR",
    octets: Uint8Array.from(octets),
  });
  const v6 = (last: number) => address(0x20, 1, 0x0d, 0xb8, ...new Array(11).fill(0), last);
  const yes = [
    address(10, 0, 0, 1),
    v6(1),
    fqdn("many.mysite.se"),
    fqdn("MANY.mysite.SE"),
    userFqdn("Boss@mysite.se"),
    userFqdn("Boss@MYSITE.se"),
    { type: "DER_ASN1_DN", octets: nameFromText("/C=SE/O=MySite/CN=many").der } as const,
    { type: "DER_ASN1_DN", octets: nameFromText("/C=se/O=mysite/CN=MANY").der } as const,
  ];
  const no = [
    address(10, 0, 0, 2),
    v6(2),
    fqdn("many.mysite.se."),
    fqdn("x.many.mysite.se"),
    fqdn("many"), // the common name is no subjectAltName
    fqdn("many.mysite.se\0.evil.com"),
    fqdn("Boss@mysite.se"),
    userFqdn("boss@mysite.se"),
    userFqdn("many.mysite.se"),
    { type: "DER_ASN1_DN", octets: nameFromText("/C=SE/O=MySite/CN=one").der } as const,
    { type: "DER_ASN1_DN", octets: encodeText("rubbish") } as const,
  ];
  for (const identity of yes) assertEquals(carries(many, identity), true, describeIdentity(identity));
  for (const identity of no) assertEquals(carries(many, identity), false, describeIdentity(identity));
  assertEquals(identitiesOf(many).map(describeIdentity), [
    "10.0.0.1",
    "2001:db8:0:0:0:0:0:1",
    "FQDN many.mysite.se",
    "USER_FQDN Boss@mysite.se",
    "/C=SE/O=MySite/CN=many",
  ]);
  assertMatch(
    mismatch(certificate("gw"), fqdn("gw.worksite.se")),
    /is not for FQDN gw.worksite.se: its subjectAltName is FQDN gw.mysite.se/,
  );
  assertMatch(mismatch(certificate("dsa"), fqdn("x")), /it has no subjectAltName/);
});
