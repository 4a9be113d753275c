/** How long the SAs of a Quick Mode live (RFC 2407 4.5.4) and what RESPONDER-LIFETIME says (4.6.3.1). @module */
import { decodeAttributes, encodeAttributes, numberAttribute } from "../isakmp/attributes.ts";
import { DOI, IPSEC_ATTRIBUTE, LIFE_TYPE, NOTIFY } from "../isakmp/numbers.ts";
import { NOTIFY_LAYOUT } from "../isakmp/payloads.ts";
import type { Bytes } from "../octets/bytes.ts";
import { u32 } from "./notify.ts";
import type { Exchange, QuickState } from "./state.ts";
import { valuesOf } from "./terms.ts";

const least = (values: readonly (number | undefined)[]) => {
  const limits = values.filter((value): value is number => value !== undefined && value > 0);
  return limits.length ? Math.min(...limits) : 0;
};

/** Kilobytes that our own rules allow although the initiator offered no such limit. */
function ownKilobytes({ choice, terms }: QuickState): number {
  return least(choice!.protocols.map(({ rule }, i) => {
    if (terms![i].lifeKilobytes || rule.lives === "ANY") return undefined;
    const life = rule.lives.find(({ type }) => type === "KILOBYTES");
    return life && life.duration !== "ANY" ? life.duration.offer : undefined;
  }));
}

/** The limits of a pair: the smallest of what was negotiated, what the responder said, what we want. */
export function pairLimits(quick: QuickState): { seconds: number; kilobytes: number } {
  const { terms, lifetime } = quick;
  return {
    seconds: least([...terms!.map(({ lifeSeconds }) => lifeSeconds), lifetime?.seconds]),
    kilobytes: least([...terms!.map(({ lifeKilobytes }) => lifeKilobytes), lifetime?.kilobytes, ownKilobytes(quick)]),
  };
}

/** Responder: the bodies of NOTIFY payloads that tell the initiator of a limit of ours. */
export function responderLifetimes({ quick, role }: Exchange): Bytes[] {
  const kilobytes = role === "responder" ? ownKilobytes(quick!) : 0;
  if (!kilobytes) return [];
  const data = encodeAttributes([
    numberAttribute(IPSEC_ATTRIBUTE.LIFE_TYPE, LIFE_TYPE.KILOBYTES),
    numberAttribute(IPSEC_ATTRIBUTE.LIFE_DURATION, kilobytes),
  ]);
  return quick!.choice!.protocols.map(({ protocolRule: { protocol } }) =>
    NOTIFY_LAYOUT.encode({
      doi: DOI.IPSEC,
      protocol,
      type: NOTIFY.RESPONDER_LIFETIME,
      spi: u32(quick!.spis.get(protocol)!),
      data,
    })
  );
}

/** The limits in the data of a RESPONDER-LIFETIME notify. @throws {IsakmpError} @throws {NegotiationError} */
export function readLifetime(phase: 1 | 2, data: Uint8Array): { seconds?: number; kilobytes?: number } {
  const { lives } = valuesOf(phase, decodeAttributes(data));
  const of = (type: number) => lives.find((life) => life.type === type)?.duration;
  return { seconds: of(LIFE_TYPE.SECONDS), kilobytes: of(LIFE_TYPE.KILOBYTES) };
}
