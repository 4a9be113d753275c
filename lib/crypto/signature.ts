/** Signatures and the keys that make them: RSA, ECDSA, DSA, Ed25519 (verification). One door to the files that hold them. @module */
export {
  describeKey,
  dsaNumbers,
  type DsaPublicKey,
  dsaPublicKey,
  type EcPublicKey,
  ecPublicKey,
  type Ed25519PublicKey,
  encodePem,
  encodePrivateKey,
  encodePublicKey,
  encodeRsaPublicKey,
  encodeTraditionalPrivateKey,
  KEY_OIDS,
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
export {
  digestInfo,
  generateRsaKey,
  HASH_OIDS,
  type PssParameters,
  signRsa,
  signRsaBare,
  verifyRsa,
  verifyRsaBare,
  verifyRsaPss,
} from "./rsa.ts";
export { signatureFromDer, signatureToDer, signDsa, verifyDsa } from "./dsa.ts";
export { ecdsaHash, ecdsaOctets, signEcdsa, verifyEcdsa } from "./ecdsa.ts";
export { verifyEd25519 } from "./ed25519.ts";
