import { assertEquals, assertThrows } from "@std/assert";
import { formatHex, parseHex } from "../../lib/octets/hex.ts";
import { DecodeError } from "../../lib/octets/reader.ts";
import {
  decodeAttributes,
  encodeAttributes,
  formatAttributes,
  notOffered,
  sectionsOf,
} from "../../lib/photuris/attributes.ts";
import {
  chooseForSpi,
  chooseIdentity,
  encodeChoices,
  formatChoices,
  offersOf,
  type Options,
  optionsOf,
  readChoices,
} from "../../lib/photuris/choose.ts";
import { DEFAULT_OFFERS, DEFINITIONS } from "./host.ts";

const BOOK = { definitions: new Map(DEFINITIONS.map((definition) => [definition.number, definition])) };
const BOTH: Options = { encryption: true, authentication: true };
const AH: Options = { encryption: false, authentication: true };
const ESP: Options = { encryption: true, authentication: false };
const offers = (...numbers: number[]) => offersOf(numbers);
const choose = (own: number[], peer: number[], wanted: Options) => {
  const chosen = chooseForSpi(BOOK, offers(...own), offers(...peer), wanted);
  return chosen && formatChoices(chosen);
};

Deno.test("A list encodes elements one after the other and aligns values of several octets", () => {
  const list = [
    { number: 6, value: new Uint8Array() },
    { number: 2, value: new Uint8Array([255]) },
    { number: 255, value: parseHex("0000010203") },
  ];
  const octets = encodeAttributes(list);
  assertEquals(formatHex(octets), "06000201ff00" + "ff05" + "0000010203");
  assertEquals(decodeAttributes(octets), list);
});

Deno.test("Padding is skipped wherever it stands, and an element over the end is refused", () => {
  assertEquals(
    decodeAttributes(parseHex("00000600000000050000")),
    [6, 5].map((number) => ({ number, value: new Uint8Array() })),
  );
  assertThrows(() => decodeAttributes(parseHex("0605aa")), DecodeError, "SHA1-IPMAC");
  assertThrows(() => decodeAttributes(parseHex("06")), DecodeError);
});

Deno.test("Sections are told apart by their markers", () => {
  const sections = sectionsOf(offers(...DEFAULT_OFFERS));
  assertEquals(sections.identity.map(({ number }) => number), [6, 5]);
  assertEquals(sections.esp?.map(({ number }) => number), [254, 16, 18, 17, 6, 5]);
  assertEquals(sections.ah?.map(({ number }) => number), [254, 5, 6]);
  assertEquals(
    formatAttributes(offers(6, 5, 2, 18, 1, 5)),
    "SHA1-IPMAC, MD5-IPMAC; ESP-Attributes: 3DES (OpenBSD); AH-Attributes: MD5-IPMAC",
  );
});

Deno.test("A choice must be among the offers of its own section", () => {
  const offered = offers(6, 5, 2, 18, 1, 5);
  assertEquals(notOffered(offered, offers(2, 18)), undefined);
  assertEquals(notOffered(offered, offers(1, 18))?.number, 18);
  assertEquals(notOffered(offered, offers(2, 5))?.number, 5);
  assertEquals(notOffered(offers(6, 5), offers(1, 5))?.number, 1);
});

Deno.test("The SPI's owner takes its first common algorithms, ESP before AH", () => {
  assertEquals(
    choose(DEFAULT_OFFERS, DEFAULT_OFFERS, BOTH),
    "ESP AT_BLF_NEW AT_SHA1_IPMAC HMAC + AH AT_MD5_IPMAC HMAC",
  );
  assertEquals(choose(DEFAULT_OFFERS, DEFAULT_OFFERS, AH), "AH AT_MD5_IPMAC HMAC");
  assertEquals(choose(DEFAULT_OFFERS, DEFAULT_OFFERS, ESP), "ESP AT_BLF_NEW AT_SHA1_IPMAC HMAC");
  assertEquals(choose([6, 2, 16, 18], [6, 2, 18, 16], ESP), "ESP AT_BLF_NEW");
});

