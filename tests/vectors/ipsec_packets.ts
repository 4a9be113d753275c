// Whole packets with their SAs.
//
// "rfc3602-*": RFC 3602 section 4 cases 5 to 8. "rfc7634": RFC 7634 appendix A. "A" to "O": composed with
// python-cryptography from the rules of the RFCs; A to H, M, N and O were also decrypted or verified by scapy's IPsec
// layer; I, J, K and L (old AH, old ESP) follow the RFCs and OpenBSD alone.

import type { SaParameters } from "../../lib/ipsec/types.ts";

/** Parameters as text: keys in hex, addresses numeric. */
export interface PacketVector {
  name: string;
  protocol: 50 | 51;
  spi: number;
  /** Sequence number of the packet. */
  sequence?: number;
  source: string;
  destination: string;
  tunnel?: boolean;
  encryption?: string;
  encryptionKey?: string;
  authentication?: string;
  authenticationKey?: string;
  /** What the IV is, in hex. */
  iv?: string;
  more?: Partial<SaParameters>;
  /** Identification of the outer header in tunnel mode. */
  identification?: number;
  plain: string;
  secured: string;
}

const FROM = "192.168.123.3";
const TO = "192.168.123.100";
const P = "0800b5e8a80a0500a69c083d0b660e00777777777777777777777777";
/** 192.168.123.3 to 192.168.123.100, ICMP. */
export const Q = "4500003008fe00004001fa16c0a87b03c0a87b64" + P;
const DES3 = "0123456789abcdef23456789abcdef01456789abcdef0123";
const KEY_10 = "101112131415161718191a1b1c1d1e1f";
const KEY_20 = "202122232425262728292a2b2c2d2e2f30313233";
const KEY_40 = "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f";
const KEY_00 = "000102030405060708090a0b0c0d0e0f";
const transport = { source: FROM, destination: TO } as const;
const tunnel = { source: "10.0.0.1", destination: "10.0.0.2", tunnel: true, identification: 0x1234 } as const;
const v6 = { source: "2001:db8::1", destination: "2001:db8::2" } as const;

