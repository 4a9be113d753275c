/** The computations of key exchange as plain data, so that a Worker can do them. @module */
import { generateKeyPair, groupOf, sharedSecret } from "../crypto/group.ts";
import { parsePrivateKey, parsePublicKey, signRsaBare, verifyRsaBare } from "../crypto/signature.ts";
import type { Bytes } from "../octets/bytes.ts";
import { randomOctets } from "./clock.ts";

/** One computation. Keys are DER (PKCS#8, SubjectPublicKeyInfo). */
export type Calculation =
  | { readonly op: "generateKeyPair"; readonly group: number }
  | { readonly op: "sharedSecret"; readonly group: number; readonly privateKey: Bytes; readonly peerPublicValue: Bytes }
  | { readonly op: "signRsaBare"; readonly privateKey: Bytes; readonly octets: Bytes }
  | { readonly op: "verifyRsaBare"; readonly publicKey: Bytes; readonly octets: Bytes; readonly signature: Bytes };

/** What each gives. */
export interface CalculationValues {
  generateKeyPair: { readonly privateKey: Bytes; readonly publicValue: Bytes };
  sharedSecret: Bytes;
  signRsaBare: Bytes;
  verifyRsaBare: boolean;
}

/** What decides how long a computation takes. */
export function sizeOf(calculation: Calculation): string {
  if ("group" in calculation) return `${calculation.op} ${groupOf(calculation.group).name}`;
  const key = calculation.op === "signRsaBare" ? calculation.privateKey : calculation.publicKey;
  return `${calculation.op} ${key.length >> 6}`;
}

/** Does it here and now. @throws {RangeError} saying what is wrong with a peer's value @throws {KeyError} */
export function calculate(calculation: Calculation): CalculationValues[Calculation["op"]] {
  switch (calculation.op) {
    case "generateKeyPair":
      return generateKeyPair(calculation.group, randomOctets);
    case "sharedSecret":
      return sharedSecret(calculation.group, calculation.privateKey, calculation.peerPublicValue);
    case "signRsaBare":
      return signRsaBare(parsePrivateKey(calculation.privateKey), calculation.octets);
    case "verifyRsaBare":
      return verifyRsaBare(parsePublicKey(calculation.publicKey), calculation.octets, calculation.signature);
  }
}
