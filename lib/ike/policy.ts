/** The question to the policy about one choice of phase 2. @module */
import { selectorId } from "../isakmp/identification.ts";
import { NegotiationError } from "./fault.ts";
import { policyAttributes } from "./policy_attributes.ts";
import type { Core, Phase1Sa, QuickState, Role } from "./state.ts";
import type { Phase2Terms } from "./terms.ts";

/** Asks the policy; returns the refusal. Without a policy everything that the configuration allows is allowed. */
export function authorize(
  core: Core,
  sa: Phase1Sa,
  { local, remote, withIds, connection }: QuickState,
  terms: readonly Phase2Terms[],
  role: Role,
): NegotiationError | undefined {
  const { environment, now } = core;
  if (!environment.authorize) return undefined;
  const attributes = policyAttributes({
    initiator: role === "initiator",
    exchange: sa.peer.exchange,
    phase1Group: sa.terms!.group,
    protocols: terms,
    remoteId: sa.remoteId!,
    localClient: withIds ? selectorId(local) : undefined,
    remoteClient: withIds ? selectorId(remote) : undefined,
    localAddress: sa.local.address,
    remoteAddress: sa.remote.address,
    now: environment.wallClock?.(now) ?? new Date(now),
  }, environment.nameText);
  const { allowed, explanation } = environment.authorize({
    attributes,
    secret: sa.secret,
    credential: sa.credential,
    peer: sa.peer.name,
    connection: connection?.name,
  });
  if (allowed) return undefined;
  return new NegotiationError("NO_PROPOSAL_CHOSEN", {
    item: "policy",
    offered: terms.map(({ text }) => text),
    detail: explanation,
  });
}
