/**
 * Offers and choices: what we propose from a configuration, what we take of a peer's proposals, and whether an answer is
 * one of our own. Attributes are compared one by one, ranges honoured; what differs is reported with the rule that decided.
 *
 * @module
 */
import {
  type Attribute,
  attributeName,
  attributeValueName,
  equalAttribute,
  numberAttribute,
} from "../isakmp/attributes.ts";
import { IKE_ATTRIBUTE, IPSEC_ATTRIBUTE, ISAKMP_TRANSFORM, LIFE_TYPE, nameOf, PROTOCOL_ID } from "../isakmp/numbers.ts";
import { type Proposal, type Transform, transformName } from "../isakmp/proposals.ts";
import type { Bytes } from "../octets/bytes.ts";
import type { Allowed, LifeRule, Origin, ProtocolRule, Suite, TransformRule } from "./configuration.ts";
import { NegotiationError } from "./fault.ts";
import { LIFE_CLASSES, type Values, valuesOf } from "./terms.ts";

/** How configured values appear on the wire: XAUTH methods by role, encapsulation modes behind a NAT. */
export interface Translation {
  /** Configured to wire; undefined: this value cannot be offered now. */
  toWire(attribute: number, value: number): number | undefined;
  /** Wire to configured; undefined: this value is not acceptable now. */
  fromWire(attribute: number, value: number): number | undefined;
}

/** What is configured is what is sent. */
export const UNTRANSLATED: Translation = { toWire: (_, value) => value, fromWire: (_, value) => value };

const KEY_LENGTH = { 1: IKE_ATTRIBUTE.KEY_LENGTH, 2: IPSEC_ATTRIBUTE.KEY_LENGTH } as const;
/** What a cipher with variable key length means when no key length is given. */
const IMPLIED_KEY_BITS = 128;

const allows = (allowed: Allowed, value: number) =>
  allowed === "ANY" || (value >= allowed.least && value <= allowed.most);

function wordAllowed(allowed: Allowed, word: (value: number) => string): string {
  if (allowed === "ANY") return "ANY";
  const { least, most } = allowed;
  return least === most ? word(least) : `${word(least)} to ${word(most)}`;
}

// ---- offering ------------------------------------------------------------------------------------------------------

function offerLives(phase: 1 | 2, lives: readonly LifeRule[] | "ANY"): Attribute[] {
  if (lives === "ANY") return [];
  return lives.flatMap(({ type, duration }) =>
    duration === "ANY" ? [] : [
      numberAttribute(LIFE_CLASSES[phase].type, LIFE_TYPE[type]),
      numberAttribute(LIFE_CLASSES[phase].duration, duration.offer),
    ]
  );
}

/** A transform as it is offered; undefined when a rule is ANY or cannot be said now. */
function offerTransform(
  phase: 1 | 2,
  rule: TransformRule,
  translation: Translation,
): Omit<Transform, "number"> | undefined {
  const attributes: Attribute[] = [];
  for (const { attribute, allowed } of rule.attributes) {
    const value = allowed === "ANY" ? undefined : translation.toWire(attribute, allowed.offer);
    if (value === undefined) return undefined;
    attributes.push(numberAttribute(attribute, value));
  }
  const lives = offerLives(phase, rule.lives);
  // RFC 2407 4.5 shows lives first in phase 2; phase 1 usually ends with them. No order is required.
  return { id: rule.id, attributes: phase === 1 ? [...attributes, ...lives] : [...lives, ...attributes] };
}

const numbered = (transforms: readonly (Omit<Transform, "number"> | undefined)[]): Transform[] =>
  transforms.filter((transform) => transform !== undefined).map((transform, i) => ({ number: i + 1, ...transform }));

/** The phase 1 proposal of a peer's transforms. @throws {NegotiationError} when none can be offered. */
export function offerPhase1(rules: readonly TransformRule[], translation: Translation, origin?: Origin): Proposal[] {
  const transforms = numbered(rules.map((rule) => offerTransform(1, rule, translation)));
  if (transforms.length === 0) {
    throw new NegotiationError("NO_PROPOSAL_CHOSEN", {
      item: "Transforms",
      detail: rules.length ? "every transform has ANY, which cannot be offered" : "none is configured",
      origin: rules[0]?.origin ?? origin,
    });
  }
  return [{ number: 1, protocol: PROTOCOL_ID.ISAKMP, spi: new Uint8Array(0), transforms }];
}

