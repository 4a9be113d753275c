/** What it means that one side cannot use the other's Diffie-Hellman value: for both logs. @module */
import { GROUPS } from "../crypto/group.ts";
import { nameOf, NOTIFY } from "../isakmp/numbers.ts";
import type { Fault } from "./events.ts";
import type { Exchange } from "./state.ts";

/** What both ends support and peers mean the same by. */
const USUAL = "MODP_2048", OTHER = "MODP_3072";

/** The group of an exchange, and how many octets our own public value for it has. */
function groupOf({ sa, quick }: Exchange): { name: string; octets?: number } | undefined {
  const number = quick ? quick.group : sa.terms?.group;
  const keyPair = quick ? quick.keyPair : sa.negotiation?.keyPair;
  const group = number === undefined ? undefined : GROUPS[number];
  return group && { name: group.name, octets: keyPair?.publicValue.length };
}

function common({ sa, quick }: Exchange, group: string): Pick<Fault, "item" | "origin" | "advice"> {
  const { connection } = quick ?? {};
  return {
    item: "KEY_EXCH",
    origin: connection ? connection.origins.suites ?? connection.origin : sa.peer.origins.transforms ?? sa.peer.origin,
    advice: `The two ends mean different things by ${group}: set another GROUP_DESCRIPTION at both, such as ${
      group === USUAL ? OTHER : USUAL
    }`,
  };
}

/** The peer's value is not one of the group: `detail` says why. */
export function unusableValue(exchange: Exchange, detail: string): Omit<Fault, "code"> {
  const group = groupOf(exchange);
  return group ? { ...common(exchange, group.name), detail } : { item: "KEY_EXCH", detail };
}

/** The peer says so of ours; undefined: we have sent none. */
export function refusedValue(exchange: Exchange): Fault | undefined {
  const group = groupOf(exchange);
  if (!group?.octets) return undefined;
  const code = nameOf(NOTIFY, NOTIFY.INVALID_KEY_INFORMATION);
  const detail = `the peer refuses our public value for ${group.name}, which has ${group.octets} octets: ${code}`;
  return { code, ...common(exchange, group.name), detail };
}