export const PACKET_VECTORS: readonly PacketVector[] = [
  {
    name: "rfc3602-5",
    protocol: 50,
    spi: 0x4321,
    sequence: 1,
    ...transport,
    encryption: "aes",
    encryptionKey: "90d382b410eeba7ad938c46cec1a82bf",
    iv: "e96e8c08ab465763fd098d45dd3ff893",
    plain:
      "4500005408f200004001f9fec0a87b03c0a87b6408000ebda70a00008e9c083db95b070008090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637",
    secured:
      "4500007c08f200004032f9a5c0a87b03c0a87b640000432100000001e96e8c08ab465763fd098d45dd3ff893f663c25d325c18c6a9453e194e120849a4870b66cc6b9965330013b4898dc856a4699e523a55db080b59ec3a8e4b7e52775b07d1db34ed9c538ab50c551b874aa269add047ad2d5913ac19b7cfbad4a6",
  },
  {
    name: "rfc3602-6",
    protocol: 50,
    spi: 0x4321,
    sequence: 8,
    ...transport,
    encryption: "aes",
    encryptionKey: "90d382b410eeba7ad938c46cec1a82bf",
    iv: "69d08df7d203329db093fc4924e5bd80",
    plain: Q,
    secured:
      "4500004c08fe00004032f9c9c0a87b03c0a87b64000043210000000869d08df7d203329db093fc4924e5bd80f51995881ec4e0c4488987ce742e8109689bb379d2d750c0d915dca346a89f75",
  },
  {
    name: "rfc3602-7",
    protocol: 50,
    spi: 0x8765,
    sequence: 2,
    source: FROM,
    destination: "192.168.123.200",
    tunnel: true,
    identification: 0x0905,
    encryption: "aes",
    encryptionKey: "0123456789abcdef0123456789abcdef",
    iv: "f4e765244f6407adf13dc1380f673f37",
    plain:
      "45000054090400004001f988c0a87b03c0a87bc808009f76a90a0100b49c083d02a2040008090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637",
    secured:
      "4500008c090500004032f91ec0a87b03c0a87bc80000876500000002f4e765244f6407adf13dc1380f673f37773b5241a4c449225e4f3ce5ed611b0c237ca96cf74a93013c1b0ea1a0cf70f8e4ecaec78ac53aad7a0f022b859243c647752e94a859352b8a4d4d2decd136e5c177f132ad3fbfb2201ac9904c74ee0a109e0ca1e4dfe9d5a100b842f1c22f0d",
  },
  {
    name: "rfc3602-8",
    protocol: 50,
    spi: 0x8765,
    sequence: 5,
    source: FROM,
    destination: "192.168.123.200",
    tunnel: true,
    identification: 0x090d,
    encryption: "aes",
    encryptionKey: "0123456789abcdef0123456789abcdef",
    iv: "85d47224b5f3dd5d2101d4ea8dffab22",
    plain:
      "45000044090c00004001f990c0a87b03c0a87bc80800d63caa0a0200c69c083da3de0300ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    secured:
      "4500007c090d00004032f926c0a87b03c0a87bc8000087650000000585d47224b5f3dd5d2101d4ea8dffab2215b92683819596a8047232cc00f7048fe45318e11f8a0f62ede3c3fc61203bb50f980a08c9843fd3a1b06d5c07ff9639b7eb7dfb3512e5de435e7207ed971ef3d2726d9b5ef6affc6d17a0decbb13892",
  },
  {
    name: "rfc7634",
    protocol: 50,
    spi: 0x01020304,
    sequence: 5,
    source: "203.0.113.153",
    destination: "203.0.113.5",
    tunnel: true,
    identification: 0x2345,
    encryption: "chacha20-poly1305",
    encryptionKey: "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3",
    iv: "1011121314151617",
    plain:
      "45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec100007362708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637",
    secured:
      "4500008c234500004032de5bcb007199cb0071050102030400000005101112131415161724039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c614ee8099d52844eb61aa95dfab4c02f72aa71e7c4c4f64c9befe2facc638e8f3cbec163fac469b502773f6fb94e664da9165b82829f641e076aaa8266b7fb0f7b11b369907e1ad43",
  },
  {
    name: "A",
    protocol: 50,
    spi: 0x1001,
    ...transport,
    encryption: "3des",
    encryptionKey: DES3,
    authentication: "md5",
    authenticationKey: KEY_10,
    iv: "0001020304050607",
    plain: Q,
    secured:
      "4500005008fe00004032f9c5c0a87b03c0a87b64000010010000000100010203040506076e3a75985cdc72a7d134a8c2e90561afdabf68b1172bb1fdce8c9669f5f06e6fdb6208d492d8a57eed1a522c",
  },
  {
    name: "B",
    protocol: 50,
    spi: 0x1002,
    sequence: 2,
    ...tunnel,
    encryption: "blf",
    encryptionKey: "0123456789abcdeff0e1d2c3b4a59687",
    authentication: "sha1",
    authenticationKey: KEY_20,
    iv: "fedcba9876543210",
    plain: Q,
    secured:
      "45000068123400004032542e0a0000010a0000020000100200000002fedcba9876543210393ee699ac0b6a3d16bdea5e5a26ac902f89f0ecccc80303002e263d3d847b6e7908e29976fd7d483f3a1d49da645163967963a8c95aaa8bfbbcc44a110ff64f59d28b46",
  },
  {
    name: "C",
    protocol: 50,
    spi: 0x1003,
    ...transport,
    encryption: "null",
    authentication: "sha2-256",
    authenticationKey: KEY_40,
    plain: Q,
    secured:
      "4500004c08fe00004032f9c9c0a87b03c0a87b6400001003000000010800b5e8a80a0500a69c083d0b660e00777777777777777777777777010202011ae098d8e30a49ee333d3c4010aceda4",
  },
  {
    name: "D",
    protocol: 50,
    spi: 0x1004,
    ...transport,
    encryption: "aesctr",
    encryptionKey: "ae6852f8121067cc4bf7a5765577f39e00000030",
    authentication: "sha1",
    authenticationKey: KEY_20,
    iv: "0000000000000001",
    plain: Q,
    secured:
      "4500005008fe00004032f9c5c0a87b03c0a87b6400001004000000010000000000000001c8f1db006be78bfb24eb65f7b9362f104104606e6c3b3fbf3e453fa3e59db25fcca7bc75aeb1bd154be7c6f2",
  },
  {
    name: "E",
    protocol: 50,
    spi: 0x1005,
    ...transport,
    encryption: "aes-gmac",
    encryptionKey: "4c80cdefbb5d10da906ac73c3613a6342e443b68",
    iv: "4956ed7e3b244cfe",
    plain: Q,
    secured:
      "4500005408fe00004032f9c1c0a87b03c0a87b6400001005000000014956ed7e3b244cfe0800b5e8a80a0500a69c083d0b660e00777777777777777777777777010202010d7489e64ae7b822b424b18fdb597ef5",
  },
  {
    name: "F",
    protocol: 51,
    spi: 0x2001,
    ...transport,
    authentication: "sha1",
    authenticationKey: KEY_20,
    plain: "4510003008fe40004001ba06c0a87b03c0a87b64" + P,
    secured:
      "4510004808fe40004033b9bcc0a87b03c0a87b64010400000000200100000001798ce17a14eca9d89900c4f20800b5e8a80a0500a69c083d0b660e00777777777777777777777777",
  },
  {
    name: "G",
    protocol: 51,
    spi: 0x2002,
    sequence: 7,
    ...tunnel,
    authentication: "md5",
    authenticationKey: KEY_10,
    plain: Q,
    secured:
      "4500005c12340000403354390a0000010a0000020404000000002002000000077127875ac3305f85823c54934500003008fe00004001fa16c0a87b03c0a87b640800b5e8a80a0500a69c083d0b660e00777777777777777777777777",
  },
  {
    name: "G2",
    protocol: 51,
    spi: 0x2003,
    ...transport,
    authentication: "sha2-256",
    authenticationKey: KEY_40,
    plain: Q,
    secured:
      "4500004c08fe00004033f9c8c0a87b03c0a87b640105000000002003000000015f48e682a660c7b86e688da9981383390800b5e8a80a0500a69c083d0b660e00777777777777777777777777",
  },
  {
    name: "H",
    protocol: 51,
    spi: 0x2004,
    ...v6,
    authentication: "sha2-256",
    authenticationKey: KEY_40,
    plain:
      "6201234500103a4020010db800000000000000000000000120010db8000000000000000000000002800092a8000100016162636465666768",
    secured:
      "620123450030334020010db800000000000000000000000120010db80000000000000000000000023a060000000020040000000194e534e76e251d25169451b255b6368400000000800092a8000100016162636465666768",
  },
  {
    name: "N",
    protocol: 51,
    spi: 0x2005,
    ...transport,
    authentication: "sha1",
    authenticationKey: KEY_20,
    plain: "4800003c08fe0000400152f5c0a87b03c0a87b64940400000707080a00000100" + P,
    secured:
      "4800005408fe0000403352abc0a87b03c0a87b64940400000707080a00000100010400000000200500000001ff33f00b2a0f3780dfdd3fad0800b5e8a80a0500a69c083d0b660e00777777777777777777777777",
  },
  {
    name: "O",
    protocol: 51,
    spi: 0x2006,
    source: "2001:db8::1",
    destination: "2001:db8::a",
    authentication: "sha1",
    authenticationKey: KEY_20,
    plain:
      "600000000030004020010db800000000000000000000000120010db800000000000000000000000a2b003e02aabb01003a0200010000000020010db8000000000000000000000002800092a8000100016162636465666768",
    secured:
      "600000000048004020010db800000000000000000000000120010db800000000000000000000000a2b003e02aabb0100330200010000000020010db80000000000000000000000023a04000000002006000000013b4e0ee25eb92ff102bfd213800092a8000100016162636465666768",
  },
  {
    name: "I",
    protocol: 51,
    spi: 0x3001,
    ...transport,
    authentication: "md5",
    authenticationKey: KEY_00,
    more: { oldHeader: true },
    plain: Q,
    secured:
      "4500004808fe00004033f9ccc0a87b03c0a87b640104000000003001741effe502aea69a62d779d3c6b7cd2c0800b5e8a80a0500a69c083d0b660e00777777777777777777777777",
  },
  {
    name: "J",
    protocol: 51,
    spi: 0x3002,
    ...transport,
    authentication: "sha1",
    authenticationKey: KEY_00 + "10111213",
    more: { oldHeader: true },
    plain: Q,
    secured:
      "4500004c08fe00004033f9c8c0a87b03c0a87b6401050000000030024d7d31c854583b7e19efdaa9d932282987e9c0f90800b5e8a80a0500a69c083d0b660e00777777777777777777777777",
  },
  {
    name: "K",
    protocol: 50,
    spi: 0x3003,
    ...transport,
    encryption: "des",
    encryptionKey: "0123456789abcdef",
    iv: "01020304",
    more: { oldHeader: true, halfIv: true },
    plain: Q,
    secured:
      "4500003c08fe00004032f9d9c0a87b03c0a87b640000300301020304abbce510c11a013a28f0a9a80be967ea916b16eb1bcf9dbd5cd701f451116f7e",
  },
  {
    name: "L",
    protocol: 50,
    spi: 0x3004,
    ...tunnel,
    encryption: "des",
    encryptionKey: "0123456789abcdef",
    iv: "0102030405060708",
    more: { oldHeader: true },
    plain: Q,
    secured:
      "45000058123400004032543e0a0000010a000002000030040102030405060708050e6589f50c510ab1d25ea9b0b37c9d01583234692dd52dd65b9d391fedf584bc231755990d347772b5414edd63675cb0c6f81066e7e2d0",
  },
  {
    name: "M",
    protocol: 50,
    spi: 0x4321,
    sequence: 8,
    ...transport,
    encryption: "aes",
    encryptionKey: "90d382b410eeba7ad938c46cec1a82bf",
    iv: "69d08df7d203329db093fc4924e5bd80",
    more: { udpPort: 4500 },
    plain: Q,
    secured:
      "4500005408fe00004011f9e2c0a87b03c0a87b641194119400400000000043210000000869d08df7d203329db093fc4924e5bd80f51995881ec4e0c4488987ce742e8109689bb379d2d750c0d915dca346a89f75",
  },
];

