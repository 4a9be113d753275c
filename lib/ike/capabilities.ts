/** What the two sides can beyond RFC 2409, told by vendor IDs. @module */
import { capabilityOf, OUR_VENDOR_IDS } from "../isakmp/vendor_ids.ts";
import type { Bytes } from "../octets/bytes.ts";
import { xauthRole } from "./authentication.ts";
import type { Phase1Sa } from "./state.ts";

/** Vendor IDs that we send: all as initiator; as responder those that answer the peer's. */
export function ourVendorIds(sa: Phase1Sa): Bytes[] {
  const { peer, role, capabilities, nat } = sa;
  const ids: Bytes[] = [];
  if (peer.natTraversal && role === "initiator") {
    ids.push(OUR_VENDOR_IDS.natRfc3947, OUR_VENDOR_IDS.natDraft03, OUR_VENDOR_IDS.natDraft02);
  } else if (nat) {
    ids.push(
      nat.version === "rfc"
        ? OUR_VENDOR_IDS.natRfc3947
        : capabilities.has("nat-draft-03")
        ? OUR_VENDOR_IDS.natDraft03
        : OUR_VENDOR_IDS.natDraft02,
    );
  }
  ids.push(OUR_VENDOR_IDS.dpd);
  if (peer.fragmentation) ids.push(OUR_VENDOR_IDS.fragmentation);
  const usesXauth = peer.xauth !== undefined || (sa.terms && xauthRole(sa.terms.method) !== undefined);
  if (usesXauth) ids.push(OUR_VENDOR_IDS.xauth);
  if (usesXauth || peer.modeConfig) ids.push(OUR_VENDOR_IDS.unity);
  return ids;
}

/** Notes what the peer's vendor IDs announce, and which NAT traversal both know. */
export function noteVendorIds(sa: Phase1Sa, bodies: readonly Bytes[]): void {
  for (const body of bodies) {
    const capability = capabilityOf(body);
    if (capability) sa.capabilities.add(capability);
  }
  if (!sa.peer.natTraversal || sa.nat) return;
  const has = (capability: Parameters<typeof sa.capabilities.has>[0]) => sa.capabilities.has(capability);
  const version = has("nat-rfc3947") ? "rfc" : has("nat-draft-03") || has("nat-draft-02") ? "draft" : undefined;
  if (version) {
    sa.nat = { version, localBehind: false, remoteBehind: false, forced: sa.peer.forceEncapsulation };
  }
}
