/** Why a negotiation failed: facts in one error, worded in one place. @module */
import { formatAddress } from "../ip/address.ts";
import type { NotifyName } from "../isakmp/numbers.ts";
import { formatOrigin } from "./configuration.ts";
import type { Endpoint, Fault } from "./events.ts";

/** We and the peer cannot agree, or the peer is not who it should be. `notify` tells the peer. */
export class NegotiationError extends Error {
  override name = "NegotiationError";
  readonly notify: NotifyName;
  readonly fault: Fault;

  constructor(notify: NotifyName, fault: Omit<Fault, "code">) {
    super(wordFault({ code: notify, ...fault }));
    this.notify = notify;
    this.fault = { code: notify, ...fault };
  }
}

const list = (values: readonly string[]) => values.length ? [...new Set(values)].join(", ") : "nothing";

/** The facts in one clause: `GROUP_DESCRIPTION: offered MODP_768, allowed MODP_1024 (east.conf:31 [3DES-SHA])`. */
export function wordFault({ code, item, offered, allowed, origin, detail }: Fault): string {
  const terms = [
    offered && `offered ${list(offered)}`,
    allowed && `allowed ${list(allowed)}`,
    detail,
  ].filter((term) => term !== undefined);
  const subject = item ?? (terms.length ? undefined : code);
  const text = [subject, terms.join(", ")].filter(Boolean).join(": ");
  return origin ? `${text} (${formatOrigin(origin)})` : text;
}

/** Whom a sentence is about. */
export interface Subject {
  readonly phase: 1 | 2;
  readonly remote: Endpoint;
  readonly peer?: string;
  readonly connection?: string;
}

/** `phase 2 with 192.0.2.7 (peer ISAKMP-peer-west, connection IPsec-east-west)` */
export function nameSubject({ phase, remote, peer, connection }: Subject): string {
  const names = [peer && `peer ${peer}`, connection && `connection ${connection}`].filter(Boolean).join(", ");
  return `phase ${phase} with ${formatAddress(remote.address)}${names ? ` (${names})` : ""}`;
}

/** What to change, by the item at fault. */
const ADVICE: Readonly<Record<string, string>> = {
  EXCHANGE_TYPE: "Set the same EXCHANGE_TYPE at both ends",
  Protocols: "Give both ends a suite with the same Protocols",
  LIFE_DURATION: "Widen this range, or let the peer offer what lies in it",
  ENCAPSULATION_MODE: "Set the same ENCAPSULATION_MODE at both ends",
  "Remote-ID": "Correct this Remote-ID, or the ID of the peer",
  "client IDs": "Let Local-ID and Remote-ID of a connection be the peer's Remote-ID and Local-ID",
  Authentication: "Set the same Authentication at both ends",
  "our signature": "Correct Private-key and Cert-directory of [X509-certificates]",
  SPI: "See whether the IPsec engine (ipsecbox enc) runs",
  policy: "Allow it in the policy, or negotiate what the policy allows",
};

/** Attributes of transforms have one advice. */
const IS_ATTRIBUTE = /^[A-Z][A-Z_]+$/;

function adviceOn({ item, offered, allowed, advice }: Fault): string | undefined {
  if (advice || !item) return advice;
  const name = item.replace(/ \(.*/, "");
  if (Object.hasOwn(ADVICE, name)) return ADVICE[name];
  return offered && allowed && IS_ATTRIBUTE.test(name) ? `Give both ends a transform with the same ${name}` : undefined;
}

/** The one message of a failed negotiation: what is at fault, and what to change. */
export function wordFailure(subject: Subject, fault: Fault): string {
  const advice = adviceOn(fault);
  return `Cannot agree on ${nameSubject(subject)}: ${wordFault(fault)}${advice ? `. ${advice}` : ""}`;
}
