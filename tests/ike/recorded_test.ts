import { assert, assertEquals } from "@std/assert";
import { cipherByEspTransform } from "../../lib/crypto/algorithms.ts";
import { createCbc } from "../../lib/crypto/cipher.ts";
import {
  deriveSkeyids,
  encryptionKey,
  exchangeIv,
  HASH_1,
  HASH_2,
  HASH_3,
  HASH_I,
  HASH_R,
  KEYMAT,
  keyOctetsOf,
  natHash,
  phase1Iv,
  SKEYID,
} from "../../lib/ike/keys.ts";
import {
  bodyOf,
  decodeHeader,
  decodePayloads,
  encodeHeader,
  encodePayloads,
  isEncrypted,
} from "../../lib/isakmp/message.ts";
import { parseAddress } from "../../lib/ip/address.ts";
import { Reassembly } from "../../lib/isakmp/fragments.ts";
import { CERT_ENCODING, IKE_AUTHENTICATION, IPSEC_ATTRIBUTE, PAYLOAD } from "../../lib/isakmp/numbers.ts";
import { CERT_LAYOUT } from "../../lib/isakmp/payloads.ts";
import { parsePublicKey, verifyEcdsa, verifyRsaBare } from "../../lib/crypto/signature.ts";
import { parseCertificate } from "../../lib/x509/certificate.ts";
import { decodeSa, encodeSa } from "../../lib/isakmp/proposals.ts";
import { type Bytes, concat } from "../../lib/octets/bytes.ts";
import { formatHex } from "../../lib/octets/hex.ts";
import { algorithmsOf, CASES, hex, isakmpOf, type RecordedCase } from "./recorded.ts";

const SIGNATURE_METHODS = [3, 9, 10, 11];

function derive(recorded: RecordedCase) {
  const { H, keyOctets, blockOctets } = algorithmsOf(recorded);
  const p = recorded.phase1;
  const [g_xi, g_xr, g_xy, Ni_b, Nr_b, CKY_I, CKY_R] = [p.g_xi, p.g_xr, p.g_xy, p.ni_b, p.nr_b, p.cky_i, p.cky_r].map(
    hex,
  );
  const skeyid = SIGNATURE_METHODS.includes(recorded.chosen["3"])
    ? SKEYID.signature(H, Ni_b, Nr_b, g_xy)
    : SKEYID.preShared(H, hex(recorded.psk), Ni_b, Nr_b);
  const keys = deriveSkeyids(H, skeyid, g_xy, CKY_I, CKY_R);
  return {
    ...keys,
    key: encryptionKey(H, keys.SKEYID_e, keyOctets),
    iv0: phase1Iv(H, g_xi, g_xr, blockOctets),
    CKY_I,
    CKY_R,
    g_xi,
    g_xr,
    Ni_b,
    Nr_b,
  };
}

