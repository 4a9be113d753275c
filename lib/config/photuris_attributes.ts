/** attributes.conf: what attributes are called, what they are used for, and which are offered to whom. @module */
import { type Address, contains, isAddress, lengthOfMask, parseAddress, type Prefix, prefixOf } from "../ip/address.ts";
import { didYouMean } from "../octets/nearest.ts";
import { type AttributeDefinition, type AttributeUse, identityHash } from "../photuris/attributes.ts";
import { type Fault, Faults, linesOf, wholeNumber } from "./photuris_reader.ts";

/** Numbers in the order of offering; 1 and 2 are the section markers. */
export interface AttributeList {
  /** Absent: the default list. */
  readonly peers?: Prefix;
  readonly numbers: readonly number[];
}

export interface AttributesConf {
  readonly definitions: ReadonlyMap<number, AttributeDefinition>;
  /** The default list is the first. */
  readonly lists: readonly AttributeList[];
  readonly faults: readonly Fault[];
}

/** What the engine can do, by attribute number: the use, and the key lengths that it takes. */
export const ENGINE_ATTRIBUTES: ReadonlyMap<
  number,
  { use: "encryption" | "authentication"; keyOctets: [number, number] }
> = new Map([
  [5, { use: "authentication", keyOctets: [16, 48] }],
  [6, { use: "authentication", keyOctets: [20, 48] }],
  [7, { use: "authentication", keyOctets: [20, 20] }],
  [8, { use: "encryption", keyOctets: [8, 8] }],
  [16, { use: "encryption", keyOctets: [5, 56] }],
  [17, { use: "encryption", keyOctets: [5, 16] }],
  [18, { use: "encryption", keyOctets: [24, 24] }],
  [19, { use: "encryption", keyOctets: [10, 10] }],
]);
const HMAC_FLAG = 254;
/** What HMAC takes, whatever a keyed hash would take. */
const HMAC_KEYS: Readonly<Record<number, number>> = { 5: 16, 6: 20, 7: 20 };

const MARKERS: Readonly<Record<string, number>> = { AT_AH_ATTRIB: 1, AT_ESP_ATTRIB: 2 };
const TYPES: Readonly<Record<string, AttributeUse>> = { ident: "identity", enc: "encryption", auth: "authentication" };

