/** Two SAs in one message: X_GRPSPIS and X_BINDSA. @module */
import type { SaIdentity } from "../ipsec/types.ts";
import type { Extensions } from "./extensions.ts";
import { saTypeOf } from "./nouns.ts";
import { SA_TYPES } from "./numbers.ts";
import { identityExtensions } from "./sa_message.ts";

/** The first SA's type goes into the header, the second's into X_PROTOCOL. */
export function pairExtensions(first: SaIdentity, second: SaIdentity): Extensions {
  const { SA, ADDRESS_DST } = identityExtensions(first);
  const other = identityExtensions(second);
  const proto = SA_TYPES[saTypeOf(second.protocol)];
  return {
    SA,
    ADDRESS_DST,
    X_SA2: other.SA,
    X_DST2: other.ADDRESS_DST,
    X_PROTOCOL: { proto, direction: 0, flags: 0 },
  };
}
