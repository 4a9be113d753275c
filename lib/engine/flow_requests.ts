/** Requests about flows and ACQUIREs: X_ADDFLOW, X_DELFLOW, X_ASKPOLICY, ACQUIRE. @module */
import { authenticatorByName, cipherByName, forKeyLength } from "../crypto/algorithms.ts";
import type { Extensions } from "../pfkey/extensions.ts";
import { flowSetOf, readFlow, selectorOf } from "../pfkey/flow_message.ts";
import { identitiesOf, saTypeOf } from "../pfkey/nouns.ts";
import { PfkeyError } from "../pfkey/numbers.ts";
import type { Acquire } from "./acquires.ts";
import type { Request } from "./sa_requests.ts";
import type { EngineState } from "./state.ts";

/**
 * An administrator's (static) flow is left alone, with success, by a program that is none. Where OpenBSD deletes an
 * existing flow when the new one's type is unknown, nothing is changed here.
 */
export function addFlow(state: EngineState, { message }: Request): void {
  const flow = readFlow(message.satype, message.extensions);
  const before = state.flows.find(flow.selector);
  if (!before?.static || flow.static) state.setFlow(flow);
  state.broadcast(message);
}

export function deleteFlow(state: EngineState, { message }: Request): void {
  const selector = selectorOf(message.extensions);
  const flow = state.flows.find(selector);
  if (!flow) throw new PfkeyError("ESRCH", "No such flow");
  const administrator = Boolean(message.extensions.X_FLOW_TYPE!.flags);
  if (!flow.static || administrator) state.removeFlow(flow);
  state.broadcast(message);
}

/** The selector is told as packets leave us; the flow type's number is the transport protocol. */
export function tellPolicy(state: EngineState, { client, message }: Request): void {
  const acquire = state.acquires.bySeq(message.extensions.X_POLICY!.seq);
  if (!acquire) throw new PfkeyError("ESRCH", "No such ACQUIRE any more");
  const set = flowSetOf(acquire.selector);
  state.reply(client, {
    ...message,
    extensions: {
      ...set,
      X_FLOW_TYPE: { ...set.X_FLOW_TYPE!, proto: acquire.selector.transport },
      X_POLICY: message.extensions.X_POLICY,
    },
  });
}

/** From a key management program: the failure of a negotiation, or a wish of its own (RFC 2367 3.1.6 b and c). */
export function passAcquire(state: EngineState, { message }: Request): void {
  if (message.errno) {
    state.log("debug", `acquire ${message.seq} failed: ${message.errno}`);
    state.broadcast(message);
  } else if (!state.toRegistered(message.satype, message)) {
    throw new PfkeyError("EPROTONOSUPPORT", `Nobody is registered for ${message.satype}`);
  }
}

/** The ACQUIRE of the engine itself, sent to those registered for the flow's SA type. */
export function sendAcquire(state: EngineState, acquire: Acquire): void {
  const { flow, gateway, local, seq } = acquire;
  state.toRegistered(saTypeOf(flow.protocol), {
    type: "ACQUIRE",
    satype: saTypeOf(flow.protocol),
    seq,
    pid: 0,
    extensions: {
      ADDRESS_SRC: local && { address: local, port: 0 },
      ADDRESS_DST: { address: gateway, port: 0 },
      ...identitiesOf(flow),
      PROPOSAL: proposal(state, flow.protocol === 50),
    },
  });
}

/** One combination, from the knobs. */
function proposal(state: EngineState, encrypts: boolean): Extensions["PROPOSAL"] {
  const knob = (name: string) => state.sysctl.number(`net.inet.ip.ipsec-${name}`);
  const cipher = encrypts ? cipherByName(state.sysctl.get("net.inet.ip.ipsec-enc-alg")) : undefined;
  const authenticator = cipher?.aead ? undefined : authenticatorByName(state.sysctl.get("net.inet.ip.ipsec-auth-alg"));
  return {
    replay: 64,
    combinations: [{
      auth: forKeyLength(authenticator?.pfkey, authenticator?.key.recommended ?? 0) ?? 0,
      encrypt: forKeyLength(cipher?.pfkey, cipher?.key.recommended ?? 0) ?? 0,
      flags: knob("pfs"),
      authMinBits: 8 * (authenticator?.key.min ?? 0),
      authMaxBits: 8 * (authenticator?.key.max ?? 0),
      encryptMinBits: 8 * (cipher?.key.min ?? 0),
      encryptMaxBits: 8 * (cipher?.key.max ?? 0),
      softAllocations: knob("soft-allocs"),
      hardAllocations: knob("allocs"),
      softBytes: knob("soft-bytes"),
      hardBytes: knob("bytes"),
      softAddSeconds: knob("soft-timeout"),
      hardAddSeconds: knob("timeout"),
      softUseSeconds: knob("soft-firstuse"),
      hardUseSeconds: knob("firstuse"),
    }],
  };
}
