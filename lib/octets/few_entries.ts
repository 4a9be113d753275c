/** A map of which there are very many, most of them with one entry. @module */

/** The methods of Map that are needed, without its memory (some 300 octets) while there is only one entry. */
export class FewEntries<Key, Value> {
  #key: Key | undefined;
  #value: Value | undefined;
  #size = 0;
  #map: Map<Key, Value> | undefined;

  get size(): number {
    return this.#map?.size ?? this.#size;
  }

  /** The value of the oldest entry; undefined when there is none. */
  get first(): Value | undefined {
    return this.#map ? this.#map.values().next().value : this.#value;
  }

  set(key: Key, value: Value): void {
    if (this.#map) this.#map.set(key, value);
    else if (this.#size === 0 || this.#key === key) [this.#key, this.#value, this.#size] = [key, value, 1];
    else {
      this.#map = new Map([[this.#key!, this.#value!], [key, value]]);
      this.#key = this.#value = undefined;
    }
  }

  delete(key: Key): void {
    if (this.#map) this.#map.delete(key);
    else if (this.#size === 1 && this.#key === key) {
      this.#key = this.#value = undefined;
      this.#size = 0;
    }
  }

  keys(): Iterable<Key> {
    return this.#map ? this.#map.keys() : this.#size ? [this.#key!] : [];
  }

  values(): Iterable<Value> {
    return this.#map ? this.#map.values() : this.#size ? [this.#value!] : [];
  }
}
