/** Packets that wait for key management. @module */

const MAX_PACKETS = 256;
const MAX_OCTETS = 1 << 20;
/** As long as the kernel's larval SAs of old waited for their keys. */
const MAX_AGE_MS = 30_000;

/** A bounded queue of copies. Waiting is rare and slow anyway, so this allocates. */
export class HeldPackets {
  #packets: { octets: Uint8Array; since: number }[] = [];
  #octets = 0;

  get size(): number {
    return this.#packets.length;
  }

  /** Keeps a copy; false when there is no room. Packets that have waited too long make room. */
  keep(octets: Uint8Array, now: number): boolean {
    while (this.#packets.length && now - this.#packets[0].since > MAX_AGE_MS) {
      this.#octets -= this.#packets.shift()!.octets.length;
    }
    if (this.#packets.length >= MAX_PACKETS || this.#octets + octets.length > MAX_OCTETS) return false;
    this.#packets.push({ octets: octets.slice(), since: now });
    this.#octets += octets.length;
    return true;
  }

  /** All packets, oldest first; the queue is empty afterwards. */
  drain(): Uint8Array[] {
    const packets = this.#packets.map(({ octets }) => octets);
    this.#packets = [];
    this.#octets = 0;
    return packets;
  }
}
