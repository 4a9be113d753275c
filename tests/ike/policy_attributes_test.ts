// Action attributes: the values of isakmpd.policy(5), written out.
import { assertEquals } from "@std/assert";
import { authenticatorByAhTransform, AUTHENTICATORS, cipherByEspTransform } from "../../lib/crypto/algorithms.ts";
import {
  paddedAddress,
  POLICY_ATTRIBUTES,
  policyAttributes,
  type ProposalFacts,
  type ProtocolFacts,
} from "../../lib/ike/policy_attributes.ts";
import { parseAddress, parsePrefix } from "../../lib/ip/address.ts";
import { addressId, type Identification, subnetId, textId } from "../../lib/isakmp/identification.ts";
import { AH_TRANSFORM, ENCAPSULATION_MODE, ESP_TRANSFORM, ID_TYPE, PROTOCOL_ID } from "../../lib/isakmp/numbers.ts";
import { encodeText } from "../../lib/octets/bytes.ts";

const hmac = (name: string) => AUTHENTICATORS.find((row) => row.keynote === name)!;
const esp: ProtocolFacts = {
  protocol: PROTOCOL_ID.IPSEC_ESP,
  cipher: cipherByEspTransform(ESP_TRANSFORM["3DES"]),
  authenticator: hmac("hmac-md5"),
  encapsulation: ENCAPSULATION_MODE.TUNNEL,
  group: 2,
  lifeSeconds: 1200,
  lifeKilobytes: 5000,
};
const facts: ProposalFacts = {
  initiator: true,
  exchange: "ID_PROT",
  phase1Group: 1,
  protocols: [esp],
  remoteId: textId("FQDN", "gw.worksite.se"),
  localClient: subnetId(parsePrefix("192.168.1.0/24")),
  remoteClient: addressId(parseAddress("192.168.2.7"), 6, 80),
  localAddress: parseAddress("10.0.0.1"),
  remoteAddress: parseAddress("10.0.0.2"),
  now: new Date(Date.UTC(2000, 11, 31, 23, 59, 58)),
};

Deno.test("an ESP proposal has exactly these attributes", () => {
  const { LocalTimeOfDay, ...attributes } = policyAttributes(facts);
  assertEquals(/^(2000123[01]|20010101)\d{6}$/.test(LocalTimeOfDay), true);
  assertEquals(attributes, {
    app_domain: "IPsec policy",
    doi: "ipsec",
    initiator: "yes",
    phase_1: "main",
    phase1_group_desc: "1",
    pfs: "yes",
    ah_present: "no",
    esp_present: "yes",
    esp_encapsulation: "tunnel",
    esp_life_seconds: "1200",
    esp_life_kbytes: "5000",
    esp_group_desc: "2",
    esp_ecn: "no",
    esp_auth_alg: "hmac-md5",
    esp_key_length: "",
    esp_key_rounds: "",
    esp_enc_alg: "3des",
    comp_present: "no",
    remote_id: "gw.worksite.se",
    remote_id_type: "FQDN",
    remote_id_port: "0",
    remote_id_proto: "0",
    remote_filter: "192.168.002.007",
    remote_filter_type: "IPv4 address",
    remote_filter_addr_lower: "192.168.002.007",
    remote_filter_addr_upper: "192.168.002.007",
    remote_filter_port: "80",
    remote_filter_proto: "tcp",
    local_filter: "192.168.001.000-192.168.001.255",
    local_filter_type: "IPv4 subnet",
    local_filter_addr_lower: "192.168.001.000",
    local_filter_addr_upper: "192.168.001.255",
    local_filter_port: "0",
    local_filter_proto: "0",
    remote_negotiation_address: "010.000.000.002",
    local_negotiation_address: "010.000.000.001",
    remote_ike_address: "010.000.000.002",
    local_ike_address: "010.000.000.001",
    GMTTimeOfDay: "20001231235958",
  });
});

Deno.test("every attribute that is set is a known one", () => {
  const all = [PROTOCOL_ID.IPSEC_AH, PROTOCOL_ID.IPSEC_ESP, PROTOCOL_ID.IPCOMP].map((protocol) => ({
    ...esp,
    protocol,
  }));
  for (const name of Object.keys(policyAttributes({ ...facts, protocols: all }))) {
    assertEquals(POLICY_ATTRIBUTES.includes(name), true, name);
  }
  assertEquals(new Set(POLICY_ATTRIBUTES).size, POLICY_ATTRIBUTES.length);
});

Deno.test("AH, aggressive mode, the responder, no PFS, no lives, transport mode", () => {
  const ah: ProtocolFacts = {
    protocol: PROTOCOL_ID.IPSEC_AH,
    authenticator: authenticatorByAhTransform(AH_TRANSFORM.SHA),
    encapsulation: ENCAPSULATION_MODE.TRANSPORT,
    keyBits: 160,
    lifeSeconds: 0,
    lifeKilobytes: 0,
  };
  const attributes = policyAttributes({ ...facts, initiator: false, exchange: "AGGRESSIVE", protocols: [ah] });
  const { initiator, phase_1, pfs, esp_present, ah_present, ah_hash_alg, ah_auth_alg, ah_encapsulation } = attributes;
  assertEquals([initiator, phase_1, pfs], ["no", "aggressive", "no"]);
  assertEquals([esp_present, ah_present, ah_hash_alg, ah_auth_alg], ["no", "yes", "sha", "hmac-sha"]);
  assertEquals([ah_encapsulation, attributes.ah_key_length], ["transport", "160"]);
  assertEquals([attributes.ah_life_seconds, attributes.ah_life_kbytes, attributes.ah_group_desc], ["", "", ""]);
});

