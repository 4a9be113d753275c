/** What each cipher and authenticator costs on this machine. @module */
import { AUTHENTICATORS, ESP_CIPHERS } from "../../crypto/algorithms.ts";
import type { CipherRow } from "../../crypto/algorithm_rows.ts";
import type { PacketCrypto } from "../../crypto/packet.ts";
import type { Arena } from "../../octets/arena.ts";

/** A short packet and a full one. */
export const SIZES = [64, 1400] as const;

/** Nanoseconds that one algorithm takes for a packet of each of {@linkcode SIZES}. */
export interface CryptoResult {
  /** ipsecadm's word, with the key's bits where there is a choice. */
  readonly name: string;
  readonly kind: "cipher" | "authenticator";
  /** Encryption with what authenticates it, if the cipher does that too; for an authenticator the ICV. */
  readonly sealNs: readonly number[];
  /** The reverse; the same as `sealNs` for an authenticator. */
  readonly openNs: readonly number[];
}

/** Nanoseconds of one call: the least disturbed of three runs of about `milliseconds` each. */
export function nanoseconds(work: (count: number) => void, milliseconds: number): number {
  const time = (count: number) => {
    const start = performance.now();
    work(count);
    return performance.now() - start;
  };
  let count = 16;
  for (let took = time(count); took < milliseconds; took = time(count)) {
    count = Math.ceil(count * Math.min(4, 1.2 * milliseconds / Math.max(took, 0.05)));
  }
  return Math.min(time(count), time(count), time(count)) * 1e6 / count;
}

/** Megabits a second of packets of `octets` octets that take `ns` nanoseconds each. */
export const megabits = (octets: number, ns: number): number => 8000 * octets / ns;

/** What {@linkcode measureCrypto} measures: name and work of each algorithm, in the registries' order. */
interface Subject {
  readonly name: string;
  readonly kind: "cipher" | "authenticator";
  run(): Pick<CryptoResult, "sealNs" | "openNs">;
}

/** Key lengths: the recommended one, and the longest where it is for the user to choose between few. */
function keyLengths({ key: { recommended, max, step } }: CipherRow): number[] {
  return step > 1 && max > recommended ? [recommended, max] : [recommended];
}

/** The algorithms of both registries as they will be measured. */
export function* subjects(backend: PacketCrypto, arena: Arena, milliseconds: number): Generator<Subject> {
  const longest = Math.max(...SIZES) + 256;
  const [nonceAt, aadAt, tagAt, dataAt, sealedAt] = [16, 16, 64, longest, longest].map((octets) =>
    arena.reserve(octets)
  );
  const key = (octets: number) => crypto.getRandomValues(new Uint8Array(octets));
  const each = (work: (octets: number) => (count: number) => void) =>
    SIZES.map((octets) => nanoseconds(work(octets), milliseconds));

  for (const row of ESP_CIPHERS) {
    const padded = (octets: number) => Math.ceil(octets / row.blockOctets) * row.blockOctets;
    for (const octets of keyLengths(row)) {
      const name = keyLengths(row).length > 1 ? `${row.name}-${8 * octets}` : row.name;
      const { cipher, aead, authenticatesOnly } = row;
      if (aead) {
        yield {
          name,
          kind: "cipher",
          run: () => {
            using sealer = backend.aead(aead, key(octets));
            // GMAC has all of the packet as associated data.
            const [from, split] = authenticatesOnly
              ? [dataAt, (size: number) => [size, 0]]
              : [aadAt, (size: number) => [8, size]];
            const sealNs = each((size) => (count) => {
              const [aad, data] = split(size);
              for (let i = 0; i < count; i++) sealer.seal(nonceAt, from, aad, dataAt, data, tagAt);
            });
            // Opening turns what it opens into something else: what was sealed is put back before each, at its own cost.
            const putBack = (size: number) => arena.u8.copyWithin(dataAt, sealedAt, sealedAt + size);
            const copyNs = each((size) => (count) => {
              for (let i = 0; i < count; i++) putBack(size);
            });
            const copyAndOpenNs = each((size) => {
              const [aad, data] = split(size);
              sealer.seal(nonceAt, from, aad, dataAt, data, tagAt);
              arena.u8.copyWithin(sealedAt, dataAt, dataAt + size);
              return (count) => {
                for (let i = 0; i < count; i++) {
                  putBack(size);
                  if (!sealer.open(nonceAt, from, aad, dataAt, data, tagAt)) throw new Error(`${name} does not open`);
                }
              };
            });
            return { sealNs, openNs: copyAndOpenNs.map((ns, i) => Math.max(1, ns - copyNs[i])) };
          },
        };
      } else if (cipher) {
        yield {
          name,
          kind: "cipher",
          run: () => {
            using sealer = backend.cipher(cipher, key(octets));
            return {
              sealNs: each((size) => (count) => {
                for (let i = 0; i < count; i++) sealer.encrypt(nonceAt, dataAt, padded(size));
              }),
              openNs: each((size) => (count) => {
                for (let i = 0; i < count; i++) sealer.decrypt(nonceAt, dataAt, padded(size));
              }),
            };
          },
        };
      }
    }
  }
  for (const { name, mac, key: { recommended } } of AUTHENTICATORS) {
    if (!mac) continue;
    yield {
      name,
      kind: "authenticator",
      run: () => {
        using keyed = backend.mac(mac, key(recommended));
        const ns = each((size) => (count) => {
          for (let i = 0; i < count; i++) keyed.compute(dataAt, size, tagAt);
        });
        return { sealNs: ns, openNs: ns };
      },
    };
  }
}

/**
 * Measures every algorithm in turn.
 *
 * @param milliseconds of each of three runs of each figure
 * @param progress called with each name before it is measured
 */
export function measureCrypto(
  backend: PacketCrypto,
  arena: Arena,
  milliseconds: number,
  progress: (name: string) => void = () => {},
): CryptoResult[] {
  return [...subjects(backend, arena, milliseconds)].map(({ name, kind, run }) => {
    progress(name);
    return { name, kind, ...run() };
  });
}
