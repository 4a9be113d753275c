/** Every transition of an exchange, as rows: who, in which state, on what, does what, and may end where. @module */
import * as association from "./association.ts";
import { type Core, formatEndpoint, type Purpose } from "./core.ts";
import { type Exchange, type Role, type State, STATES } from "./exchange.ts";
import * as initiator from "./initiator.ts";
import { LAYOUTS, type MessageName, type MessageOf } from "./messages.ts";
import * as responder from "./responder.ts";

/** What can happen to an exchange besides messages. */
export interface Events {
  /** The edge has computed something. */
  computed: { readonly purpose: Purpose; readonly result: Uint8Array | boolean; readonly exponent?: Uint8Array };
  /** The engine has reserved an SPI or refused to. */
  reserved: initiator.Reserved;
  /** The last retransmission was not answered. */
  exhausted: undefined;
  /** The exchange's time is over. */
  expired: undefined;
}
export type Trigger = MessageName | keyof Events;
type Input<T extends Trigger> = T extends MessageName ? MessageOf<T> : T extends keyof Events ? Events[T] : never;

/** One transition. */
export interface Row {
  readonly as: Role | "either";
  readonly at: State;
  readonly on: Trigger;
  /** The states that `run` may answer. */
  readonly to: readonly State[];
  /** In plain words, for people. */
  readonly story: string;
  // deno-lint-ignore no-explicit-any -- rows of different triggers stand in one list; `row` checks each
  run(core: Core, exchange: Exchange, input: any, datagram: Uint8Array): State;
}

function row<T extends Trigger>(
  as: Row["as"],
  at: State,
  on: T,
  to: readonly State[],
  story: string,
  run: (core: Core, exchange: Exchange, input: Input<T>, datagram: Uint8Array) => State,
): Row {
  return { as, at, on, to, story, run };
}

const I = "initiator", R = "responder", E = "either";
const CHOOSE: State[] = ["COOKIE_SENT", "CHOOSING", "VALUE_SENT", "ENDED"];

function expire(core: Core, exchange: Exchange): State {
  core.log("debug", `The exchange with ${formatEndpoint(exchange.peer)} has expired`);
  return "ENDED";
}

export const ROWS: readonly Row[] = [
  row(I, "COOKIE_SENT", "Cookie_Response", CHOOSE, "chooses a scheme and group", initiator.receiveCookieResponse),
  row(I, "COOKIE_SENT", "Resource_Limit", ["COOKIE_SENT"], "waits longer", initiator.receiveResourceLimit),
  row(I, "COOKIE_SENT", "exhausted", ["ENDED"], "begins anew or gives up", initiator.exhausted),
  row(I, "CHOOSING", "computed", ["CHOOSING", "VALUE_SENT", "ENDED"], "sends its value", initiator.computedChoice),
  row(
    I,
    "VALUE_SENT",
    "Value_Response",
    ["VALUE_SENT", "DERIVING"],
    "derives the secret",
    initiator.receiveValueResponse,
  ),
  row(I, "VALUE_SENT", "Bad_Cookie", ["VALUE_SENT"], "will begin anew", initiator.receiveBadCookie),
  row(I, "VALUE_SENT", "Resource_Limit", ["VALUE_SENT"], "waits longer", initiator.receiveResourceLimit),
  row(I, "VALUE_SENT", "Message_Reject", ["VALUE_SENT"], "logs", initiator.receiveMessageReject),
  row(I, "VALUE_SENT", "exhausted", ["ENDED"], "begins anew or gives up", initiator.exhausted),
  row(I, "DERIVING", "computed", ["RESERVING", "ENDED"], "reserves an SPI", initiator.computedSecret),
  row(I, "RESERVING", "reserved", ["IDENTITY_SENT", "ENDED"], "says who it is", initiator.sendIdentityRequest),
  row(
    I,
    "IDENTITY_SENT",
    "Identity_Response",
    ["IDENTITY_SENT", "ESTABLISHED", "ENDED"],
    "verifies and installs",
    initiator.receiveIdentityResponse,
  ),
  row(I, "IDENTITY_SENT", "Bad_Cookie", ["IDENTITY_SENT"], "will begin anew", initiator.receiveBadCookie),
  row(I, "IDENTITY_SENT", "Resource_Limit", ["IDENTITY_SENT"], "waits longer", initiator.receiveResourceLimit),
  row(I, "IDENTITY_SENT", "Verification_Failure", ["IDENTITY_SENT"], "tells", initiator.receiveVerificationFailure),
  row(I, "IDENTITY_SENT", "Message_Reject", ["IDENTITY_SENT"], "logs", initiator.receiveMessageReject),
  row(I, "IDENTITY_SENT", "exhausted", ["ENDED"], "begins anew or gives up", initiator.exhausted),

  row(R, "VALUE_COMPUTING", "computed", ["VALUE_COMPUTING", "VALUE_ANSWERED"], "answers", responder.computedValue),
  row(R, "VALUE_COMPUTING", "expired", ["ENDED"], "forgets", expire),
  row(R, "VALUE_ANSWERED", "Value_Request", ["VALUE_ANSWERED"], "repeats its answer", responder.repeatAnswer),
  row(R, "VALUE_ANSWERED", "computed", ["VALUE_ANSWERED"], "has the secret", responder.responderSecret),
  row(
    R,
    "VALUE_ANSWERED",
    "Identity_Request",
    ["VALUE_ANSWERED", "IDENTITY_ANSWERING"],
    "verifies and reserves an SPI",
    responder.receiveIdentityRequest,
  ),
  row(R, "VALUE_ANSWERED", "expired", ["ENDED"], "forgets", expire),
  row(
    R,
    "IDENTITY_ANSWERING",
    "reserved",
    ["VALUE_ANSWERED", "ESTABLISHED"],
    "installs and answers",
    responder.sendIdentityResponse,
  ),
  row(R, "IDENTITY_ANSWERING", "expired", ["ENDED"], "forgets", expire),
  row(R, "ESTABLISHED", "Identity_Request", ["ESTABLISHED"], "repeats its answer", responder.repeatIdentity),

  row(E, "ESTABLISHED", "SPI_Needed", ["ESTABLISHED"], "makes an SPI", association.receiveSpiNeeded),
  row(E, "ESTABLISHED", "reserved", ["ESTABLISHED"], "announces the SPI", association.sendSpiUpdate),
  row(E, "ESTABLISHED", "SPI_Update", ["ESTABLISHED", "ENDED"], "uses the SPI", association.receiveSpiUpdate),
  row(
    E,
    "ESTABLISHED",
    "Bad_Cookie",
    ["ESTABLISHED", "ENDED"],
    "begins anew if it had asked",
    association.associationLost,
  ),
  row(E, "ESTABLISHED", "Resource_Limit", ["ESTABLISHED"], "waits longer", association.limitReached),
  row(E, "ESTABLISHED", "Message_Reject", ["ESTABLISHED"], "logs", initiator.receiveMessageReject),
  row(E, "ESTABLISHED", "Verification_Failure", ["ESTABLISHED"], "logs", (core, exchange) => {
    core.log("warning", `${formatEndpoint(exchange.peer)} could not verify an SPI message`);
    return exchange.state;
  }),
  row(E, "ESTABLISHED", "exhausted", ["ESTABLISHED", "ENDED"], "begins anew", association.associationLost),
  row(E, "ESTABLISHED", "expired", ["ENDED"], "forgets the secret", expire),
];