Deno.test("Without the HMAC flag in common AH is keyed and ESP has no authentication", () => {
  assertEquals(choose(DEFAULT_OFFERS, [5, 2, 18, 5, 1, 5, 7], BOTH), "ESP AT_3DES_NEW + AH AT_MD5_IPMAC");
  assertEquals(choose([7, 1, 7], [7, 1, 7], AH), undefined); // RIPEMD-160 is HMAC only
  assertEquals(choose([7, 1, 254, 7], [7, 1, 254, 7], AH), "AH AT_RIPEMD_IPMAC HMAC");
  assertEquals(choose([5, 2, 8, 254, 5, 1, 5], [5, 2, 8, 254, 5, 1, 5], BOTH), "ESP AT_DES_CBC + AH AT_MD5_IPMAC");
});

Deno.test("What is wanted is never left out: ESP's authentication may serve where a side has no AH, AH never for ESP", () => {
  const noAh = [6, 2, 254, 18, 6];
  assertEquals(choose(DEFAULT_OFFERS, noAh, BOTH), "ESP AT_3DES_NEW AT_SHA1_IPMAC HMAC");
  assertEquals(choose(DEFAULT_OFFERS, noAh, AH), undefined);
  assertEquals(choose(DEFAULT_OFFERS, [6, 2, 18], BOTH), undefined);
  assertEquals(choose(DEFAULT_OFFERS, [6, 1, 254, 5], BOTH), undefined);
  assertEquals(choose(DEFAULT_OFFERS, [6, 2, 99], ESP), undefined);
});

Deno.test("Choices written are read back, in the order in which keys are made", () => {
  for (const wanted of [BOTH, AH, ESP]) {
    const chosen = chooseForSpi(BOOK, offers(...DEFAULT_OFFERS), offers(...DEFAULT_OFFERS), wanted)!;
    const read = readChoices(BOOK, encodeChoices(chosen, false, true));
    assertEquals(read, chosen);
    assertEquals(optionsOf(chosen), wanted);
  }
  const swapped = readChoices(BOOK, offers(2, 6, 254, 18)); // authentication first
  assertEquals(typeof swapped !== "string" && swapped[0].keyed.map(({ number }) => number), [6, 18]);
});

Deno.test("A tunnel's ESP-Attributes say IP-in-IP; a peer that leaves out the PayloadType gets none", () => {
  const chosen = chooseForSpi(BOOK, offers(...DEFAULT_OFFERS), offers(...DEFAULT_OFFERS), ESP)!;
  assertEquals(encodeChoices(chosen, true, true)[0].value, new Uint8Array([4]));
  assertEquals(encodeChoices(chosen, false, true)[0].value, new Uint8Array([255]));
  assertEquals(encodeChoices(chosen, true, false)[0].value, new Uint8Array());
});

Deno.test("Choices that cannot be installed are refused with the reason", () => {
  for (
    const [numbers, words] of [
      [[], "no section"],
      [[6], "before any section"],
      [[2], "an ESP section without encryption"],
      [[2, 6, 254], "an ESP section without encryption"],
      [[1], "an AH section without authentication"],
      [[1, 18], "AT_3DES_NEW has no place in the ah section"],
      [[1, 5, 6], "AT_SHA1_IPMAC has no place"],
      [[2, 18, 16], "AT_BLF_NEW has no place"],
      [[1, 7], "AT_RIPEMD_IPMAC without the HMAC flag"],
      [[2, 18, 6], "AT_SHA1_IPMAC in ESP without the HMAC flag"],
      [[2, 8, 254, 5], "old ESP cannot authenticate"],
      [[1, 5, 1, 5], "two ah sections"],
      [[2, 99], "unknown attribute 99"],
    ] as const
  ) {
    const read = readChoices(BOOK, offers(...numbers));
    assertEquals(typeof read === "string" && read.includes(words), true, `${numbers}: ${JSON.stringify(read)}`);
  }
});

Deno.test("The Identity-Choice is our first identification attribute that the peer offers", () => {
  assertEquals(chooseIdentity(offers(6, 5, 1, 7), offers(5, 6)), 6);
  assertEquals(chooseIdentity(offers(6, 5), offers(5, 1, 6)), 5);
  assertEquals(chooseIdentity(offers(6, 1, 5), offers(5, 7)), undefined);
});
