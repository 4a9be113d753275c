import { assertEquals } from "@std/assert";
import { udpPacket } from "../../lib/daemon/packet_log.ts";
import { espSecretLine, ikeSecretLine } from "../../lib/daemon/wireshark.ts";
import { parseAddress } from "../../lib/ip/address.ts";
import { addressId } from "../../lib/isakmp/identification.ts";
import { formatHex, parseHex } from "../../lib/octets/hex.ts";

const [a, b] = [parseAddress("10.0.0.1"), parseAddress("10.0.0.2")];

Deno.test("the secrets are rows of Wireshark's tables; AH has none", () => {
  assertEquals(ikeSecretLine(parseHex("0011223344556677"), parseHex("aabb")), "0011223344556677,aabb\n");
  const sa = {
    direction: "out",
    protocol: "esp",
    spi: 0x1000,
    source: a,
    destination: b,
    pair: 1,
    connection: "c",
    encryption: "aes",
    authentication: "sha2-256",
    encryptionKey: parseHex("0102"),
    authenticationKey: parseHex("0304"),
    tunnel: true,
    replayWindow: 16,
    soft: { seconds: 0, bytes: 0 },
    hard: { seconds: 0, bytes: 0 },
    localIdentity: addressId(a),
    remoteIdentity: addressId(b),
  } as const;
  assertEquals(
    espSecretLine(sa),
    '"IPv4","10.0.0.1","10.0.0.2","0x00001000","AES-CBC [RFC3602]","0x0102","HMAC-SHA-256-128 [RFC4868]","0x0304","32-bit"\n',
  );
  assertEquals(espSecretLine({ ...sa, protocol: "ah" }), undefined);
  assertEquals(
    espSecretLine({ ...sa, encryption: "aes-gcm", authentication: undefined, authenticationKey: undefined })?.includes(
      '"NULL",""',
    ),
    true,
  );
});

Deno.test("messages are logged as whole IP packets; on port 4500 the non-ESP marker is there again", () => {
  const plain = udpPacket({ address: a, port: 500 }, { address: b, port: 500 }, parseHex("0102"));
  assertEquals(formatHex(plain), "4500001e00004000401126cd0a0000010a00000201f401f4000ae6ed0102");
  const marked = udpPacket({ address: a, port: 4500 }, { address: b, port: 61000 }, parseHex("0102"));
  assertEquals(formatHex(marked.subarray(28)), "000000000102");
  const v6 = udpPacket(
    { address: parseAddress("fd00::1"), port: 500 },
    { address: parseAddress("fd00::2"), port: 500 },
    parseHex("01"),
  );
  assertEquals([v6[0] >> 4, v6[6], v6.length], [6, 17, 49]);
});
