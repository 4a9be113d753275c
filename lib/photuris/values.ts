/** Our own exchange values: computed rarely, used for several peers, renewed at random times (RFC 2522 8.4). @module */
import { type Bytes, erase } from "../octets/bytes.ts";
import { exponentBits, type Modulus, sameModulus } from "./schemes.ts";

/** A private exponent and g^exponent mod p. */
export interface ExchangeValue {
  readonly exponent: Bytes;
  /** As long as the modulus. */
  readonly value: Bytes;
}

const LEAST_MS = 120_000;
/** Added at random to the least life. */
const RANDOM_MS = 180_000;
/** Groups learned from peers come and go; the values of our own few are always among the latest. */
const MOST_VALUES = 32;

/** A random exponent with its highest bit set, so that its length is what the rules ask. */
export function randomExponent(group: Modulus, random: (octets: number) => Bytes): Bytes {
  const exponent = random(exponentBits(group) / 8);
  exponent[0] |= 0x80;
  return exponent;
}

export class ExchangeValues {
  readonly #values: { group: Modulus; value: ExchangeValue; until: number }[] = [];

  /** The value in use for a group, if it is not due for renewal. */
  current(now: number, group: Modulus): ExchangeValue | undefined {
    return this.#values.find((entry) => sameModulus(entry.group, group) && now < entry.until)?.value;
  }

  /** Keeps a new value; `randomByte` spreads its end. Exponents still used by exchanges are their own copies. */
  keep(now: number, group: Modulus, value: ExchangeValue, randomByte: number): void {
    const old = this.#values.findIndex((entry) => sameModulus(entry.group, group));
    const gone = old >= 0
      ? this.#values.splice(old, 1)
      : this.#values.length >= MOST_VALUES
      ? this.#values.splice(0, 1)
      : [];
    for (const { value } of gone) erase(value.exponent);
    this.#values.push({
      group,
      value: { exponent: value.exponent.slice(), value: value.value },
      until: now + LEAST_MS + RANDOM_MS * randomByte / 255,
    });
  }
}
