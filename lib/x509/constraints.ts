/** Name constraints (RFC 5280 section 4.2.1.10): for which names an authority may issue. @module */
import { type Bytes, decodeText } from "../octets/bytes.ts";
import { contextTag, DER, derChildren, type DerElement, expectTag, readDer } from "../octets/der.ts";
import { DecodeError } from "../octets/reader.ts";
import type { Certificate } from "./certificate.ts";
import { describeIdentity, type Identity, printable } from "./identity.ts";
import { parseName } from "./name.ts";

/** Numbers of the forms of GeneralName that are compared. */
const FORM = { rfc822Name: 1, dNSName: 2, directoryName: 4, URI: 6, iPAddress: 7 } as const;
const FORM_NAMES = [
  "otherName",
  "rfc822Name",
  "dNSName",
  "x400Address",
  "directoryName",
  "ediPartyName",
  "URI",
  "iPAddress",
  "registeredID",
];

/** One subtree: the names of its form that lie in it. Of a directoryName `octets` is a DER Name, of an iPAddress address and mask. */
interface Subtree {
  readonly form: number;
  readonly octets: Bytes;
  /** As {@linkcode within} compares it. */
  readonly key: string;
}

/** Names of a form that has permitted subtrees lie in one of them, and no name lies in an excluded one. */
export interface NameConstraints {
  readonly permitted: readonly Subtree[];
  readonly excluded: readonly Subtree[];
}

/** A name of a certificate, as it is compared. */
interface Name {
  readonly form: number;
  readonly octets: Bytes;
  readonly key: string;
  readonly text: string;
}

/** Comparisons of one certificate with one authority's subtrees: both lists are a stranger's. */
const COMPARISON_LIMIT = 100_000;

/** The host in a URI, in small letters, if it has one by a whole domain name; else nothing. */
function hostOf(octets: Bytes): string {
  const authority = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/.exec(decodeText(octets).toLowerCase())?.[1] ?? "";
  const host = authority.slice(authority.lastIndexOf("@") + 1).replace(/:\d*$/, "").replace(/\.$/, "");
  return /^([a-z0-9_-]+\.)+[a-z0-9_-]+$/.test(host) && !/\.\d+$/.test(host) ? host : "";
}

/** Domain names without case and without the root's dot; the part before `@` keeps its case. */
function keyOf(form: number, octets: Bytes): string {
  if (form === FORM.directoryName) return parseName(octets).key;
  if (form === FORM.iPAddress) return "";
  const text = decodeText(octets);
  const at = form === FORM.rfc822Name ? text.lastIndexOf("@") + 1 : 0;
  return text.slice(0, at) + text.slice(at).toLowerCase().replace(/(?<=.)\.$/, "");
}

function readSubtree(element: DerElement): Subtree {
  const what = "nameConstraints";
  const [base, ...range] = derChildren(expectTag(element, DER.SEQUENCE, what), what);
  const { tag, content } = expectTag(base, undefined, what);
  const form = tag & 0x1f;
  if ((tag & 0xc0) !== 0x80 || form >= FORM_NAMES.length) throw new DecodeError(`${what}: no GeneralName`);
  // minimum is 0 and maximum absent in all certificates of RFC 5280.
  const isWhole = range.every((part) =>
    part.tag === contextTag(0, false) && part.content.every((octet) => octet === 0)
  );
  if (!isWhole) throw new DecodeError(`${what}: a subtree with a minimum or maximum`);
  const octets = content.slice() as Bytes;
  if (form === FORM.iPAddress && octets.length !== 8 && octets.length !== 32) {
    throw new DecodeError(`${what}: an address and mask of ${octets.length} octets`);
  }
  return { form, octets, key: keyOf(form, octets) };
}

/** The contents of a nameConstraints extension. @throws {DecodeError | CertificateError} */
export function readNameConstraints(value: Uint8Array): NameConstraints {
  const what = "nameConstraints";
  const parts = derChildren(readDer(value, DER.SEQUENCE, what), what);
  const known = [contextTag(0), contextTag(1)];
  const isOrdered = parts.every(({ tag }, i) => known.includes(tag) && (i === 0 || tag > parts[i - 1].tag));
  if (parts.length === 0 || !isOrdered) throw new DecodeError(`${what}: neither permitted nor excluded subtrees`);
  const subtrees = (tag: number) => {
    const list = parts.find((part) => part.tag === tag);
    return list ? derChildren(list, what).map(readSubtree) : [];
  };
  return { permitted: subtrees(known[0]), excluded: subtrees(known[1]) };
}

