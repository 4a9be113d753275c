import { assertEquals, assertThrows } from "@std/assert";
import { encodeRelayed, type RelayedDatagram, RelayReader } from "../../lib/daemon/ike_relay.ts";
import { parseAddress } from "../../lib/ip/address.ts";
import { concat } from "../../lib/octets/bytes.ts";
import { formatHex } from "../../lib/octets/hex.ts";
import { DecodeError } from "../../lib/octets/reader.ts";

const end = (text: string, port: number) => ({ address: parseAddress(text), port });
const datagram: RelayedDatagram = {
  kind: "ike",
  local: end("192.0.2.1", 4500),
  remote: end("198.51.100.7", 61234),
  octets: new Uint8Array([1, 2, 3]),
};
const keepalive: RelayedDatagram = {
  kind: "keepalive",
  local: end("2001:db8::1", 4500),
  remote: end("2001:db8::2", 4500),
  octets: new Uint8Array(0),
};

Deno.test("a relay frame is length, kind, version, both ends, datagram", () => {
  assertEquals(formatHex(encodeRelayed(datagram)), "00000011" + "0104" + "c00002011194" + "c6336407ef32" + "010203");
});

Deno.test("relay frames survive any cutting of the stream", () => {
  const stream = concat(encodeRelayed(datagram), encodeRelayed(keepalive), encodeRelayed(datagram));
  for (let piece = 1; piece <= stream.length; piece++) {
    const reader = new RelayReader();
    const seen: RelayedDatagram[] = [];
    for (let at = 0; at < stream.length; at += piece) seen.push(...reader.push(stream.subarray(at, at + piece)));
    assertEquals(seen, [datagram, keepalive, datagram]);
  }
});

Deno.test("a relay stream with an impossible length, kind, version or a short frame is refused", () => {
  for (const hex of [[0, 1, 0, 38], [0, 0, 0, 2, 3, 4], [0, 0, 0, 2, 1, 5], [0, 0, 0, 3, 1, 4, 9]]) {
    assertThrows(() => new RelayReader().push(new Uint8Array(hex)), DecodeError);
  }
});
