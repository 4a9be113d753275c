import { assertEquals, assertThrows } from "@std/assert";
import { FilterError, parseFilter } from "../../lib/dump/filter.ts";
import { ah, EAST, ECHO_REQUEST, esp, ipPacket, seen, udp, WEST } from "./packets.ts";

const PACKETS = {
  esp: ipPacket(WEST, EAST, 50, esp(0x1000, 17)),
  back: ipPacket(EAST, WEST, 50, esp(0x1001, 3)),
  ah: ipPacket(WEST, EAST, 51, ah(1, 0x2000, 4, ECHO_REQUEST)),
  esp6: ipPacket("fd00:5::1", "fd00:25::9", 50, esp(0x1000, 1)),
  ike: udp(`${WEST}.500`, `${EAST}.500`, new Uint8Array(28)),
  natIke: udp(`${WEST}.4500`, `${EAST}.61000`, new Uint8Array(28)),
  natEsp: ipPacket(WEST, EAST, 17, Uint8Array.from([0x11, 0x94, 0x11, 0x94, 0, 124, 0, 0, ...esp(0x3000, 1)])),
  keepalive: ipPacket(WEST, EAST, 17, Uint8Array.from([0x11, 0x94, 0x11, 0x94, 0, 9, 0, 0, 0xff])),
  photuris: udp(`${WEST}.468`, `${EAST}.468`, new Uint8Array(33)),
  ping: ipPacket(WEST, EAST, 1, ECHO_REQUEST),
  dns: udp(`${WEST}.5353`, `${EAST}.53`, new Uint8Array(30)),
  frag: ipPacket(WEST, EAST, 50, esp(0, 0), 0x20b9),
} as const;
type Name = keyof typeof PACKETS;

/** The packets that an expression wants. */
function wanted(expression: string): Name[] {
  const filter = parseFilter(expression.split(" "));
  return (Object.keys(PACKETS) as Name[]).filter((name) => filter(seen(PACKETS[name])));
}

Deno.test("each word finds its packets", () => {
  const rows: Record<string, Name[]> = {
    esp: ["esp", "back", "esp6", "natEsp", "frag"],
    ah: ["ah"],
    "proto 50": ["esp", "back", "esp6", "frag"],
    "proto ah": ["ah"],
    isakmp: ["ike", "natIke"],
    photuris: ["photuris"],
    "udp port 500": ["ike"],
    "port ipsec-nat-t": ["natIke", "natEsp", "keepalive"],
    "dst port 61000": ["natIke"],
    "spi 0x1000": ["esp", "esp6"],
    "spi 8192": ["ah"],
    ip6: ["esp6"],
    icmp: ["ping"],
    frag: ["frag"],
    [`src host ${EAST}`]: ["back"],
    "net fd00::/16": ["esp6"],
    ipsec: ["esp", "back", "ah", "esp6", "ike", "natIke", "natEsp", "keepalive", "photuris", "frag"],
    "host 10.0.0.1": [],
  };
  for (const [expression, names] of Object.entries(rows)) assertEquals(wanted(expression), names, expression);
});

Deno.test("words are combined with and, or, not and parentheses; and may be left out", () => {
  assertEquals(wanted(`host ${WEST} and host ${EAST} and esp`), ["esp", "back", "natEsp", "frag"]);
  assertEquals(wanted(`${WEST} ${EAST} ah`), ["ah"]);
  assertEquals(wanted("spi 0x1001 or ah or udp port 53"), ["back", "ah", "dns"]);
  assertEquals(wanted("not ipsec"), ["ping", "dns"]);
  assertEquals(wanted("not (ipsec or icmp)"), ["dns"]);
  assertEquals(wanted(`(esp or ah) and src host ${EAST}`), ["back"]);
});

Deno.test("a mistake is told in one line, with the word at fault", () => {
  const rows: Record<string, string> = {
    espp: `no filter word "espp"; did you mean "esp"?; "ipsecbox help dump" lists them`,
    "host west": `Cannot parse address "west": an IPv4 or IPv6 address is needed`,
    "port 65536": `port "65536": a number from 0 to 65535 is needed`,
    "spi 0x123456789": `spi "0x123456789": a number from 0 to 4294967295 is needed`,
    "net 10.0.0.0/33": "Cannot use prefix length 33: 0 to 32 is allowed",
    "esp and": "a word is missing at the end of the filter",
    host: "an address is missing at the end of the filter",
    "(esp": `")" is missing at the end of the filter`,
    "esp )": `")" without "("`,
    "src esp": `an address is missing at the end of the filter`,
    "src esp x": `"src esp": host, net or port follows src`,
  };
  for (const [expression, message] of Object.entries(rows)) {
    assertEquals(assertThrows(() => parseFilter(expression.split(" ")), FilterError).message, message, expression);
  }
});