Deno.test("UDP encapsulation counts as the mode that it carries", () => {
  const mode = (encapsulation: number) =>
    policyAttributes({ ...facts, protocols: [{ ...esp, encapsulation }] }).esp_encapsulation;
  assertEquals(mode(ENCAPSULATION_MODE.UDP_ENCAP_TUNNEL), "tunnel");
  assertEquals(mode(ENCAPSULATION_MODE.UDP_ENCAP_TUNNEL_DRAFT), "tunnel");
  assertEquals(mode(ENCAPSULATION_MODE.UDP_ENCAP_TRANSPORT), "transport");
});

Deno.test("each kind of ID has its words", () => {
  const of = (type: number, data: Uint8Array, protocol = 0, port = 0) => {
    const id = { type, data, protocol, port } as Identification;
    const a = policyAttributes({ ...facts, remoteId: id }, () => "/C=SE/CN=x");
    return [a.remote_id_type, a.remote_id ?? "", a.remote_id_addr_lower ?? "", a.remote_id_addr_upper ?? ""];
  };
  const v6 = (text: string) => parseAddress(text).octets;
  const v4 = (...octets: number[]) => Uint8Array.from(octets);
  assertEquals(of(ID_TYPE.IPV4_ADDR, v4(10, 128, 1, 12)), [
    "IPv4 address",
    "010.128.001.012",
    "010.128.001.012",
    "010.128.001.012",
  ]);
  assertEquals(of(ID_TYPE.IPV4_ADDR_RANGE, v4(10, 0, 0, 1, 10, 0, 0, 9)), [
    "IPv4 range",
    "010.000.000.001-010.000.000.009",
    "010.000.000.001",
    "010.000.000.009",
  ]);
  assertEquals(of(ID_TYPE.IPV4_ADDR_SUBNET, v4(10, 1, 0, 0, 255, 255, 0, 0))[1], "010.001.000.000-010.001.255.255");
  assertEquals(of(ID_TYPE.IPV6_ADDR, v6("2001:db8::1"))[1], "2001:0db8:0000:0000:0000:0000:0000:0001");
  assertEquals(of(ID_TYPE.IPV6_ADDR_RANGE, Uint8Array.from([...v6("::1"), ...v6("::f")])).slice(0, 2), [
    "IPv6 range",
    `${paddedAddress(parseAddress("::1"))}-${paddedAddress(parseAddress("::f"))}`,
  ]);
  const mask = [...new Array(4).fill(255), ...new Array(12).fill(0)];
  assertEquals(of(ID_TYPE.IPV6_ADDR_SUBNET, Uint8Array.from([...v6("2001:db8::"), ...mask])).slice(0, 1), [
    "IPv6 subnet",
  ]);
  assertEquals(of(ID_TYPE.USER_FQDN, encodeText("joe@x.se")).slice(0, 2), ["User FQDN", "joe@x.se"]);
  assertEquals(of(ID_TYPE.DER_ASN1_DN, v4(0x30, 0)).slice(0, 2), ["ASN1 DN", "/C=SE/CN=x"]);
  assertEquals(of(ID_TYPE.KEY_ID, encodeText("vpn group")).slice(0, 2), ["Key ID", "vpn group"]);
  assertEquals(of(ID_TYPE.KEY_ID, v4(0, 255)).slice(0, 2), ["Key ID", "00ff"]);
  assertEquals(of(ID_TYPE.IPV4_ADDR, v4(10, 0)), ["IPv4 address", "", "", ""]); // malformed: says nothing
  assertEquals(of(ID_TYPE.IPV4_ADDR_SUBNET, v4(10, 0, 0, 0, 255, 0, 255, 0)), ["IPv4 subnet", "", "", ""]);
  assertEquals(of(99, v4(1)), ["", "", "", ""]);
});

Deno.test("protocols of filters have their names or numbers", () => {
  const of = (protocol: number) =>
    policyAttributes({ ...facts, remoteClient: addressId(parseAddress("10.0.0.9"), protocol) }).remote_filter_proto;
  assertEquals([6, 17, 97, 1, 0].map(of), ["tcp", "udp", "etherip", "1", "0"]);
});

Deno.test("without client IDs the filters are the two hosts, port and protocol empty", () => {
  const a = policyAttributes({ ...facts, localClient: undefined, remoteClient: undefined });
  assertEquals([a.local_filter, a.local_filter_type, a.local_filter_port, a.local_filter_proto], [
    "010.000.000.001",
    "IPv4 address",
    "",
    "",
  ]);
  assertEquals([a.remote_filter, a.remote_filter_addr_upper], ["010.000.000.002", "010.000.000.002"]);
});

Deno.test("padded addresses are ordered as text as they are as numbers", () => {
  const addresses = ["9.255.0.1", "10.0.0.2", "10.0.0.11", "10.0.0.100", "192.168.1.1"];
  const texts = addresses.map((text) => paddedAddress(parseAddress(text)));
  assertEquals([...texts].sort(), texts);
});