/** The phase 2 proposals of a connection's suites; `spiOf` gives our SPI for a protocol. @throws {NegotiationError} */
export function offerPhase2(
  suites: readonly Suite[],
  translation: Translation,
  spiOf: (protocol: number) => Bytes,
  origin?: Origin,
): Proposal[] {
  const proposals: Proposal[] = [];
  let number = 1;
  for (const suite of suites) {
    const protocols = suite.protocols.map((rule) => ({
      number,
      protocol: rule.protocol,
      spi: spiOf(rule.protocol),
      transforms: numbered(rule.transforms.map((transform) => offerTransform(2, transform, translation))),
    }));
    if (protocols.length === 0 || protocols.some(({ transforms }) => transforms.length === 0)) continue;
    proposals.push(...protocols);
    number++;
  }
  if (proposals.length === 0) {
    throw new NegotiationError("NO_PROPOSAL_CHOSEN", { item: "Suites", detail: "none can be offered", origin });
  }
  return proposals;
}

// ---- comparing -----------------------------------------------------------------------------------------------------

/** One thing in which an offered transform differs from a rule. */
interface Difference {
  readonly item: string;
  readonly offered: string;
  readonly allowed: string;
  readonly origin: Origin;
}

/** Whether an offered life is too long for a rule that then has the SA end earlier. */
const isCapped = ({ duration, capped }: LifeRule, offered: number): boolean =>
  capped === true && duration !== "ANY" && offered > duration.most;

/** How long an SA of `offered` seconds lives by our rule. */
export function ownSeconds({ lives }: TransformRule, offered: number): number {
  const rule = lives === "ANY" ? undefined : lives.find((life) => life.type === "SECONDS" && isCapped(life, offered));
  return rule && rule.duration !== "ANY" ? rule.duration.most : offered;
}

function compareLives(lives: readonly { type: number; duration: number }[], rule: TransformRule): Difference[] {
  if (rule.lives === "ANY") return [];
  const rules = rule.lives;
  return lives.flatMap(({ type, duration }) => {
    const same = rules.filter((life) => LIFE_TYPE[life.type] === type);
    if (same.length === 0 || same.some((life) => allows(life.duration, duration) || isCapped(life, duration))) {
      return [];
    }
    const unit = nameOf(LIFE_TYPE, type);
    return [{
      item: `LIFE_DURATION (${unit})`,
      offered: String(duration),
      allowed: same.map((life) => wordAllowed(life.duration, String)).join(" or "),
      origin: same[0].origin,
    }];
  });
}

/** Everything in which a transform differs from a rule; empty when it is acceptable. */
function differences(
  phase: 1 | 2,
  protocol: number,
  transform: Transform,
  { numbers, lives }: Values,
  rule: TransformRule,
  translation: Translation,
): Difference[] {
  if (transform.id !== rule.id) {
    return [{
      item: "TRANSFORM_ID",
      offered: transformName(protocol, transform.id),
      allowed: transformName(protocol, rule.id),
      origin: rule.origin,
    }];
  }
  const found: Difference[] = [];
  const word = (attribute: number) => (value: number) => attributeValueName(phase, attribute, value);
  const ruled = new Set<number>();
  for (const { attribute, allowed, origin } of rule.attributes) {
    ruled.add(attribute);
    const implied = attribute === KEY_LENGTH[phase] ? IMPLIED_KEY_BITS : undefined;
    const wire = numbers.get(attribute) ?? implied;
    const value = wire === undefined ? undefined : translation.fromWire(attribute, wire);
    if (value !== undefined && allows(allowed, value)) continue;
    found.push({
      item: attributeName(phase, attribute),
      offered: wire === undefined ? "none" : word(attribute)(wire),
      allowed: wordAllowed(allowed, (v) => word(attribute)(translation.toWire(attribute, v) ?? v)),
      origin,
    });
  }
  for (const [attribute, value] of numbers) {
    if (ruled.has(attribute) || (attribute === KEY_LENGTH[phase] && value === IMPLIED_KEY_BITS)) continue;
    found.push({
      item: attributeName(phase, attribute),
      offered: word(attribute)(value),
      allowed: "none",
      origin: rule.origin,
    });
  }
  return [...found, ...compareLives(lives, rule)];
}