for (const recorded of CASES) {
  const { H, cipher, blockOctets } = algorithmsOf(recorded);
  const p = recorded.phase1;

  Deno.test(`${recorded.name}: SKEYIDs, encryption key, IV and HASH_I/R are those recorded`, () => {
    const keys = derive(recorded);
    assertEquals(
      [keys.SKEYID, keys.SKEYID_d, keys.SKEYID_a, keys.SKEYID_e, keys.key, keys.iv0].map(formatHex),
      [p.skeyid, p.skeyid_d, p.skeyid_a, p.skeyid_e, p.cipher_key, p.iv0],
    );
    // RFC 4754: ECDSA signs a hash of the curve's own function.
    const signed = { 9: "sha256", 10: "sha384", 11: "sha512" }[recorded.chosen["3"]] as typeof H ?? H;
    const SAi_b = hex(p.sai_b);
    assertEquals(formatHex(HASH_I(signed, keys.SKEYID, { ...keys, SAi_b, IDii_b: hex(p.idii_b) })), p.hash_i);
    assertEquals(formatHex(HASH_R(signed, keys.SKEYID, { ...keys, SAi_b, IDir_b: hex(p.idir_b) })), p.hash_r);
  });

  if (p.sig_i) {
    Deno.test(`${recorded.name}: both signatures are over HASH_I and HASH_R, by the keys of the certificates`, () => {
      for (const [hash, signature, cert] of [[p.hash_i, p.sig_i, p.cert_i], [p.hash_r, p.sig_r, p.cert_r]]) {
        const { encoding, octets } = CERT_LAYOUT.decode(hex(cert));
        const key = parsePublicKey(parseCertificate(octets).spki);
        const verify = recorded.chosen["3"] === IKE_AUTHENTICATION.RSA_SIG ? verifyRsaBare : verifyEcdsa;
        assertEquals([encoding, verify(key, hex(hash), hex(signature))], [CERT_ENCODING.X509_SIG, true]);
        const other = hex(hash);
        other[0] ^= 1;
        assertEquals(verify(key, other, hex(signature)), false);
      }
    });
  }

  Deno.test(`${recorded.name}: every message decrypts, verifies and encodes to the same octets`, () => {
    const keys = derive(recorded);
    using cbc = createCbc(cipher, keys.key);
    let lastBlock = keys.iv0;
    const ivs = new Map<number, Bytes>();
    let verified = 0;
    const reassembly = new Reassembly();
    for (const message of recorded.messages) {
      const octets = isakmpOf(message);
      const { header, body } = decodeHeader(octets);
      if (message.fragment) {
        const { header, body } = decodeHeader(hex(message.udp).slice(4));
        const { payloads } = decodePayloads(header.nextPayload, body);
        const whole = reassembly.add(payloads[0].body);
        assertEquals(whole && formatHex(whole), message.reassembled, `message ${message.n}`);
        if (!message.reassembled) continue;
      }
      let plain = body;
      if (isEncrypted(header)) {
        const iv = header.messageId === 0
          ? lastBlock
          : ivs.get(header.messageId) ?? exchangeIv(H, lastBlock, header.messageId, blockOctets);
        assertEquals(formatHex(iv), message.iv, `IV of message ${message.n}`);
        plain = cbc.decrypt(iv, body);
        assertEquals(formatHex(plain), message.plaintext, `plaintext of message ${message.n}`);
        assertEquals(formatHex(cbc.encrypt(iv, plain)), formatHex(body), `ciphertext of message ${message.n}`);
        const next = body.slice(-blockOctets) as Bytes;
        if (header.messageId === 0) lastBlock = next;
        else ivs.set(header.messageId, next);
      }
      const chain = decodePayloads(header.nextPayload, plain);
      assertEquals(
        chain.payloads.map(({ type, body }) => [type, formatHex(body)]),
        message.payloads!.map(({ type, body }) => [type, body]),
      );
      const again = encodePayloads(chain.payloads);
      assertEquals(formatHex(again), formatHex(plain.subarray(0, chain.octets)));
      assertEquals(formatHex(concat(encodeHeader(header, body.length), body)), formatHex(octets));
      const sa = bodyOf(chain.payloads, PAYLOAD.SA);
      if (sa) assertEquals(formatHex(encodeSa(decodeSa(sa).proposals)), formatHex(sa));
      if (header.messageId !== 0 && isEncrypted(header)) {
        const rest = plain.subarray(4 + chain.payloads[0].body.length, chain.octets);
        const quick = recorded.phase2.find(({ mid }) => mid === message.header.mid);
        const third = quick && chain.payloads.length === 1;
        const second = quick && !third &&
          chain.payloads.some(({ type, body }) => type === PAYLOAD.NONCE && formatHex(body) === quick.nr_b);
        const hash = third
          ? HASH_3(H, keys.SKEYID_a, header.messageId, hex(quick.ni_b), hex(quick.nr_b))
          : second
          ? HASH_2(H, keys.SKEYID_a, header.messageId, hex(quick.ni_b), rest)
          : HASH_1(H, keys.SKEYID_a, header.messageId, rest);
        assertEquals(formatHex(hash), formatHex(chain.payloads[0].body), `HASH of message ${message.n}`);
        verified++;
      }
      if (message.natd) {
        const [ip, port] = message.dst.split(":");
        const first = chain.payloads.find(({ type }) => type === PAYLOAD.NAT_D)!.body;
        const ours = natHash(H, keys.CKY_I, keys.CKY_R, parseAddress(ip).octets, Number(port));
        assertEquals(formatHex(ours), formatHex(first), `NAT-D of message ${message.n}`);
      }
    }
    assert(verified >= 3);
  });

  Deno.test(`${recorded.name}: KEYMAT of both directions is as recorded`, () => {
    const { SKEYID_d } = derive(recorded);
    for (const quick of recorded.phase2) {
      for (const sa of [quick.sa_initiator_to_responder, quick.sa_responder_to_initiator]) {
        const cipher = cipherByEspTransform(quick.transform_id)!;
        const encryption = keyOctetsOf(cipher, quick.attributes[IPSEC_ATTRIBUTE.KEY_LENGTH]) + cipher.saltOctets;
        assertEquals(encryption, sa.enc_key.length / 2);
        const keymat = KEYMAT(H, {
          SKEYID_d,
          g_qm_xy: hex(quick.g_qm_xy),
          protocol: 3,
          spi: hex(sa.spi),
          Ni_b: hex(quick.ni_b),
          Nr_b: hex(quick.nr_b),
        }, encryption + sa.auth_key.length / 2);
        assertEquals(formatHex(keymat), sa.enc_key + sa.auth_key);
      }
    }
  });
}