const IDENTITY_FORMS: Record<Identity["type"], number> = {
  USER_FQDN: FORM.rfc822Name,
  FQDN: FORM.dNSName,
  DER_ASN1_DN: FORM.directoryName,
  IPV4_ADDR: FORM.iPAddress,
  IPV6_ADDR: FORM.iPAddress,
};

/** What is compared: the subjectAltNames, the subject, and the e-mail addresses in it. A URI counts by its host. */
function namesOf({ subject, alternativeNames, otherNames }: Certificate): Name[] {
  const identities: Identity[] = [
    ...alternativeNames,
    ...(subject.empty ? [] : [{ type: "DER_ASN1_DN", octets: subject.der } as const]),
    ...subject.emailAddresses.map((octets) => ({ type: "USER_FQDN", octets } as const)),
  ];
  const names = identities.map((identity): Name => {
    const form = IDENTITY_FORMS[identity.type];
    return { form, octets: identity.octets, key: keyOf(form, identity.octets), text: describeIdentity(identity) };
  });
  const uris = otherNames.filter(({ form }) => form === FORM.URI).map(({ form, octets }): Name => {
    return { form, octets, key: hostOf(octets), text: `URI ${printable(octets)}` };
  });
  return [...names, ...uris];
}

/** Whether a host is `base`; with a dot in front of `base` whether it is below it. */
const isHost = (host: string, base: string): boolean =>
  base.startsWith(".") ? host.endsWith(base) : base === "" || host === base;

/** Whether a domain name is `base` or below it; with a dot in front of `base` only below it. */
const isBelow = (name: string, base: string): boolean =>
  base === "" || (base.startsWith(".") ? name.endsWith(base) : name === base || name.endsWith(`.${base}`));

/** Whether a name lies in a subtree of its form. */
function within(name: Name, { form, octets, key }: Subtree): boolean {
  switch (form) {
    case FORM.dNSName:
      return isBelow(name.key, key);
    case FORM.rfc822Name: {
      if (key.includes("@")) return name.key === key;
      const host = name.key.slice(name.key.lastIndexOf("@") + 1);
      return isHost(host, key);
    }
    case FORM.URI:
      return isHost(name.key, key);
    case FORM.directoryName:
      return key === "" || name.key === key || name.key.startsWith(`${key},`);
    default: {
      const length = octets.length / 2;
      return name.octets.length === length &&
        name.octets.every((octet, i) => ((octet ^ octets[i]) & octets[length + i]) === 0);
    }
  }
}

/** Why `constraints` do not allow a certificate its names; undefined when they do. */
export function forbiddenName({ permitted, excluded }: NameConstraints, certificate: Certificate): string | undefined {
  const names = namesOf(certificate);
  if (names.length * (permitted.length + excluded.length) > COMPARISON_LIMIT) return "its names are too many";
  for (const name of names) {
    const isOfForm = ({ form }: Subtree) => form === name.form;
    if (name.form === FORM.URI && name.key === "" && [...permitted, ...excluded].some(isOfForm)) {
      return `${name.text} has no host name, which is not allowed`;
    }
    if (excluded.some((subtree) => isOfForm(subtree) && within(name, subtree))) return `${name.text} is excluded`;
    const allowed = permitted.filter(isOfForm);
    if (allowed.length > 0 && !allowed.some((subtree) => within(name, subtree))) return `${name.text} is not permitted`;
  }
  // Forms that are not compared: RFC 5280 has a certificate with such a name refused.
  const unknown = certificate.otherNames.find(({ form }) =>
    form !== FORM.URI && [...permitted, ...excluded].some((subtree) => subtree.form === form)
  );
  return unknown && `it has a name of the form ${FORM_NAMES[unknown.form]}, which is not compared`;
}
