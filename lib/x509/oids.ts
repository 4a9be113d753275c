/** Object identifiers of extensions of certificates and CRLs, by the names that openssl's configuration has for them. @module */

export const OID = {
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  issuerAltName: "2.5.29.18",
  basicConstraints: "2.5.29.19",
  /** Of CRLs: their number. */
  crlNumber: "2.5.29.20",
  /** Of entries of CRLs: why. */
  CRLReason: "2.5.29.21",
  /** Of CRLs that hold only changes. */
  deltaCRL: "2.5.29.27",
  /** Of CRLs of some certificates or reasons only. */
  issuingDistributionPoint: "2.5.29.28",
  nameConstraints: "2.5.29.30",
  crlDistributionPoints: "2.5.29.31",
  certificatePolicies: "2.5.29.32",
  policyMappings: "2.5.29.33",
  authorityKeyIdentifier: "2.5.29.35",
  policyConstraints: "2.5.29.36",
  extendedKeyUsage: "2.5.29.37",
  freshestCRL: "2.5.29.46",
  inhibitAnyPolicy: "2.5.29.54",
  authorityInfoAccess: "1.3.6.1.5.5.7.1.1",
  subjectInfoAccess: "1.3.6.1.5.5.7.1.11",
  nsCertType: "2.16.840.1.113730.1.1",
  nsComment: "2.16.840.1.113730.1.13",
} as const;
