/** Exchange-Schemes of RFC 2522 9 and RFC 2523 1, and the Offered-Schemes list. @module */
import { type Bytes, compare, equal } from "../octets/bytes.ts";
import { Builder } from "../octets/builder.ts";
import { Reader } from "../octets/reader.ts";
import { encodeVpi, readVpi, significantBits } from "./vpi.ts";

/** The Key-Generation-Function of a scheme, which its Validity-Method uses too. */
export type SchemeHash = "md5" | "sha1";
/** Privacy-Methods: simple masking (RFC 2522 11.1), DES-CBC and DES-EDE3-CBC over mask (RFC 2523 3). */
export type PrivacyMethod = "mask" | "des" | "3des";

export interface Scheme {
  readonly number: number;
  readonly name: string;
  /** "variable": the element carries the generator. */
  readonly generator: 2 | 3 | 5 | "variable";
  readonly hash: SchemeHash;
  readonly privacy: PrivacyMethod;
  /** Schemes to whose moduli an element of Size 0 refers; none: Size 0 is invalid. */
  readonly refersTo: readonly number[];
  /** Strength that exponent and modulus should give, in bits. */
  readonly strengthBits: number;
}

const row = (
  number: number,
  name: string,
  generator: Scheme["generator"],
  hash: SchemeHash,
  privacy: PrivacyMethod,
  refersTo: number[] = [],
): Scheme => ({ number, name, generator, hash, privacy, refersTo, strengthBits: privacy === "3des" ? 112 : 64 });

export const SCHEMES: readonly Scheme[] = [
  row(2, "DH_G_2_MD5", 2, "md5", "mask"),
  row(3, "DH_G_3_MD5", 3, "md5", "mask"),
  row(4, "DH_G_2_DES_MD5", 2, "md5", "des", [2]),
  row(5, "DH_G_5_MD5", 5, "md5", "mask"),
  row(6, "DH_G_3_DES_MD5", 3, "md5", "des", [3]),
  row(7, "DH_G_VAR_MD5", "variable", "md5", "mask"),
  row(8, "DH_G_2_3DES_SHA1", 2, "sha1", "3des", [2, 4]),
  row(10, "DH_G_5_DES_MD5", 5, "md5", "des", [5]),
  row(12, "DH_G_3_3DES_SHA1", 3, "sha1", "3des", [3, 6]),
  row(14, "DH_G_VAR_DES_MD5", "variable", "md5", "des", [7]),
  row(20, "DH_G_5_3DES_SHA1", 5, "sha1", "3des", [5, 10]),
  row(28, "DH_G_VAR_3DES_SHA1", "variable", "sha1", "3des", [7, 14]),
];

const byNumber = new Map(SCHEMES.map((scheme) => [scheme.number, scheme]));

/** The row of a scheme number, if it is one of ours. */
export const schemeOf = (number: number): Scheme | undefined => byNumber.get(number);

/** The row of a scheme name. */
export const schemeNamed = (name: string): Scheme | undefined => SCHEMES.find((scheme) => scheme.name === name);

/** A Diffie-Hellman group: generator and prime modulus, big-endian without leading zeros. */
export interface Modulus {
  readonly generator: Bytes;
  readonly modulus: Bytes;
}

/** The Size of a modulus, which tells moduli of one scheme apart. */
export const modulusBits = (group: Modulus): number => significantBits(group.modulus);

/** Whether two groups are the same. */
export const sameModulus = (a: Modulus, b: Modulus): boolean =>
  equal(a.modulus, b.modulus) && equal(a.generator, b.generator);

/** One element of Offered-Schemes. */
export interface OfferedScheme {
  readonly scheme: number;
  /** Absent: Size 0, the moduli offered for the schemes that this one refers to. */
  readonly group?: Modulus;
}

/** Encodes Offered-Schemes in the order given, which is the order of preference. */
export function encodeSchemes(offers: readonly OfferedScheme[]): Bytes {
  const builder = new Builder();
  for (const { scheme, group } of offers) {
    builder.u16(scheme);
    if (!group) {
      builder.u16(0);
    } else if (schemeOf(scheme)?.generator === "variable") {
      const generator = encodeVpi(group.generator, significantBits(group.generator));
      const modulus = encodeVpi(group.modulus, modulusBits(group));
      builder.u16(8 * (generator.length + modulus.length)).bytes(generator, modulus);
    } else {
      builder.bytes(encodeVpi(group.modulus, modulusBits(group)));
    }
  }
  return builder.finish();
}

/**
 * Decodes Offered-Schemes. Elements of schemes that are not ours are kept (without a group), so that a diagnosis can
 * name them; they are never chosen.
 *
 * @throws {DecodeError} on an element that runs over the end
 */
