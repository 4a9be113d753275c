/** How ESP encrypts and authenticates: one row of functions for each way (RFC 2406, 3686, 4106, 4543, 7634). @module */
import type { CipherRow } from "../crypto/algorithms.ts";
import type { Aead, PacketCipher, PacketMac } from "../crypto/packet.ts";
import { DROP } from "./packet.ts";
import type { Sa } from "./sa.ts";
import { SCRATCH } from "./scratch.ts";

/** SPI and sequence number: what comes before the IV. */
const IV_AT = 8;

/** Works on ESP in place: header at `espAt`, data (with trailer) from `dataAt` to `icvAt`. */
export interface Protection {
  /** Writes IV, ciphertext and ICV. */
  protect(view: DataView, sa: Sa, espAt: number, dataAt: number, icvAt: number): void;
  /** Checks the ICV, then decrypts: 0 or `badIcv`. */
  unprotect(view: DataView, sa: Sa, espAt: number, dataAt: number, icvAt: number): number;
}

/** Writes the SA's next counter IV. */
export function writeIv(view: DataView, sa: Sa, ivAt: number): void {
  view.setInt32(ivAt, sa.ivHigh);
  view.setInt32(ivAt + 4, sa.ivLow);
  const low = sa.ivLow + 1 | 0;
  sa.ivLow = low;
  if (low === 0) sa.ivHigh = sa.ivHigh + 1 | 0;
}

/** Nonce of an AEAD: salt, IV (RFC 4106 4). Returns its place. */
export function writeNonce(view: DataView, sa: Sa, ivAt: number): number {
  const nonceAt = sa.scratchAt + SCRATCH.NONCE;
  view.setInt32(nonceAt, sa.salt);
  view.setInt32(nonceAt + 4, view.getInt32(ivAt));
  view.setInt32(nonceAt + 8, view.getInt32(ivAt + 4));
  return nonceAt;
}

/** Counter block of CTR mode: nonce, IV, 1 (RFC 3686 4). */
function writeCounterBlock(view: DataView, sa: Sa, ivAt: number): number {
  const blockAt = writeNonce(view, sa, ivAt);
  view.setInt32(blockAt + 12, 1);
  return blockAt;
}

/** Writes the MAC of a range, cut to the SA's ICV length, to `icvAt`. */
export function writeIcv(view: DataView, sa: Sa, at: number, octets: number, icvAt: number): void {
  const macAt = sa.scratchAt + SCRATCH.MAC;
  sa.mac!.compute(at, octets, macAt);
  for (let i = 0; i < sa.icvOctets; i += 4) view.setInt32(icvAt + i, view.getInt32(macAt + i));
}

/** Whether the MAC of a range, cut to the ICV length, is what lies at `icvAt`; in time that depends on neither. */
export function checkIcv(view: DataView, sa: Sa, at: number, octets: number, icvAt: number): boolean {
  const macAt = sa.scratchAt + SCRATCH.MAC;
  sa.mac!.compute(at, octets, macAt);
  let difference = 0;
  for (let i = 0; i < sa.icvOctets; i += 4) difference |= view.getInt32(icvAt + i) ^ view.getInt32(macAt + i);
  return difference === 0;
}

const AEAD: Protection = {
  protect(view, sa, espAt, dataAt, icvAt) {
    writeIv(view, sa, espAt + IV_AT);
    sa.aead!.seal(writeNonce(view, sa, espAt + IV_AT), espAt, IV_AT, dataAt, icvAt - dataAt, icvAt);
  },
  unprotect(view, sa, espAt, dataAt, icvAt) {
    const nonceAt = writeNonce(view, sa, espAt + IV_AT);
    return sa.aead!.open(nonceAt, espAt, IV_AT, dataAt, icvAt - dataAt, icvAt) ? DROP.none : DROP.badIcv;
  },
};

/** GMAC: all of it is associated data, the IV, too (RFC 4543 erratum; the published vector agrees). */
const GMAC: Protection = {
  protect(view, sa, espAt, _dataAt, icvAt) {
    writeIv(view, sa, espAt + IV_AT);
    sa.aead!.seal(writeNonce(view, sa, espAt + IV_AT), espAt, icvAt - espAt, icvAt, 0, icvAt);
  },
  unprotect(view, sa, espAt, _dataAt, icvAt) {
    const nonceAt = writeNonce(view, sa, espAt + IV_AT);
    return sa.aead!.open(nonceAt, espAt, icvAt - espAt, icvAt, 0, icvAt) ? DROP.none : DROP.badIcv;
  },
};

/** CBC with an unpredictable IV. */
const CBC: Protection = {
  protect(_view, sa, espAt, dataAt, icvAt) {
    sa.cipher!.encryptFresh(espAt + IV_AT, dataAt, icvAt - dataAt);
  },
  unprotect(_view, sa, espAt, dataAt, icvAt) {
    sa.cipher!.decrypt(espAt + IV_AT, dataAt, icvAt - dataAt);
    return DROP.none;
  },
};

const CTR: Protection = {
  protect(view, sa, espAt, dataAt, icvAt) {
    writeIv(view, sa, espAt + IV_AT);
    sa.cipher!.encrypt(writeCounterBlock(view, sa, espAt + IV_AT), dataAt, icvAt - dataAt);
  },
  unprotect(view, sa, espAt, dataAt, icvAt) {
    sa.cipher!.decrypt(writeCounterBlock(view, sa, espAt + IV_AT), dataAt, icvAt - dataAt);
    return DROP.none;
  },
};

/** NULL encryption (RFC 2410), or an SA whose packets ESP does not protect at all. */
const NULL: Protection = {
  protect() {},
  unprotect: () => DROP.none,
};

/** Encrypt, then authenticate; the other way round on input. */
function authenticated(cipher: Protection): Protection {
  return {
    protect(view, sa, espAt, dataAt, icvAt) {
      cipher.protect(view, sa, espAt, dataAt, icvAt);
      writeIcv(view, sa, espAt, icvAt - espAt, icvAt);
    },
    unprotect(view, sa, espAt, dataAt, icvAt) {
      if (!checkIcv(view, sa, espAt, icvAt - espAt, icvAt)) return DROP.badIcv;
      return cipher.unprotect(view, sa, espAt, dataAt, icvAt);
    },
  };
}

const AUTHENTICATED_CBC = authenticated(CBC);
const AUTHENTICATED_CTR = authenticated(CTR);
const AUTHENTICATED_NULL = authenticated(NULL);

/** The way of an SA with these contexts. */
export function protectionOf(
  aead: Aead | null,
  cipher: PacketCipher | null,
  mac: PacketMac | null,
  row: CipherRow | undefined,
): Protection {
  if (aead) return row?.authenticatesOnly ? GMAC : AEAD;
  if (!cipher) return mac ? AUTHENTICATED_NULL : NULL;
  if (row!.cipher === "aes-ctr") return mac ? AUTHENTICATED_CTR : CTR;
  return mac ? AUTHENTICATED_CBC : CBC;
}