/** States that must have a way out when nothing is heard of the peer. */
const TIMED: Partial<Record<State, Trigger[]>> = {
  COOKIE_SENT: ["exhausted"],
  VALUE_SENT: ["exhausted"],
  IDENTITY_SENT: ["exhausted"],
  VALUE_COMPUTING: ["expired"],
  VALUE_ANSWERED: ["expired"],
  IDENTITY_ANSWERING: ["expired"],
  ESTABLISHED: ["expired", "exhausted"],
};

const covers = (row: Row, role: Role) => row.as === role || row.as === "either";

/** What is wrong with a table of transitions: an empty list for a good one. */
export function tableFaults(rows: readonly Row[]): string[] {
  const faults: string[] = [];
  const triggers = new Set<string>([...Object.keys(LAYOUTS), "computed", "reserved", "exhausted", "expired"]);
  const name = ({ as, at, on }: Row) => `${as} ${at} ${on}`;
  for (const [at, one] of rows.entries()) {
    if (!STATES.includes(one.at) || one.at === "ENDED") faults.push(`${name(one)}: no state to leave`);
    if (!triggers.has(one.on)) faults.push(`${name(one)}: no such trigger`);
    if (!one.to.length) faults.push(`${name(one)}: leads nowhere`);
    for (const to of one.to) if (!STATES.includes(to)) faults.push(`${name(one)}: no state ${to}`);
    const twin = rows.slice(0, at).find((other) =>
      other.at === one.at && other.on === one.on &&
      (other.as === one.as || other.as === "either" || one.as === "either")
    );
    if (twin) faults.push(`${name(one)}: a second row`);
  }
  const roles = [["initiator", "COOKIE_SENT"], ["responder", "VALUE_COMPUTING"]] as const;
  const reachedByAny = new Set<State>(["ENDED"]);
  for (const [role, start] of roles) {
    const reached = new Set<State>([start]);
    for (const state of reached) {
      for (const one of rows) if (covers(one, role) && one.at === state) one.to.forEach((to) => reached.add(to));
      for (const on of TIMED[state] ?? []) {
        const isThere = rows.some((one) => covers(one, role) && one.at === state && one.on === on);
        if (!isThere) faults.push(`${role} ${state}: no row for ${on}`);
      }
    }
    if (!reached.has("ESTABLISHED")) faults.push(`${role}: ESTABLISHED cannot be reached`);
    if (!reached.has("ENDED")) faults.push(`${role}: ENDED cannot be reached`);
    reached.forEach((state) => reachedByAny.add(state));
  }
  for (const state of STATES) if (!reachedByAny.has(state)) faults.push(`${state} cannot be reached`);
  return faults;
}

const index = new Map<string, Row>();
for (const one of ROWS) {
  for (const role of [I, R] as const) if (covers(one, role)) index.set(`${role} ${one.at} ${one.on}`, one);
}

/**
 * Lets something happen to an exchange. What fits no row in its state is ignored.
 *
 * @returns whether a row was found
 */
export function step<T extends Trigger>(
  core: Core,
  exchange: Exchange,
  on: T,
  input: Input<T>,
  datagram: Uint8Array = new Uint8Array(),
): boolean {
  const found = index.get(`${exchange.role} ${exchange.state} ${on}`);
  if (!found) return false;
  const to = found.run(core, exchange, input, datagram);
  if (!found.to.includes(to)) throw new Error(`${exchange.role} ${found.at} ${on} may not lead to ${to}`);
  core.enter(exchange, to);
  return true;
}

/** The table as text, one row a line; a snapshot of it is under test. */
export function formatTable(): string {
  return ROWS.map(({ as, at, on, to, story }) => `${as} ${at} --${on}--> ${to.join(" | ")}: ${story}`).join("\n");
}
