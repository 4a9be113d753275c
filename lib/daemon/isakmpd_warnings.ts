/** What isakmpd says of its certificates when it has read its files. @module */
import type { Peer } from "../ike/configuration.ts";
import { formatId } from "../isakmp/identification.ts";
import { IKE_ATTRIBUTE, IKE_AUTHENTICATION } from "../isakmp/numbers.ts";
import type { CertificateDirectories } from "./certificates.ts";
import { identityWarnings } from "./identity_warnings.ts";
import type { Files } from "./isakmpd_files.ts";

/** Methods that prove a peer by a public key. */
const KEY_METHODS: readonly number[] = [
  IKE_AUTHENTICATION.RSA_SIG,
  IKE_AUTHENTICATION.DSS,
  IKE_AUTHENTICATION.ECDSA_256,
  IKE_AUTHENTICATION.ECDSA_384,
  IKE_AUTHENTICATION.ECDSA_521,
];

/** Whether one of the peer's transforms allows a method that needs a certificate or a raw key. */
function usesCertificates({ transforms }: Peer): boolean {
  return transforms.some(({ attributes }) =>
    attributes.some(({ attribute, allowed }) =>
      attribute === IKE_ATTRIBUTE.AUTHENTICATION_METHOD &&
      (allowed === "ANY" || KEY_METHODS.some((method) => allowed.least <= method && method <= allowed.most))
    )
  );
}

/** Warnings, one line each: files left out, no certificate for our ID, peers whose ID nobody checks (FAQ 13.9). */
export function certificateWarnings({ conf, policy }: Files, directories: CertificateDirectories): string[] {
  const peers = conf.configuration.peers.map((peer) => ({ peer, usesCertificates: usesCertificates(peer) }));
  if (!peers.some(({ usesCertificates }) => usesCertificates)) return [];
  const ours = new Map(
    peers.filter(({ usesCertificates }) => usesCertificates).flatMap(({ peer: { localId } }) =>
      localId ? [[formatId(localId), localId]] : []
    ),
  );
  const own = [...directories.keyProblems(), ...[...ours.values()].flatMap((id) => directories.ownProblems(id))];
  return [
    ...directories.problems,
    ...new Set(own),
    ...identityWarnings(
      peers.map(({ peer, usesCertificates }) => ({ name: peer.name, remoteId: peer.remoteId, usesCertificates })),
      policy?.assertions,
      directories.authorityCertificates,
    ),
  ];
}
