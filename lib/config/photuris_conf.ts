/** photuris.conf: moduli, exchange schemes and times. @module */
import type { Bytes } from "../octets/bytes.ts";
import { parseHex } from "../octets/hex.ts";
import { didYouMean } from "../octets/nearest.ts";
import {
  type Modulus,
  modulusBits,
  type OfferedScheme,
  type Scheme,
  schemeNamed,
  SCHEMES,
} from "../photuris/schemes.ts";
import type { Times } from "../photuris/settings.ts";
import { minimal } from "../photuris/vpi.ts";
import { type Fault, Faults, linesOf, wholeNumber } from "./photuris_reader.ts";

/** A modulus and where it stands. */
export interface ConfiguredModulus extends Modulus {
  readonly line: number;
}

export interface PhoturisConf {
  readonly schemes: readonly OfferedScheme[];
  readonly moduli: readonly ConfiguredModulus[];
  readonly times: Times;
  /** Octets after which an SPI is spent. */
  readonly spiBytes: number;
  readonly faults: readonly Fault[];
}

/** OpenBSD's built-in values; octets are ours, see docs/photuris.md. */
const DEFAULTS = {
  exchange_max_retransmits: 3,
  exchange_retransmit_timeout: 10,
  exchange_timeout: 60,
  exchange_lifetime: 1800,
  spi_lifetime: 1800,
  spi_bytes: 1_000_000_000,
};
type Parameter = keyof typeof DEFAULTS;
/** The manual page's spelling of a parameter. */
const SPELLINGS: Readonly<Record<string, Parameter>> = { exchange_max_retries: "exchange_max_retransmits" };

const KEYWORDS = ["modulus", "exchange", "config"];
/** Smaller ones can be broken with a desktop computer. */
const LEAST_BITS = 512;
/** Smaller ones are for old peers only. */
const SOUND_BITS = 1024;
const MOST_NUMBER = 2 ** 31 - 1;

function readModulus(faults: Faults, line: number, words: string[]): ConfiguredModulus | undefined {
  const [generatorText = "", ...rest] = words.map((word) => word.replace(/^0x/i, ""));
  const digits = rest.join("");
  const number = (text: string): Bytes | undefined =>
    /^[0-9a-fA-F]+$/.test(text) ? minimal(parseHex(text.length % 2 ? `0${text}` : text)) : undefined;
  const [generator, modulus] = [number(generatorText), number(digits)];
  if (!generator || !modulus) {
    const bad = generator ? digits.match(/[^0-9a-fA-F]/)?.[0] : generatorText;
    return faults.error(
      line,
      bad ? `found "${bad}", allowed: a hexadecimal number` : "allowed: modulus GENERATOR HEX-MODULUS",
    );
  }
  const found = { generator, modulus, line };
  const bits = modulusBits(found);
  if (bits < LEAST_BITS) return faults.error(line, `found a modulus of ${bits} bits, allowed: ${LEAST_BITS} and more`);
  if (!(modulus[modulus.length - 1] & 1)) return faults.error(line, "the modulus is even, it must be a safe prime");
  if (generator.length > 1 || generator[0] < 2) {
    return faults.error(line, `found generator 0x${generatorText}, allowed: 2 to ff`);
  }
  if (bits < SOUND_BITS) faults.warning(line, `a modulus of ${bits} bits protects nothing: it is for old peers only`);
  return found;
}

interface ExchangeLine {
  readonly line: number;
  readonly scheme: Scheme;
  readonly bits: number;
}

function readExchange(faults: Faults, line: number, words: string[]): ExchangeLine | undefined {
  const [name = "", bitsText = "", ...more] = words;
  const scheme = schemeNamed(name);
  if (!scheme) {
    const names = SCHEMES.map(({ name }) => name);
    return faults.error(line, `found scheme "${name}", allowed: ${names.join(", ")}${didYouMean(name, names)}`);
  }
  const bits = wholeNumber(bitsText, 0, 65_279);
  if (bits === undefined || more.length) {
    return faults.error(line, `found "${[bitsText, ...more].join(" ")}", allowed: the bits of a modulus, or 0`);
  }
  return { line, scheme, bits };
}

