/** Vendor IDs: octets by which implementations announce what they can (RFC 2408 3.16). @module */
import { type Bytes, equal } from "../octets/bytes.ts";
import { parseHex } from "../octets/hex.ts";

/** What a vendor ID tells us; `informative` ones only name the implementation. */
export type Capability =
  | "nat-rfc3947"
  | "nat-draft-03"
  | "nat-draft-02"
  | "dpd"
  | "xauth"
  | "fragmentation"
  | "unity"
  | "informative";

/** One vendor ID; received octets match when they begin with `octets`, and are the same length unless `suffix`. */
export interface VendorId {
  readonly name: string;
  readonly octets: Bytes;
  readonly capability: Capability;
  /** A version or a set of capabilities may follow. */
  readonly suffix?: boolean;
}

const row = (name: string, hex: string, capability: Capability, suffix = false): VendorId => ({
  name,
  octets: parseHex(hex),
  capability,
  suffix,
});

// Most are the MD5 hash of a text, which is the name here unless it says otherwise.
export const VENDOR_IDS: readonly VendorId[] = [
  row("RFC 3947", "4a131c81070358455c5728f20e95452f", "nat-rfc3947"),
  row("draft-ietf-ipsec-nat-t-ike-03", "7d9419a65310ca6f2c179d9215529d56", "nat-draft-03"),
  row("draft-ietf-ipsec-nat-t-ike-02", "cd60464335df21f87cfdb2fc68b6a448", "nat-draft-02"),
  row("draft-ietf-ipsec-nat-t-ike-02\\n", "90cb80913ebb696e086381b5ec427b1f", "nat-draft-02"),
  row("draft-ietf-ipsec-nat-t-ike-01", "16f6ca16e4a4066d83821a0f0aeaa862", "informative"),
  row("draft-ietf-ipsec-nat-t-ike-00", "4485152d18b6bbcd0be8a8469579ddcc", "informative"),
  row("draft-ietf-ipsec-nat-t-ike", "4df37928e9fc4fd1b3262170d515c662", "informative"),
  row("draft-ietf-ipsec-nat-t-ike-04", "9909b64eed937c6573de52ace952fa6b", "informative"),
  row("draft-ietf-ipsec-nat-t-ike-05", "80d0bb3def54565ee84645d4c85ce3ee", "informative"),
  row("draft-ietf-ipsec-nat-t-ike-06", "4d1e0e136deafa34c4f3ea9f02ec7285", "informative"),
  row("draft-ietf-ipsec-nat-t-ike-07", "439b59f8ba676c4c7737ae22eab8f582", "informative"),
  row("draft-ietf-ipsec-nat-t-ike-08", "8f8d83826d246b6fc7a8a6a428c11de8", "informative"),
  row("DPD 1.0, RFC 3706", "afcad71368a1f1c96b8696fc77570100", "dpd"),
  row("draft-ietf-ipsra-isakmp-xauth-06", "09002689dfd6b712", "xauth"),
  row("FRAGMENTATION", "4048b7d56ebce88525e7de7f00d6c2d3", "fragmentation", true),
  row("CISCO-UNITY", "12f5f28c457168a9702d9fe274cc0100", "unity"),
  row("strongSwan", "882fe56d6fd20dbc2251613b2ebe5beb", "informative"),
  row("KAME/racoon", "7003cbc1097dbe9c2600ba6983bc8b35", "informative"),
  row("MS NT5 ISAKMPOAKLEY", "1e2b516905991c7d7c96fcbfb587e461", "informative", true),
  row("OpenBSD-3.8", "243ea9b6b50fb587c89b8912a783421f", "informative"),
  row("OpenBSD-4.0", "6c0dcd481deae8ae0b0a68384b3072f9", "informative"),
  row("OpenBSD-6.3", "9826c552791aa1800ca6ff33aaf1e83b", "informative"),
];

/** Capabilities behind the fragmentation ID: IKE fragments in Main and Aggressive Mode. */
const FRAGMENTATION_BITS = 0x80;

/** The row of a received vendor ID. */
export function vendorOf(id: Uint8Array): VendorId | undefined {
  return VENDOR_IDS.find(({ octets, suffix }) =>
    suffix ? equal(id.subarray(0, octets.length), octets) : equal(id, octets)
  );
}

/** The name of a received vendor ID, undefined when it is unknown. */
export const vendorName = (id: Uint8Array): string | undefined => vendorOf(id)?.name;

/**
 * What a vendor ID announces. Fragmentation counts with no capability octets (Windows sends 16) or with the bit for Main
 * and Aggressive Mode set.
 */
export function capabilityOf(id: Uint8Array): Capability | undefined {
  const vendor = vendorOf(id);
  if (vendor?.capability !== "fragmentation" || id.length === vendor.octets.length) return vendor?.capability;
  return id[vendor.octets.length] & FRAGMENTATION_BITS ? "fragmentation" : "informative";
}

const named = (name: string) => VENDOR_IDS.find((vendor) => vendor.name === name)!.octets;

/** What we send for each capability; the fragmentation ID with its capability octets. */
export const OUR_VENDOR_IDS = {
  natRfc3947: named("RFC 3947"),
  natDraft03: named("draft-ietf-ipsec-nat-t-ike-03"),
  natDraft02: named("draft-ietf-ipsec-nat-t-ike-02\\n"),
  dpd: named("DPD 1.0, RFC 3706"),
  xauth: named("draft-ietf-ipsra-isakmp-xauth-06"),
  unity: named("CISCO-UNITY"),
  fragmentation: new Uint8Array([...named("FRAGMENTATION"), 0x80, 0, 0, 0]),
} as const;
