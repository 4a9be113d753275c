import { assert, assertEquals, assertThrows } from "@std/assert";
import { parseAddress } from "../../lib/ip/address.ts";
import { PROTOCOL, type SaParameters } from "../../lib/ipsec/types.ts";
import { bench, counting, ipPacket } from "./support.ts";

const AES = { encryption: "aes", encryptionKey: counting(0, 16) };
const SHA1 = { authentication: "sha1", authenticationKey: counting(0, 20) };
const AH = PROTOCOL.AH;

Deno.test("What does not go together is refused, with the reason", () => {
  const b = bench();
  const refused: [Partial<SaParameters>, string][] = [
    [{ ...AES, spi: 0 }, "SPI 0"],
    [{ ...AES, spi: 2 ** 32 }, "SPI 4294967296"],
    [{ ...AES, source: parseAddress("::1") }, "different families"],
    [{ ...AES, destination: parseAddress("0.0.0.0") }, "no destination"],
    [{ protocol: PROTOCOL.IPIP, ...SHA1 }, "IP-in-IP"],
    [{ protocol: AH, ...AES, ...SHA1 }, "does not encrypt"],
    [{ protocol: AH }, "AH without"],
    [{ protocol: AH, authentication: "rot13" }, '"rot13"'],
    [{ protocol: AH, oldHeader: true, authentication: "rmd160" }, "rmd160 with old ah"],
    [{ protocol: AH, ...SHA1, udpPort: 4500 }, "AH in UDP"],
    [{ encryption: "rot13" }, '"rot13"'],
    [{ oldHeader: true, encryption: "blf", encryptionKey: counting(0, 16) }, "blf with old ESP"],
    [{ oldHeader: true, encryption: "des", ...SHA1 }, "authentication with old ESP"],
    [{ ...AES, halfIv: true }, "32-bit IV"],
    [{ ...AES, authentication: "rot13" }, '"rot13"'],
    [{ ...AES, authentication: "keyed-md5" }, "keyed-md5 with ESP"],
    [{ encryption: "aes-gcm", encryptionKey: counting(0, 20), ...SHA1 }, "separate authentication"],
    [{ encryption: "null" }, "neither"],
    [{}, "neither"],
    [{ encryption: "aesctr", encryptionKey: counting(0, 20) }, "aesctr without authentication"],
  ];
  for (const [parameters, text] of refused) {
    const error = assertThrows(() => b.sa(parameters), RangeError);
    assert(error.message.includes(text), `${error.message} should say ${text}`);
  }
});

Deno.test("A key of a wrong length, a weak or a missing one is refused; no octet of it is in the message", () => {
  const b = bench();
  const refused: Partial<SaParameters>[] = [
    { encryption: "aes", encryptionKey: new Uint8Array(17).fill(0xab), ...SHA1 },
    { encryption: "aes", ...SHA1 },
    { encryption: "3des", encryptionKey: new Uint8Array(24).fill(0xab), ...SHA1 },
    { encryption: "aes-gcm", encryptionKey: new Uint8Array(16).fill(0xab) },
    { ...AES, authentication: "sha1", authenticationKey: new Uint8Array(19).fill(0xab) },
    { protocol: AH, authentication: "aes-gmac", authenticationKey: new Uint8Array(16).fill(0xab) },
  ];
  for (const parameters of refused) {
    const error = assertThrows(() => b.sa(parameters), RangeError, "key");
    assert(!/ab|171/.test(error.message), error.message);
  }
});

Deno.test("An SA keeps its own copy of the keys and erases it at the end; it passes nothing afterwards", () => {
  const b = bench();
  const encryptionKey = counting(1, 16);
  const authenticationKey = counting(1, 20);
  const sa = b.sa({ encryption: "aes", encryptionKey, authentication: "sha1", authenticationKey });
  const twin = b.sa({ encryption: "aes", encryptionKey, authentication: "sha1", authenticationKey });
  encryptionKey.fill(0);
  authenticationKey.fill(0);
  const packet = ipPacket({ source: "10.0.0.1", destination: "10.0.0.2" });
  b.wrap(sa, packet);
  const secured = b.octets();
  const keys = [sa.parameters.encryptionKey!, sa.parameters.authenticationKey!];
  assert(keys.every((key) => key.some((octet) => octet !== 0)));
  sa[Symbol.dispose]();
  assert(keys.every((key) => key.every((octet) => octet === 0)));
  assertEquals(b.wrap(sa, packet), "expired");
  assertEquals(b.unwrap(sa, secured), "expired");
  assertEquals(b.unwrap(twin, secured).length, 2 * packet.length);
});

Deno.test("An SA says whether it authenticates and encrypts, and who it is", () => {
  const b = bench();
  const facts = (parameters: Partial<SaParameters>) => {
    const sa = b.sa(parameters);
    return [sa.authenticates, sa.encrypts];
  };
  assertEquals(facts({ ...AES, ...SHA1 }), [true, true]);
  assertEquals(facts(AES), [false, true]);
  assertEquals(facts({ encryption: "aes-gcm", encryptionKey: counting(0, 20) }), [true, true]);
  assertEquals(facts({ encryption: "aes-gmac", encryptionKey: counting(0, 20) }), [true, false]);
  assertEquals(facts({ encryption: "null", ...SHA1 }), [true, false]);
  assertEquals(facts(SHA1), [true, false], "no cipher named: authentication alone");
  assertEquals(facts({ protocol: AH, ...SHA1 }), [true, false]);
  assertEquals(facts({ protocol: PROTOCOL.IPIP }), [false, false]);
  assertEquals(`${b.sa({ ...AES, spi: 0xfedcba98 })}`, "esp 0xfedcba98 to 10.0.0.2");
});

Deno.test("Without authentication there is no replay window, whatever was asked for", () => {
  const b = bench();
  const windowOf = (parameters: Partial<SaParameters>) => {
    const sa = b.sa(parameters);
    sa.open();
    return sa.replay?.size;
  };
  assertEquals(windowOf({ ...AES, replayWindow: 64 }), undefined);
  assertEquals(windowOf({ ...AES, ...SHA1, replayWindow: 64 }), 64);
  assertEquals(windowOf({ ...AES, ...SHA1, replayWindow: 0 }), undefined);
  assertEquals(windowOf({ protocol: AH, oldHeader: true, ...SHA1, replayWindow: 64 }), undefined);
});

Deno.test("An SA makes its contexts with its first packet, and none once it is over", () => {
  const b = bench();
  const sa = b.sa({ ...AES, ...SHA1 });
  assertEquals([sa.cipher, sa.mac], [null, null]);
  b.wrap(sa, ipPacket({ source: "10.0.0.1", destination: "10.0.0.2", protocol: 17 }));
  assertEquals([sa.cipher !== null, sa.mac !== null], [true, true]);
  const unused = b.sa({ ...AES, ...SHA1 });
  unused[Symbol.dispose]();
  assertThrows(() => unused.open(), Error, "erased");
});
