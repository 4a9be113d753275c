import { assertEquals, assertThrows } from "@std/assert";
import { parseAddress, parsePrefix } from "../../lib/ip/address.ts";
import {
  addressId,
  describeId,
  distinguishedNameId,
  equalSelector,
  faultOfId,
  formatId,
  sameIdentity,
  selectorId,
  selectorOf,
  subnetId,
  textId,
  withinSelector,
} from "../../lib/isakmp/identification.ts";
import { ID_TYPE } from "../../lib/isakmp/numbers.ts";
import { parseHex } from "../../lib/octets/hex.ts";

const id = (type: number, hex: string, protocol = 0, port = 0) => ({ type, protocol, port, data: parseHex(hex) });

Deno.test("IDs are written as addresses, networks, ranges and text", () => {
  assertEquals(describeId(addressId(parseAddress("192.0.2.1"))), "IPV4_ADDR 192.0.2.1");
  assertEquals(describeId(subnetId(parsePrefix("2001:db8::/32"))), "IPV6_ADDR_SUBNET 2001:db8::/32");
  assertEquals(describeId(textId("USER_FQDN", "a@b")), "USER_FQDN a@b");
  assertEquals(formatId(id(ID_TYPE.IPV4_ADDR_RANGE, "0a0000010a000009")), "10.0.0.1-10.0.0.9");
  assertEquals(formatId(id(ID_TYPE.KEY_ID, "00ff")), "00ff");
  assertEquals(formatId(id(ID_TYPE.IPV4_ADDR_SUBNET, "0a000000ff00ff00")), "10.0.0.0/255.0.255.0");
  assertEquals(
    describeId(addressId(parseAddress("192.0.2.1"), 17, 500)),
    "IPV4_ADDR 192.0.2.1 (protocol 17, port 500)",
  );
});

Deno.test("selectors: an address, a network, a range that is a network; single addresses go as addresses", () => {
  const net = selectorOf(id(ID_TYPE.IPV4_ADDR_SUBNET, "c0a80100ffffff00", 6, 80));
  assertEquals(net, { prefix: parsePrefix("192.168.1.0/24"), protocol: 6, port: 80 });
  assertEquals(selectorOf(selectorId(net)), net);
  assertEquals(equalSelector(selectorOf(id(ID_TYPE.IPV4_ADDR_RANGE, "c0a80100c0a801ff", 6, 80)), net), true);
  const host = selectorOf(id(ID_TYPE.IPV4_ADDR_SUBNET, "c0a80101ffffffff"));
  assertEquals(selectorId(host).type, ID_TYPE.IPV4_ADDR);
  assertEquals(equalSelector(host, selectorOf(id(ID_TYPE.IPV4_ADDR, "c0a80101"))), true);
});

Deno.test("what cannot be a selector is refused", () => {
  for (
    const bad of [
      id(ID_TYPE.IPV4_ADDR_SUBNET, "c0a80100ff00ff00"),
      id(ID_TYPE.IPV4_ADDR_RANGE, "0a0000010a000009"),
      id(ID_TYPE.FQDN, "6161"),
      id(ID_TYPE.IPV4_ADDR, "0a0000"),
      id(ID_TYPE.LIST, "00"),
    ]
  ) assertThrows(() => selectorOf(bad), RangeError, "Cannot use");
});

Deno.test("a selector lies within another when address, protocol and port do", () => {
  const selector = (prefix: string, protocol = 0, port = 0) => ({ prefix: parsePrefix(prefix), protocol, port });
  assertEquals(withinSelector(selector("10.0.0.0/8"), selector("10.1.0.0/16", 6, 80)), true);
  assertEquals(withinSelector(selector("10.0.0.0/8", 6), selector("10.1.0.0/16")), false);
  assertEquals(withinSelector(selector("10.1.0.0/16"), selector("10.0.0.0/8")), false);
  assertEquals(withinSelector(selector("0.0.0.0/0"), selector("2001:db8::/32")), false);
});

Deno.test("identities: names ignore case, types and protocols do not mix", () => {
  assertEquals(sameIdentity(textId("FQDN", "GW.example.org"), textId("FQDN", "gw.EXAMPLE.org")), true);
  assertEquals(sameIdentity(textId("FQDN", "a@b"), textId("USER_FQDN", "a@b")), false);
  assertEquals(sameIdentity(addressId(parseAddress("::1"), 17, 500), addressId(parseAddress("::1"))), true);
  assertEquals(faultOfId(id(ID_TYPE.IPV6_ADDR, "00")), "IPV6_ADDR of 1 octets, 16 needed");
  assertEquals(faultOfId(id(ID_TYPE.FQDN, "")), "FQDN without data");
});

Deno.test("a distinguished name is written in one line, and equal names are one identity however they are encoded", () => {
  const name = distinguishedNameId("/C=SE/O=MySite/CN=gw.mysite.se");
  assertEquals(describeId(name), "DER_ASN1_DN /C=SE/O=MySite/CN=gw.mysite.se");
  assertEquals(sameIdentity(name, distinguishedNameId("/c=SE/O=mysite/CN=GW.mysite.se")), true);
  assertEquals(sameIdentity(name, distinguishedNameId("/C=SE/O=MySite/CN=gw2.mysite.se")), false);
  const broken = id(ID_TYPE.DER_ASN1_DN, "3005");
  assertEquals([formatId(broken), sameIdentity(broken, broken), sameIdentity(broken, name)], ["3005", true, false]);
});
