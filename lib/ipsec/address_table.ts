/** A hash table keyed by IP address, looked up by int32 words without allocating. @module */

interface Row<Value> {
  readonly family: number;
  readonly words: Int32Array;
  readonly value: Value;
  next: Row<Value> | null;
}

function hash(family: number, words: Int32Array, from: number): number {
  let hash = Math.imul(words[from], 0x9e3779b1);
  if (family === 6) {
    for (let i = 1; i < 4; i++) hash = Math.imul(hash ^ hash >>> 15 ^ words[from + i], 0x85ebca6b);
  }
  return hash ^ hash >>> 16;
}

/** Values by address; the address is four words from an index on, an IPv4 address uses the first. */
export class AddressTable<Value> {
  #rows: (Row<Value> | null)[] = new Array(16).fill(null);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  #same(row: Row<Value>, family: number, words: Int32Array, from: number): boolean {
    const own = row.words;
    return row.family === family && own[0] === words[from] &&
      (family === 4 || (own[1] === words[from + 1] && own[2] === words[from + 2] && own[3] === words[from + 3]));
  }

  /** The value of the address whose words start at `words[from]`. */
  find(family: number, words: Int32Array, from: number): Value | null {
    let row = this.#rows[hash(family, words, from) & this.#rows.length - 1];
    while (row !== null && !this.#same(row, family, words, from)) row = row.next;
    return row === null ? null : row.value;
  }

  /** Adds a value under an address that has none yet; keeps a copy of the words. */
  insert(family: number, words: Int32Array, value: Value): Value {
    if (++this.#size > this.#rows.length) {
      const old = this.#rows;
      this.#rows = new Array(old.length * 4).fill(null);
      for (let chain of old) {
        while (chain !== null) {
          const next: Row<Value> | null = chain.next;
          this.#chain(chain);
          chain = next;
        }
      }
    }
    this.#chain({ family, words: words.slice(0, 4), value, next: null });
    return value;
  }

  #chain(row: Row<Value>): void {
    const at = hash(row.family, row.words, 0) & this.#rows.length - 1;
    row.next = this.#rows[at];
    this.#rows[at] = row;
  }

  /** Removes the value of an address; it may have none. */
  delete(family: number, words: Int32Array): void {
    const at = hash(family, words, 0) & this.#rows.length - 1;
    let before: Row<Value> | null = null;
    for (let row = this.#rows[at]; row !== null; before = row, row = row.next) {
      if (!this.#same(row, family, words, 0)) continue;
      if (before) before.next = row.next;
      else this.#rows[at] = row.next;
      this.#size--;
      return;
    }
  }
}
