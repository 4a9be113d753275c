/** Signatures and the keys that make them: RSA PKCS#1 v1.5, ECDSA, DSA. One door to the files that hold them. @module */
export {
  describeKey,
  dsaNumbers,
  type DsaPublicKey,
  dsaPublicKey,
  type EcPublicKey,
  ecPublicKey,
  encodePem,
  encodePrivateKey,
  encodePublicKey,
  encodeRsaPublicKey,
  encodeTraditionalPrivateKey,
  KeyError,
  type KeyObject,
  parsePrivateKey,
  parsePublicKey,
  type PublicKey,
  publicKeyOf,
  rsaNumbers,
  type RsaPublicKey,
  rsaPublicKey,
} from "./keys.ts";
export { digestInfo, generateRsaKey, signRsa, signRsaBare, verifyRsa, verifyRsaBare } from "./rsa.ts";
export { signatureFromDer, signatureToDer, signDsa, verifyDsa } from "./dsa.ts";
export { ecdsaHash, ecdsaOctets, signEcdsa, verifyEcdsa } from "./ecdsa.ts";