/** Joins exchange lines with moduli into Offered-Schemes; lines that cannot be used are skipped with a warning. */
function offersOf(
  faults: Faults,
  lines: readonly ExchangeLine[],
  moduli: readonly ConfiguredModulus[],
): OfferedScheme[] {
  const offers: OfferedScheme[] = [];
  const generatorOf = ({ generator }: Scheme) => generator;
  for (const { line, scheme, bits } of lines) {
    if (
      offers.some((offer) => offer.scheme === scheme.number && (offer.group ? modulusBits(offer.group) : 0) === bits)
    ) {
      faults.warning(line, `${scheme.name} ${bits} stands here twice; skipped`);
      continue;
    }
    if (bits === 0) {
      if (scheme.refersTo.length) offers.push({ scheme: scheme.number });
      else faults.warning(line, `${scheme.name} needs a modulus of its own: 0 bits skipped`);
      continue;
    }
    const generator = generatorOf(scheme);
    const fits = (group: Modulus) => generator === "variable" || group.generator[0] === generator;
    const group = moduli.find((group) => modulusBits(group) === bits && fits(group));
    if (group) offers.push({ scheme: scheme.number, group: { generator: group.generator, modulus: group.modulus } });
    else {faults.warning(
        line,
        `no modulus of ${bits} bits with generator ${generator} is configured: ${scheme.name} skipped`,
      );}
  }
  if (!offers.some(({ scheme, group }) => scheme === 2 && group)) {
    const first = moduli.find(({ generator }) => generator[0] === 2);
    if (!first) {
      faults.error(0, "DH_G_2_MD5 is mandatory, and there is no modulus with generator 2 for it");
      return offers;
    }
    faults.warning(0, `DH_G_2_MD5 is mandatory: added with ${modulusBits(first)} bits`);
    offers.push({ scheme: 2, group: { generator: first.generator, modulus: first.modulus } });
  }
  for (const { line, scheme, bits } of lines) {
    const base = scheme.refersTo.map((number) => SCHEMES.find((row) => row.number === number)!);
    if (
      bits === 0 && base.length &&
      !offers.some(({ scheme, group }) => group && base.some((row) => row.number === scheme))
    ) {
      faults.warning(
        line,
        `${scheme.name} 0 refers to the moduli of ${base.map(({ name }) => name).join(" and ")}: none is offered`,
      );
    }
  }
  return offers;
}

function readConfig(faults: Faults, line: number, words: string[], into: Record<Parameter, number>): void {
  const [name = "", text = "", ...more] = words;
  const spelled = Object.hasOwn(SPELLINGS, name) ? SPELLINGS[name] : name;
  const parameter = Object.hasOwn(DEFAULTS, spelled) ? spelled as Parameter : undefined;
  if (!parameter) {
    const names = Object.keys(DEFAULTS);
    return faults.error(line, `found parameter "${name}", allowed: ${names.join(", ")}${didYouMean(name, names)}`);
  }
  const number = wholeNumber(text, 1, parameter === "spi_bytes" ? Number.MAX_SAFE_INTEGER : MOST_NUMBER);
  if (number === undefined || more.length) {
    return faults.error(line, `${name}: found "${[text, ...more].join(" ")}", allowed: a whole number from 1`);
  }
  into[parameter] = number;
}

/** Reads photuris.conf. Nothing is thrown; with an error among the faults the result must not be used. */
export function parsePhoturisConf(text: string, file = "photuris.conf"): PhoturisConf {
  const faults = new Faults(file);
  const moduli: ConfiguredModulus[] = [];
  const exchanges: ExchangeLine[] = [];
  const numbers = { ...DEFAULTS };
  for (const { number: line, text: content } of linesOf(text)) {
    if (content === "") continue;
    const [keyword, ...words] = content.split(/\s+/);
    if (keyword === "modulus") {
      const modulus = readModulus(faults, line, words);
      if (modulus) moduli.push(modulus);
    } else if (keyword === "exchange") {
      const exchange = readExchange(faults, line, words);
      if (exchange) exchanges.push(exchange);
    } else if (keyword === "config") readConfig(faults, line, words, numbers);
    else faults.error(line, `found "${keyword}", allowed: ${KEYWORDS.join(", ")}${didYouMean(keyword, KEYWORDS)}`);
  }
  const times: Times = {
    maxRetransmits: numbers.exchange_max_retransmits,
    retransmitTimeout: numbers.exchange_retransmit_timeout,
    exchangeTimeout: numbers.exchange_timeout,
    exchangeLifetime: numbers.exchange_lifetime,
    spiLifetime: numbers.spi_lifetime,
  };
  checkTimes(faults, times);
  return {
    schemes: offersOf(faults, exchanges, moduli),
    moduli,
    times,
    spiBytes: numbers.spi_bytes,
    faults: faults.list,
  };
}

function checkTimes(faults: Faults, times: Times): void {
  const { maxRetransmits, retransmitTimeout, exchangeTimeout, exchangeLifetime, spiLifetime } = times;
  const least = (name: string, value: number, needed: number, formula: string) => {
    if (value < needed) faults.error(0, `${name} is ${value}, at least ${needed} is needed: ${formula}`);
  };
  least(
    "exchange_timeout",
    exchangeTimeout,
    maxRetransmits * retransmitTimeout,
    "exchange_max_retransmits times exchange_retransmit_timeout",
  );
  least("exchange_lifetime", exchangeLifetime, 2 * exchangeTimeout, "twice exchange_timeout");
  least("spi_lifetime", spiLifetime, 3 * exchangeTimeout, "three times exchange_timeout");
}
