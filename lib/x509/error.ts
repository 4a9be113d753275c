/** Errors of certificates. @module */

/** Octets that are no certificate, CRL or name that can be used: what, and why. */
export class CertificateError extends Error {
  override name = "CertificateError";
}
