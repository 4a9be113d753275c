import { assertEquals } from "@std/assert";
import { parseAddress } from "../../lib/ip/address.ts";
import { DROP } from "../../lib/ipsec/packet.ts";
import type { SaParameters } from "../../lib/ipsec/types.ts";
import { parseHex } from "../../lib/octets/hex.ts";
import { GCM_VECTORS, MAC_INPUTS, PACKET_VECTORS, type PacketVector } from "../vectors/ipsec_packets.ts";
import { BACKENDS } from "./backends.ts";
import { bench } from "./support.ts";

const key = (hex: string | undefined) => hex === undefined ? undefined : parseHex(hex);

function parametersOf(vector: PacketVector): Partial<SaParameters> {
  return {
    protocol: vector.protocol,
    spi: vector.spi,
    source: parseAddress(vector.source),
    destination: parseAddress(vector.destination),
    tunnel: vector.tunnel ?? false,
    encryption: vector.encryption,
    encryptionKey: key(vector.encryptionKey),
    authentication: vector.authentication,
    authenticationKey: key(vector.authenticationKey),
    ...vector.more,
  };
}

for (const { name: backend, make } of BACKENDS) {
  for (const vector of PACKET_VECTORS) {
    Deno.test(`Packet ${vector.name} comes out octet for octet (${backend})`, () => {
      const b = bench({ crypto: make, random: vector.iv ?? "00", identification: vector.identification });
      using sa = b.sa(parametersOf(vector));
      sa.sequence = (vector.sequence ?? 1) - 1;
      assertEquals(b.wrap(sa, vector.plain), vector.secured);
      assertEquals(sa.sequence, vector.more?.oldHeader ? 0 : vector.sequence ?? 1);
    });

    Deno.test(`Packet ${vector.name} is accepted as input (${backend})`, () => {
      const b = bench({ crypto: make });
      using sa = b.sa({ ...parametersOf(vector), replayWindow: 64 });
      assertEquals(b.unwrap(sa, vector.secured), vector.plain);
      if (sa.replay) assertEquals(b.unwrap(sa, vector.secured), "replayDuplicate");
    });
  }

  for (const vector of GCM_VECTORS) {
    Deno.test(`ESP of draft-mcgrew-gcm-test, ${vector.name}, both ways (${backend})`, () => {
      const b = bench({ crypto: make, random: vector.iv });
      using sa = b.sa({ encryption: vector.encryption, encryptionKey: parseHex(vector.key), spi: vector.spi });
      const data = parseHex(vector.data);
      const espAt = b.packetAt;
      const dataAt = espAt + 16;
      const icvAt = dataAt + data.length;
      b.arena.view.setUint32(espAt, vector.spi);
      b.arena.view.setUint32(espAt + 4, vector.sequence);
      b.arena.u8.set(data, dataAt);
      sa.open();
      sa.protection.protect(b.arena.view, sa, espAt, dataAt, icvAt);
      assertEquals(b.arena.u8.slice(dataAt - 8, icvAt + 16), parseHex(vector.iv + vector.ciphertext + vector.icv));
      assertEquals(sa.protection.unprotect(b.arena.view, sa, espAt, dataAt, icvAt), DROP.none);
      assertEquals(b.arena.u8.slice(dataAt, icvAt), data);
    });
  }
}

for (const name of ["N", "O"] as const) {
  Deno.test(`AH gives the MAC of packet ${name} the octets of RFC 2402 3.3.3`, () => {
    const vector = PACKET_VECTORS.find((vector) => vector.name === name)!;
    const b = bench();
    using sa = b.sa(parametersOf(vector));
    sa.open();
    let seen = new Uint8Array();
    const spy = {
      ...sa.mac!,
      compute: (at: number, octets: number) => seen = b.arena.u8.slice(at, at + octets),
    };
    Object.defineProperty(sa, "mac", { value: spy });
    assertEquals(b.wrap(sa, vector.plain).length, vector.secured.length);
    assertEquals(seen, parseHex(MAC_INPUTS[name]));
  });
}
