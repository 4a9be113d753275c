/** What SAs and flows have in common on PF_KEY: SA types and identities. @module */
import type { Identity, SecurityProtocol } from "../ipsec/types.ts";
import type { Extensions, ExtensionValue } from "./extensions.ts";
import { IDENTITY_TYPES, nameOf, PfkeyError, type SaType } from "./numbers.ts";

/** SA type <-> IP protocol, for the SA types that we have. */
const PROTOCOLS: Readonly<Partial<Record<SaType, SecurityProtocol>>> = { AH: 51, ESP: 50, IPIP: 4 };

/** The SA type of a security protocol. */
export function saTypeOf(protocol: SecurityProtocol): SaType {
  return protocol === 51 ? "AH" : protocol === 50 ? "ESP" : "IPIP";
}

/** The security protocol of an SA type. @throws {PfkeyError} EOPNOTSUPP for the types that we do not have. */
export function protocolOf(satype: SaType): SecurityProtocol {
  const protocol = PROTOCOLS[satype];
  if (protocol === undefined) throw new PfkeyError("EOPNOTSUPP", `SA type ${satype} is not supported`);
  return protocol;
}

const identityValue = (identity: Identity | undefined): ExtensionValue<"IDENTITY_SRC"> | undefined =>
  identity && { type: IDENTITY_TYPES[identity.type], id: 0, text: identity.text };

const identityOf = (value: ExtensionValue<"IDENTITY_SRC"> | undefined): Identity | undefined =>
  value && { type: nameOf(IDENTITY_TYPES, value.type)!, text: value.text };

/** The identities of `sa` or of a flow as extensions. */
export function identitiesOf(
  { sourceIdentity, destinationIdentity }: { sourceIdentity?: Identity; destinationIdentity?: Identity },
): Pick<Extensions, "IDENTITY_SRC" | "IDENTITY_DST"> {
  return { IDENTITY_SRC: identityValue(sourceIdentity), IDENTITY_DST: identityValue(destinationIdentity) };
}

/** The identities among `extensions`. */
export function readIdentities(extensions: Extensions): { sourceIdentity?: Identity; destinationIdentity?: Identity } {
  const sourceIdentity = identityOf(extensions.IDENTITY_SRC);
  const destinationIdentity = identityOf(extensions.IDENTITY_DST);
  return { ...(sourceIdentity && { sourceIdentity }), ...(destinationIdentity && { destinationIdentity }) };
}
