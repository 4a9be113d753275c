import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { describeDatagram, describePayload } from "../../lib/isakmp/describe.ts";
import { nameOf, NOTIFY, PAYLOAD } from "../../lib/isakmp/numbers.ts";
import { capabilityOf, OUR_VENDOR_IDS, VENDOR_IDS, vendorName } from "../../lib/isakmp/vendor_ids.ts";
import { hash } from "../../lib/crypto/hash.ts";
import { encodeText } from "../../lib/octets/bytes.ts";
import { formatHex, parseHex } from "../../lib/octets/hex.ts";
import { CASES, hex, isakmpOf } from "../ike/recorded.ts";

Deno.test("a recorded first message is described with every name", () => {
  const text = describeDatagram(isakmpOf(CASES[0].messages[0])).join("\n");
  for (
    const words of [
      "ID_PROT cookies c434db7b6ac1ef25 0000000000000000 message ID 00000000",
      "PROPOSAL 1: ISAKMP",
      "TRANSFORM 1: KEY_IKE",
      "ENCRYPTION_ALGORITHM = 3DES_CBC",
      "LIFE_DURATION = 3610",
      "(RFC 3947)",
      "(DPD 1.0, RFC 3706)",
      "(FRAGMENTATION)",
    ]
  ) assertStringIncludes(text, words);
});

Deno.test("every payload of every recording is described by name and without complaint", () => {
  for (const { messages } of CASES) {
    for (const { type, body } of messages.flatMap(({ payloads }) => payloads ?? [])) {
      const lines = describePayload({ type, body: hex(body) });
      assert(!lines.join().includes("malformed") && !lines[0].includes("UNKNOWN"), lines.join("\n"));
    }
  }
});

Deno.test("a password is never described", () => {
  const xauth = CASES.find(({ name }) => name.includes("xauth"))!;
  const reply = xauth.messages.flatMap(({ payloads }) => payloads ?? []).filter(({ type }) =>
    type === PAYLOAD.ATTRIBUTE
  );
  const text = reply.flatMap(({ type, body }) => describePayload({ type, body: hex(body) })).join("\n");
  assertStringIncludes(text, "XAUTH_USER_PASSWORD = [secret,");
  assertStringIncludes(text, "INTERNAL_IP4_ADDRESS = 10.99.0.1");
});

Deno.test("vendor IDs that are hashes of their name are these hashes", () => {
  let checked = 0;
  for (const { name, octets } of VENDOR_IDS) {
    if (octets.length !== 16 || !/^(RFC|draft-ietf-ipsec-nat|FRAGMENTATION|OpenBSD)/.test(name)) continue;
    assertEquals(formatHex(hash("md5", encodeText(name.replace("\\n", "\n")))), formatHex(octets), name);
    checked++;
  }
  assert(checked >= 14, String(checked));
});

Deno.test("vendor IDs tell capabilities; the fragmentation ID with its bits, or with none", () => {
  const fragmentation = "4048b7d56ebce88525e7de7f00d6c2d3";
  assertEquals(capabilityOf(parseHex(fragmentation)), "fragmentation");
  assertEquals(capabilityOf(parseHex(fragmentation + "80000000")), "fragmentation");
  assertEquals(capabilityOf(parseHex(fragmentation + "c0000000")), "fragmentation");
  assertEquals(capabilityOf(parseHex(fragmentation + "40000000")), "informative");
  assertEquals(capabilityOf(OUR_VENDOR_IDS.natDraft02), "nat-draft-02");
  assertEquals([capabilityOf(parseHex("00")), vendorName(parseHex("00"))], [undefined, undefined]);
});

Deno.test("registry names go both ways", () => {
  assertEquals(nameOf(NOTIFY, 14), "NO_PROPOSAL_CHOSEN");
  assertEquals(nameOf(NOTIFY, 9999), "UNKNOWN (9999)");
});