/** Differences of all pairs that were compared, from which the one worth naming is found. */
class Comparison {
  #nearest: Difference[] | undefined;
  #distance = Infinity;
  readonly #all: Difference[] = [];

  add(found: Difference[], distance = found.length): void {
    this.#all.push(...found);
    if (distance >= this.#distance) return;
    this.#nearest = found;
    this.#distance = distance;
  }

  /** The error that names the attribute on which the nearest pair failed, with all values offered and allowed for it. */
  error(otherwise: string, origin?: Origin): NegotiationError {
    const first = this.#nearest?.[0];
    if (!first) return new NegotiationError("NO_PROPOSAL_CHOSEN", { item: "Proposal", detail: otherwise, origin });
    const same = this.#all.filter(({ item }) => item === first.item);
    return new NegotiationError("NO_PROPOSAL_CHOSEN", {
      item: first.item,
      offered: [...new Set(same.map(({ offered }) => offered))],
      allowed: [...new Set(same.map(({ allowed }) => allowed))],
      origin: first.origin,
    });
  }
}

// ---- choosing ------------------------------------------------------------------------------------------------------

/** A transform of the peer and the rule that allows it. */
export interface Choice {
  readonly proposal: Proposal;
  readonly transform: Transform;
  readonly rule: TransformRule;
}

/**
 * The initiator's first phase 1 transform that a rule allows (RFC 2409 5).
 *
 * @throws {NegotiationError} NO_PROPOSAL_CHOSEN that names the attribute at fault
 */
export function choosePhase1(
  proposals: readonly Proposal[],
  rules: readonly TransformRule[],
  translation: Translation,
  origin?: Origin,
): Choice {
  const comparison = new Comparison();
  for (const proposal of proposals) {
    if (proposal.protocol !== PROTOCOL_ID.ISAKMP) continue;
    for (const transform of proposal.transforms) {
      if (transform.id !== ISAKMP_TRANSFORM.KEY_IKE) continue;
      const values = valuesOf(1, transform.attributes);
      for (const rule of rules) {
        const found = differences(1, proposal.protocol, transform, values, rule, translation);
        if (found.length === 0) return { proposal, transform, rule };
        comparison.add(found);
      }
    }
  }
  throw comparison.error(rules.length ? "offers no ISAKMP transform" : "no transform is configured", origin);
}

/** A suite and what the peer offered for each of its protocols, in the suite's order. */
export interface SuiteChoice {
  readonly suite: Suite;
  readonly protocols: readonly (Choice & { readonly protocolRule: ProtocolRule })[];
}

/** Proposals by number: those of one number belong together. */
export function groupProposals(proposals: readonly Proposal[]): Proposal[][] {
  const groups = new Map<number, Proposal[]>();
  for (const proposal of proposals) {
    const group = groups.get(proposal.number);
    if (group) group.push(proposal);
    else groups.set(proposal.number, [proposal]);
  }
  return [...groups.values()];
}

/** Other protocols are further apart than any number of attributes. */
const UNLIKE = 100;

const protocolNames = (protocols: readonly { protocol: number }[]) =>
  protocols.map(({ protocol }) => nameOf(PROTOCOL_ID, protocol)).sort().join("+");

/** The first transform of a proposal that a protocol rule allows and that has PFS group `group`, if one is fixed already. */
function chooseTransform(
  proposal: Proposal,
  protocolRule: ProtocolRule,
  translation: Translation,
  comparison: Comparison,
  fixed: { group?: number } | undefined,
): (Choice & { protocolRule: ProtocolRule }) | undefined {
  for (const transform of proposal.transforms) {
    const values = valuesOf(2, transform.attributes);
    if (fixed && values.numbers.get(IPSEC_ATTRIBUTE.GROUP_DESCRIPTION) !== fixed.group) continue;
    for (const rule of protocolRule.transforms) {
      const found = differences(2, proposal.protocol, transform, values, rule, translation);
      if (found.length === 0) return { proposal, transform, rule, protocolRule };
      comparison.add(found);
    }
  }
  return undefined;
}

/**
 * The initiator's first proposal (all protocols of one number) that a suite allows and `acceptable` agrees to.
 *
 * @param acceptable may refuse a choice (policy); returns why
 * @throws {NegotiationError} NO_PROPOSAL_CHOSEN that names the attribute at fault, or what `acceptable` said
 */
export function choosePhase2(
  proposals: readonly Proposal[],
  suites: readonly Suite[],
  translation: Translation,
  origin: Origin | undefined,
  acceptable: (choice: SuiteChoice) => NegotiationError | undefined = () => undefined,
): SuiteChoice {
  const comparison = new Comparison();
  let refusal: NegotiationError | undefined;
  for (const group of groupProposals(proposals)) {
    for (const suite of suites) {
      if (protocolNames(group) !== protocolNames(suite.protocols)) {
        comparison.add([{
          item: "Protocols",
          offered: protocolNames(group),
          allowed: protocolNames(suite.protocols),
          origin: suite.origin,
        }], UNLIKE);
        continue;
      }
      const protocols: (Choice & { protocolRule: ProtocolRule })[] = [];
      for (const rule of suite.protocols) {
        const proposal = group.find(({ protocol }) => protocol === rule.protocol)!;
        const first = protocols[0]?.transform;
        const fixed = first && { group: valuesOf(2, first.attributes).numbers.get(IPSEC_ATTRIBUTE.GROUP_DESCRIPTION) };
        const choice = chooseTransform(proposal, rule, translation, comparison, fixed);
        if (!choice) break;
        protocols.push(choice);
      }
      if (protocols.length < suite.protocols.length) continue;
      const choice = { suite, protocols };
      refusal = acceptable(choice);
      if (!refusal) return choice;
    }
  }
  throw refusal ?? comparison.error(suites.length ? "offers no protocol of ours" : "no suite is configured", origin);
}

// ---- answers -------------------------------------------------------------------------------------------------------

/** Whether `answer` says the same as `offer`: every attribute once, in any order and form. Lives may differ. */
function answers(phase: 1 | 2, offer: Transform, answer: Transform): boolean {
  if (offer.id !== answer.id) return false;
  const { type, duration } = LIFE_CLASSES[phase];
  const plain = ({ attributes }: Transform) => attributes.filter((a) => a.type !== type && a.type !== duration);
  const offered = plain(offer), answered = plain(answer);
  if (offered.length !== answered.length) return false;
  return offered.every((a) => answered.some((b) => equalAttribute(a, b))) &&
    valuesOf(phase, answer.attributes).lives.every(({ duration }) => duration > 0);
}

/**
 * The lives of an answer, each the shorter of what was offered and answered. RFC 2407 4.5.4 has the responder keep to the
 * offer; many add a life, or shorten one, where they should notify. Whoever ends an SA first is safe.
 */
function settleLives(phase: 1 | 2, offer: Transform, answer: Transform): { transform: Transform; changes: string[] } {
  const classes = LIFE_CLASSES[phase];
  const before = valuesOf(phase, offer.attributes).lives;
  const after = valuesOf(phase, answer.attributes).lives;
  const changes = after.flatMap(({ type, duration }) => {
    const own = before.find((life) => life.type === type);
    if (own?.duration === duration) return [];
    const unit = nameOf(LIFE_TYPE, type).toLowerCase();
    if (!own) return [`the responder adds a life of ${duration} ${unit}`];
    return [`the responder answers ${duration} ${unit} for ${own.duration}; ${Math.min(own.duration, duration)} hold`];
  });
  const settled = after.map(({ type, duration }) => ({
    type,
    duration: Math.min(duration, before.find((life) => life.type === type)?.duration ?? duration),
  }));
  const kept = before.filter(({ type }) => !after.some((life) => life.type === type));
  const attributes = [
    ...answer.attributes.filter(({ type }) => type !== classes.type && type !== classes.duration),
    ...[...settled, ...kept].flatMap(({ type, duration }) => [
      numberAttribute(classes.type, type),
      numberAttribute(classes.duration, duration),
    ]),
  ];
  return { transform: { ...answer, attributes }, changes };
}

/** One transform chosen out of an offer. */
export interface Answered {
  readonly offered: Proposal;
  readonly answer: Proposal;
  /** As it holds: with the shorter lives. */
  readonly transform: Transform;
  /** What the responder did to the lives, for people. */
  readonly changes: readonly string[];
}

/**
 * Checks that the responder's answer is one of our proposals, with one transform for each of its protocols.
 *
 * @throws {NegotiationError} BAD_PROPOSAL_SYNTAX
 */
export function acceptAnswer(phase: 1 | 2, offer: readonly Proposal[], answer: readonly Proposal[]): Answered[] {
  const refuse = (detail: string) =>
    new NegotiationError("BAD_PROPOSAL_SYNTAX", {
      item: "Answer",
      offered: describeOffer(answer),
      allowed: describeOffer(offer),
      detail: `${detail}; refused`,
      advice: "That is a fault of the peer, or somebody has changed the message on the way",
    });
  if (answer.length === 0) throw refuse("has no proposal");
  const number = answer[0].number;
  if (answer.some((proposal) => proposal.number !== number)) throw refuse("chooses more than one proposal");
  // Some responders renumber the only proposal of phase 1.
  const offered = offer.filter((proposal) => proposal.number === number || (phase === 1 && offer.length === 1));
  if (offered.length !== answer.length) throw refuse(`chooses proposal ${number}, which was not offered like this`);
  return answer.map((proposal) => {
    const ours = offered.find(({ protocol }) => protocol === proposal.protocol);
    if (!ours) throw refuse(`chooses ${nameOf(PROTOCOL_ID, proposal.protocol)}, which was not offered`);
    if (proposal.transforms.length !== 1) throw refuse(`has ${proposal.transforms.length} transforms, one is needed`);
    const chosen = proposal.transforms[0];
    const same = ours.transforms.find((candidate) => answers(phase, candidate, chosen));
    if (!same) throw refuse("chooses a transform that was not offered");
    return { offered: ours, answer: proposal, ...settleLives(phase, same, chosen) };
  });
}

/** The rule behind a transform that we offered and the peer chose. */
export function ruleOf(
  phase: 1 | 2,
  protocol: number,
  transform: Transform,
  rules: readonly TransformRule[],
  translation: Translation,
): TransformRule {
  const values = valuesOf(phase, transform.attributes);
  const fits = rules.find((rule) =>
    differences(phase, protocol, transform, { ...values, lives: [] }, rule, translation).length === 0
  );
  return fits ?? rules[0];
}

// ---- words ---------------------------------------------------------------------------------------------------------

/** Proposals in one line, as when the peer says NO_PROPOSAL_CHOSEN and we tell what we sent. */
export function describeOffer(proposals: readonly Proposal[]): string[] {
  return groupProposals(proposals).map((group) =>
    group.map(({ protocol, transforms }) => {
      const phase = protocol === PROTOCOL_ID.ISAKMP ? 1 : 2;
      const each = transforms.map(({ id, attributes }) => {
        const { numbers, lives } = valuesOf(phase, attributes);
        const words = [...numbers].map(([type, value]) => {
          const text = attributeValueName(phase, type, value);
          return /^\d+$/.test(text) ? `${attributeName(phase, type)} ${text}` : text;
        });
        const durations = lives.map(({ type, duration }) => `${duration} ${nameOf(LIFE_TYPE, type)}`);
        return [...(phase === 1 ? [] : [transformName(protocol, id)]), ...words, ...durations].join(" ");
      });
      return `${nameOf(PROTOCOL_ID, protocol)} ${each.join(" | ")}`;
    }).join(" + ")
  );
}