/** AEAD packets of draft-mcgrew-gcm-test-01 without ESN: ESP alone, from SPI to ICV. The data includes the ESP trailer. */
export const GCM_VECTORS = [
  {
    name: "gcm-2",
    encryption: "aes-gcm",
    key: "feffe9928665731c6d6a8f9467308308cafebabe",
    iv: "facedbaddecaf888",
    spi: 0xa5f8,
    sequence: 10,
    data:
      "4500003e698f000080114dccc0a80102c0a801010a980035002a2343b2d001000001000000000000037369700963796265726369747902646b00000100010001",
    ciphertext:
      "deb22cd9b07c72c16e3a65beeb8df304a5a5897d33ae530f1ba76d5d114d2a5c3de81827c10e9a4f51330d0eec416642cfbb85a5b47e48a4ec3b9ba95d918bd1",
    icv: "83b70d3aa8bc6ee4c309e9d85a41ad4a",
  },
  {
    name: "gcm-3",
    encryption: "aes-gcm",
    key: "abbccddef00112233445566778899aababbccddef00112233445566778899aab11223344",
    iv: "0102030405060708",
    spi: 0x4a2cbfe3,
    sequence: 2,
    data: "4500003069a6400080062690c0a801029389155e0a9e008b2dc57ee0000000007002400020bf0000020405b40101040201020201",
    ciphertext:
      "ff425c9b724599df7a3bcd510194e00d6a78107f1b0b1cbf06efae9d65a5d763748a637985771d347f0545659f14e99def842d8e",
    icv: "b335f4eecfdbf831824b4c4915956c96",
  },
  {
    name: "gcm-4",
    encryption: "aes-gcm",
    key: "feffe9928665731c6d6a8f9467308308feffe9928665731ccafebabe",
    iv: "facedbaddecaf888",
    spi: 0xa5f8,
    sequence: 10,
    data: "45000028a4ad4000400678800a01038f0a010612802306b8cb712602dd6bb03e501016d075680001",
    ciphertext: "a5b1f8066029aea40e598b8122de02420938b3ab33f828e687b8858b5bfbdbd0315b27452144cc77",
    icv: "95457b9652037f5318027b5b4cd7a636",
  },
  {
    name: "gcm-5",
    encryption: "aes-gcm",
    key: "7d773d00c144c525ac619d18c84a3f47d9664267",
    iv: "43457e9182443bc6",
    spi: 0x335467ae,
    sequence: 0xffffffff,
    data: "01020201",
    ciphertext: "437f866b",
    icv: "cb3f699fe9b0822bac961c4504bef270",
  },
  {
    name: "gmac",
    encryption: "aes-gmac",
    key: "4c80cdefbb5d10da906ac73c3613a63422433c64",
    iv: "0000000000000000",
    spi: 0x4321,
    sequence: 7,
    data: "45000030da3a00008001df3bc0a80005c0a800010800c6cd020007006162636465666768696a6b6c6d6e6f707172737401020201",
    ciphertext:
      "45000030da3a00008001df3bc0a80005c0a800010800c6cd020007006162636465666768696a6b6c6d6e6f707172737401020201",
    icv: "f2a9a836e155106aa8dcd618e4099aaa",
  },
] as const;

/** What AH hands to the MAC for packets N and O: mutable fields zero, the routing header as the receiver sees it. */
export const MAC_INPUTS = {
  N: "4800005408fe000000330000c0a87b03c0a87b649404000000000000000000000104000000002005000000010000000000000000000000000800b5e8a80a0500a69c083d0b660e00777777777777777777777777",
  O: "600000000048000020010db800000000000000000000000120010db80000000000000000000000022b003e0200000100330200000000000020010db800000000000000000000000a3a0400000000200600000001000000000000000000000000800092a8000100016162636465666768",
} as const;