function readPeers(text: string): Prefix | undefined {
  const [addressText, maskText, ...more] = text.split(/[\s/]+/);
  if (!isAddress(addressText) || maskText === undefined || more.length) return undefined;
  const address = parseAddress(addressText);
  try {
    const length = isAddress(maskText) ? lengthOfMask(parseAddress(maskText)) : wholeNumber(maskText, 0, 128);
    return length === undefined ? undefined : prefixOf(address, length);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

class AttributesReader {
  readonly faults: Faults;
  readonly definitions = new Map<number, AttributeDefinition>();
  readonly #byName = new Map<string, number>(Object.entries(MARKERS));
  /** Names that were defined and cannot be used here: their further uses are skipped without a word. */
  readonly #unusable = new Set<string>();
  readonly lists: { peers?: Prefix; numbers: number[] }[] = [{ numbers: [] }];

  constructor(file: string) {
    this.faults = new Faults(file);
  }

  line(line: number, text: string): void {
    if (text.includes(",")) return this.#define(line, text);
    if (/\s/.test(text) || text.includes("/")) {
      const peers = readPeers(text);
      if (peers) this.lists.push({ peers, numbers: [] });
      else this.faults.error(line, `found "${text}", allowed: ADDRESS NETMASK, a NAME, or NAME, ID, TYPE, KEYLENGTH`);
      return;
    }
    const number = this.#byName.get(text);
    if (number !== undefined) this.lists.at(-1)!.numbers.push(number);
    else if (!this.#unusable.has(text)) {
      this.faults.error(
        line,
        `found "${text}", which is not defined above${didYouMean(text, [...this.#byName.keys()])}`,
      );
    }
  }

  #define(line: number, text: string): void {
    const [name, idText, typeText = "", keyText = "", ...more] = text.split(",").map((part) => part.trim());
    if (more.length || name === "") return this.faults.error(line, "allowed: NAME, ID, TYPE, KEYLENGTH");
    if (this.#byName.has(name)) return this.faults.error(line, `${name} is defined above already`);
    const number = wholeNumber(idText ?? "", 1, 255);
    if (number === undefined) return this.faults.error(line, `${name}: found id "${idText ?? ""}", allowed: 1 to 255`);
    if (number <= 2) return this.faults.error(line, `${name}: id ${number} is a section marker`);
    const words = typeText === "" ? [] : typeText.split("|").map((word) => word.trim());
    const bad = words.find((word) => !Object.hasOwn(TYPES, word));
    if (bad !== undefined) {
      return this.faults.error(line, `${name}: found type "${bad}", allowed: ident, enc, auth, joined by |, or none`);
    }
    const keyOctets = keyText === "" ? 0 : wholeNumber(keyText, 0, 255);
    if (keyOctets === undefined) {
      return this.faults.error(line, `${name}: found key length "${keyText}", allowed: 0 to 255 octets`);
    }
    const uses = new Set<AttributeUse>(words.map((word) => TYPES[word]));
    if (uses.size === 0) uses.add("flag");
    if (!this.#isUsable(line, name, number, uses, keyOctets)) return void this.#unusable.add(name);
    this.#byName.set(name, number);
    const known = this.definitions.get(number);
    // Files of 1998 give one number two names, one to identify with and one to authenticate with.
    this.definitions.set(number, {
      number,
      name: known?.keyOctets ? known.name : name,
      uses: new Set([...known?.uses ?? [], ...uses]),
      keyOctets: Math.max(known?.keyOctets ?? 0, keyOctets),
    });
    this.lists.at(-1)!.numbers.push(number);
  }

  #isUsable(line: number, name: string, number: number, uses: Set<AttributeUse>, keyOctets: number): boolean {
    if (uses.has("flag")) {
      if (number === HMAC_FLAG) return true;
      this.faults.warning(line, `${name}: flag ${number} is unknown; ignored`);
      return false;
    }
    if (uses.has("identity") && !identityHash(number)) {
      this.faults.error(line, `${name}: attribute ${number} cannot identify; 5, 6 and 7 can`);
      return false;
    }
    for (const use of ["encryption", "authentication"] as const) {
      if (!uses.has(use)) continue;
      const row = ENGINE_ATTRIBUTES.get(number);
      if (row?.use !== use) {
        this.faults.warning(line, `${name}: the engine has no ${use} for attribute ${number}; ignored`);
        return false;
      }
      const [least, most] = row.keyOctets;
      if (keyOctets < least || keyOctets > most) {
        const allowed = least === most ? `${least}` : `${least} to ${most}`;
        this.faults.error(line, `${name}: found a key of ${keyOctets} octets, allowed: ${allowed}`);
        return false;
      }
    }
    return true;
  }

  end(): void {
    if (!this.lists[0].numbers.length) {
      this.faults.error(0, "the default list, which comes before the first address, is empty");
    }
    if (!this.definitions.has(HMAC_FLAG)) return;
    for (const { number, name, uses, keyOctets } of this.definitions.values()) {
      const needed = HMAC_KEYS[number];
      if (uses.has("authentication") && needed !== undefined && keyOctets !== needed) {
        this.faults.error(0, `${name}: has ${keyOctets} octets of key; with the HMAC flag ${needed} are needed`);
      }
    }
  }
}

/** Reads attributes.conf. Nothing is thrown; with an error among the faults the result must not be used. */
export function parseAttributesConf(text: string, file = "attributes.conf"): AttributesConf {
  const reader = new AttributesReader(file);
  for (const { number, text: content } of linesOf(text)) if (content !== "") reader.line(number, content);
  reader.end();
  return { definitions: reader.definitions, lists: reader.lists, faults: reader.faults.list };
}

/** The list for a peer: the last one whose network holds it, else the default. */
export function listFor(conf: AttributesConf, peer: Address): readonly number[] {
  const [standard, ...others] = conf.lists;
  const found = others.findLast(({ peers }) => peers && peers.address.family === peer.family && contains(peers, peer));
  return (found ?? standard).numbers;
}
