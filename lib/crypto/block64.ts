/** CBC over the 64-bit block ciphers that are ours (SKIPJACK, and Blowfish and CAST-128 without libcrypto). @module */

/** A keyed cipher of 64-bit blocks, worked on in place as two big-endian 32-bit halves. */
export interface Block64 {
  left: number;
  right: number;
  /** Encrypts the block in `left` and `right`. */
  encrypt(): void;
  decrypt(): void;
  /** Overwrites the key schedule. */
  erase(): void;
}

/** Encrypts `octets` octets (a multiple of 8) at `at` of `view` in place; the IV lies at `ivAt`. */
export function encryptCbc64(cipher: Block64, view: DataView, ivAt: number, at: number, octets: number): void {
  let left = view.getUint32(ivAt), right = view.getUint32(ivAt + 4);
  for (const end = at + octets; at < end; at += 8) {
    cipher.left = left ^ view.getUint32(at);
    cipher.right = right ^ view.getUint32(at + 4);
    cipher.encrypt();
    view.setUint32(at, left = cipher.left);
    view.setUint32(at + 4, right = cipher.right);
  }
}

/** The reverse of {@linkcode encryptCbc64}. */
export function decryptCbc64(cipher: Block64, view: DataView, ivAt: number, at: number, octets: number): void {
  let left = view.getUint32(ivAt), right = view.getUint32(ivAt + 4);
  for (const end = at + octets; at < end; at += 8) {
    const nextLeft = cipher.left = view.getUint32(at), nextRight = cipher.right = view.getUint32(at + 4);
    cipher.decrypt();
    view.setUint32(at, cipher.left ^ left);
    view.setUint32(at + 4, cipher.right ^ right);
    left = nextLeft;
    right = nextRight;
  }
}
