import { assertEquals, assertThrows } from "@std/assert";
import {
  decodeAttributes,
  describeAttribute,
  encodeAttributes,
  equalAttribute,
  numberAttribute,
  numberOf,
  textAttribute,
} from "../../lib/isakmp/attributes.ts";
import { IsakmpError } from "../../lib/isakmp/error.ts";
import { decodeProposals, decodeSa, encodeSa } from "../../lib/isakmp/proposals.ts";
import type { NotifyName } from "../../lib/isakmp/numbers.ts";
import { encodeText } from "../../lib/octets/bytes.ts";
import { formatHex, parseHex } from "../../lib/octets/hex.ts";

function assertRefused(notify: NotifyName, run: () => unknown) {
  assertEquals(assertThrows(run, IsakmpError).notify, notify);
}

// As recorded: 3DES, SHA1, MODP 1024, pre-shared key, 3610 seconds.
const RECORDED = "0000000100000001" + "0000002801010001" + "0000002001010000" +
  "80010005800200028004000280030001800b0001800c0e1a";

Deno.test("the recorded SA payload decodes to its proposal and encodes to its octets", () => {
  const sa = decodeSa(parseHex(RECORDED));
  assertEquals(sa.proposals.length, 1);
  const [{ number, protocol, transforms: [transform] }] = sa.proposals;
  assertEquals([number, protocol, transform.number, transform.id], [1, 1, 1, 1]);
  assertEquals(transform.attributes.map((attribute) => [attribute.type, numberOf(attribute)]), [
    [1, 5],
    [2, 2],
    [4, 2],
    [3, 1],
    [11, 1],
    [12, 3610],
  ]);
  assertEquals(transform.attributes.map((attribute) => describeAttribute(1, attribute)).slice(0, 3), [
    "ENCRYPTION_ALGORITHM = 3DES_CBC",
    "HASH_ALGORITHM = SHA",
    "GROUP_DESCRIPTION = MODP_1024",
  ]);
  assertEquals(formatHex(encodeSa(sa.proposals)), RECORDED);
});

const proposals = (hex: string) => () => decodeProposals(parseHex(hex));
const REFUSED: readonly (readonly [string, () => unknown])[] = [
  ["a proposal without transforms", proposals("0000000801010000")],
  ["more transforms than it says", proposals("00000018" + "01010001" + "0300000801010000" + "0000000802010000")],
  ["fewer transforms than it says", proposals("00000010" + "01010002" + "0000000801010000")],
  ["a transform that overlaps the proposal's end", proposals("00000010" + "01010001" + "0000000901010000" + "00")],
  ["a proposal that overlaps the payload's end", proposals("00000011" + "01010001" + "0000000801010000")],
  ["an SPI of 17 octets", proposals("00000021" + "01011101" + "00".repeat(17) + "0000000801010000")],
  [
    "proposals that descend",
    proposals("02000010" + "02010001" + "0000000801010000" + "00000010" + "01010001" + "0000000801010000"),
  ],
  ["another payload type after a proposal", proposals("05000010" + "01010001" + "0000000801010000")],
  ["another payload type after a transform", proposals("00000010" + "01010001" + "0500000801010000")],
  ["octets after the last proposal", proposals("00000010" + "01010001" + "0000000801010000" + "00")],
  ["a transform length of 0", proposals("00000010" + "01010001" + "0000000001010000")],
];
for (const [what, run] of REFUSED) {
  Deno.test(`${what} is refused with BAD_PROPOSAL_SYNTAX`, () => assertRefused("BAD_PROPOSAL_SYNTAX", run));
}

Deno.test("another DOI or situation is refused with its own notify", () => {
  assertRefused("DOI_NOT_SUPPORTED", () => decodeSa(parseHex("00000002" + RECORDED.slice(8))));
  assertRefused("SITUATION_NOT_SUPPORTED", () => decodeSa(parseHex("0000000100000002" + RECORDED.slice(16))));
});

Deno.test("attributes: basic and variable form, 4 and 8 octets, text of two characters", () => {
  const list = [
    numberAttribute(12, 65535),
    numberAttribute(12, 65536),
    numberAttribute(12, 2 ** 40),
    textAttribute(16521, encodeText("ab")),
    { type: 16522, value: new Uint8Array(0) },
  ];
  const octets = encodeAttributes(list);
  assertEquals(
    formatHex(octets),
    "800cffff" + "000c000400010000" + "000c00080000010000000000" + "408900026162" + "408a0000",
  );
  assertEquals(decodeAttributes(octets), list);
  assertEquals(list.slice(0, 3).map(numberOf), [65535, 65536, 2 ** 40]);
  const [long] = decodeAttributes(parseHex("000c00040000ffff"));
  assertEquals(equalAttribute(long, list[0]), true);
  assertEquals(equalAttribute(long, list[1]), false);
});

Deno.test("attributes that overlap the end, or are too many, are refused", () => {
  assertRefused("PAYLOAD_MALFORMED", () => decodeAttributes(parseHex("000c0005ffff")));
  assertRefused("PAYLOAD_MALFORMED", () => decodeAttributes(parseHex("800c")));
  assertRefused("PAYLOAD_MALFORMED", () => decodeAttributes(new Uint8Array(129 * 4).fill(0x80)));
  assertRefused("ATTRIBUTES_NOT_SUPPORTED", () => numberOf({ type: 12, value: new Uint8Array(9) }));
});