export function decodeSchemes(octets: Uint8Array): OfferedScheme[] {
  const reader = new Reader(octets);
  const offers: OfferedScheme[] = [];
  while (reader.remaining) {
    const scheme = reader.u16("Exchange-Scheme");
    const known = schemeOf(scheme);
    if (known?.generator === "variable") {
      const octets = Math.ceil(reader.u16("Scheme Size") / 8);
      if (octets === 0) {
        offers.push({ scheme });
        continue;
      }
      const nested = reader.sub(octets, "Scheme Value");
      const generator = readVpi(nested, "Generator").value;
      const modulus = readVpi(nested, "Modulus").value;
      nested.end("Scheme Value");
      offers.push({ scheme, group: { generator, modulus } });
      continue;
    }
    const { bits, value } = readVpi(reader, "Modulus");
    offers.push(
      known && bits
        ? { scheme, group: { generator: new Uint8Array([Number(known.generator)]), modulus: value } }
        : { scheme },
    );
  }
  return offers;
}

/** A scheme with the group it is to be used with. */
export interface ChosenScheme {
  readonly scheme: Scheme;
  readonly group: Modulus;
}

/** The groups on offer for scheme `number`: its own, or for Size 0 those of the schemes that it refers to. */
export function groupsFor(offers: readonly OfferedScheme[], number: number): Modulus[] {
  const scheme = schemeOf(number);
  if (!scheme) return [];
  const found: Modulus[] = [];
  const add = (wanted: number) => {
    for (const offer of offers) {
      if (offer.scheme === wanted && offer.group && !found.some((group) => sameModulus(group, offer.group!))) {
        found.push(offer.group);
      }
    }
  };
  for (const offer of offers) {
    if (offer.scheme !== number) continue;
    if (offer.group) add(number);
    else for (const base of scheme.refersTo) add(base);
  }
  return found;
}

/**
 * The initiator's choice: the first of our own offers that the responder offers too; among its groups the one of our
 * size, else the largest. Groups smaller than the smallest that we are configured with are never taken.
 *
 * @returns undefined when nothing is common
 */
export function pickScheme(ours: readonly OfferedScheme[], theirs: readonly OfferedScheme[]): ChosenScheme | undefined {
  const sizes = ours.flatMap(({ group }) => group ? [modulusBits(group)] : []);
  const smallest = Math.min(...sizes);
  for (const own of ours) {
    const scheme = schemeOf(own.scheme);
    if (!scheme) continue;
    const groups = groupsFor(theirs, own.scheme).filter((group) => modulusBits(group) >= smallest);
    const same = own.group && groups.find((group) => modulusBits(group) === modulusBits(own.group!));
    const group = same ?? groups.sort((a, b) => compare(b.modulus, a.modulus))[0];
    if (group) return { scheme, group };
  }
  return undefined;
}

/** The responder's reading of a Scheme-Choice: the Size of the exchange value selects the group, RFC 2522 4.1. */
export function chosenScheme(
  ours: readonly OfferedScheme[],
  choice: number,
  valueBits: number,
): ChosenScheme | undefined {
  const scheme = schemeOf(choice);
  const group = groupsFor(ours, choice).find((group) => modulusBits(group) === valueBits);
  return scheme && group ? { scheme, group } : undefined;
}

/** One offer for people: `DH_G_2_MD5 1024`; unknown schemes by number. */
export function formatScheme({ scheme, group }: OfferedScheme): string {
  return `${schemeOf(scheme)?.name ?? `scheme ${scheme}`} ${group ? modulusBits(group) : 0}`;
}

/**
 * What is wrong with a received exchange value, RFC 2522 8.5: its Size must be the modulus', it must need at least half
 * the modulus' bits, and p-1 is defective (so are 0, 1 and small generators, which the size rule excludes).
 */
export function exchangeValueFault(value: Uint8Array, bits: number, group: Modulus): string | undefined {
  const size = modulusBits(group);
  if (bits !== size) return `its Size is ${bits}, the modulus has ${size} bits`;
  if (significantBits(value) <= size / 2) return `it has ${significantBits(value)} significant bits of ${size}`;
  if (compare(value, group.modulus) >= 0) return "it is not smaller than the modulus";
  const pMinus1 = group.modulus.slice();
  pMinus1[pMinus1.length - 1] -= 1; // a prime is odd: nothing to borrow
  return equal(value, pMinus1) ? "it is p-1" : undefined;
}

/** Bits of a private exponent: at least twice the strength wanted of any scheme and of the modulus, RFC 2522 8.4. */
export function exponentBits(group: Modulus): number {
  return modulusBits(group) <= 3072 ? 256 : 512;
}
