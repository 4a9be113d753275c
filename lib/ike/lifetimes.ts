/** How long SAs live (RFC 2407 4.5.4) and what RESPONDER-LIFETIME says (4.6.3.1). @module */
import { decodeAttributes, encodeAttributes, numberAttribute } from "../isakmp/attributes.ts";
import { DOI, LIFE_TYPE, NOTIFY, PROTOCOL_ID } from "../isakmp/numbers.ts";
import { NOTIFY_LAYOUT } from "../isakmp/payloads.ts";
import { type Bytes, concat } from "../octets/bytes.ts";
import { ownSeconds } from "./negotiate.ts";
import { notifyPayload, sendProtected, u32 } from "./notify.ts";
import type { Core, Exchange, Phase1Sa, QuickState } from "./state.ts";
import { LIFE_CLASSES, valuesOf } from "./terms.ts";

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

/** Seconds after which our own rules end the SAs although the initiator offered more. */
function ownSecondsOf({ choice, terms }: QuickState): number {
  return least(choice!.protocols.map(({ rule }, i) => {
    const offered = terms![i].lifeSeconds;
    const own = ownSeconds(rule, offered);
    return own < offered ? own : undefined;
  }));
}

/** The limits of a pair: the smallest of what was negotiated, what the responder said, what we want. */
export function pairLimits(quick: QuickState): { seconds: number; kilobytes: number } {
  const { terms, lifetime } = quick;
  return {
    seconds: least([...terms!.map(({ lifeSeconds }) => lifeSeconds), lifetime?.seconds, ownSecondsOf(quick)]),
    kilobytes: least([...terms!.map(({ lifeKilobytes }) => lifeKilobytes), lifetime?.kilobytes, ownKilobytes(quick)]),
  };
}

/** Responder: the bodies of NOTIFY payloads that tell the initiator of limits of ours. */
export function responderLifetimes({ quick, role }: Exchange): Bytes[] {
  if (role === "initiator") return [];
  const limits = [
    { type: LIFE_TYPE.SECONDS, duration: ownSecondsOf(quick!) },
    { type: LIFE_TYPE.KILOBYTES, duration: ownKilobytes(quick!) },
  ].filter(({ duration }) => duration > 0);
  if (limits.length === 0) return [];
  const data = lifeAttributes(2, limits);
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

/** Responder: tells the initiator that phase 1 ends before the time that it offered. */
export function tellLifetime(core: Core, sa: Phase1Sa): void {
  const data = lifeAttributes(1, [{ type: LIFE_TYPE.SECONDS, duration: sa.terms!.lifeSeconds }]);
  const spi = concat(sa.initiatorCookie, sa.responderCookie);
  sendProtected(core, sa, [notifyPayload(NOTIFY.RESPONDER_LIFETIME, PROTOCOL_ID.ISAKMP, spi, data)]);
}

/** The data of a RESPONDER-LIFETIME notify. */
export function lifeAttributes(phase: 1 | 2, limits: readonly { type: number; duration: number }[]): Bytes {
  const classes = LIFE_CLASSES[phase];
  return encodeAttributes(limits.flatMap(({ type, duration }) => [
    numberAttribute(classes.type, type),
    numberAttribute(classes.duration, duration),
  ]));
}

/** The limits in the data of a RESPONDER-LIFETIME notify. @throws {IsakmpError} @throws {NegotiationError} */
export function readLifetime(phase: 1 | 2, data: Uint8Array): { seconds?: number; kilobytes?: number } {
  const { lives } = valuesOf(phase, decodeAttributes(data));
  const of = (type: number) => lives.find((life) => life.type === type)?.duration;
  return { seconds: of(LIFE_TYPE.SECONDS), kilobytes: of(LIFE_TYPE.KILOBYTES) };
}
