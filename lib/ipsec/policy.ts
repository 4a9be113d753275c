/** Judging what came out of SAs (RFC 2401 5.2.1). @module */
import { classifyQuoted } from "../ip/classify.ts";
import { createTuple, mirrorTuple, TUPLE } from "../ip/tuple.ts";
import type { Arena } from "../octets/arena.ts";
import { DROP } from "./packet.ts";
import type { Sa } from "./sa.ts";
import { ACTION, DIRECTION, type Spd, type SpdEntry } from "./spd.ts";

const mirrored = createTuple();
const quoted = createTuple();
const answer = createTuple();

function sameEnd(family: number, words: Int32Array, otherFamily: number, other: Int32Array, from: number): boolean {
  if (family !== otherFamily || words[0] !== other[from]) return false;
  return family === 4 ||
    (words[1] === other[from + 1] && words[2] === other[from + 2] && words[3] === other[from + 3]);
}

/**
 * Whether one of the SAs is what the entry asks for: its protocol, and coming from the entry's peer (or, where that is the
 * packet's own other end, from the packet's source). An SA without source is bound to no peer.
 */
function satisfies(entry: SpdEntry, tuple: Int32Array, used: readonly (Sa | null)[], count: number): boolean {
  for (let i = 0; i < count; i++) {
    const sa = used[i]!;
    if (sa.protocol !== entry.protocol) continue;
    if (!sa.sourceKnown) return true;
    const right = entry.peer !== null
      ? sameEnd(sa.family, sa.source, entry.peerFamily, entry.peer, 0)
      : sameEnd(sa.family, sa.source, tuple[TUPLE.FAMILY], tuple, TUPLE.SOURCE);
    if (right) return true;
  }
  return false;
}

/** Whether the packet is the SA's own peer speaking, a peer that no flow is about. */
function isPlainPeer(spd: Spd, tuple: Int32Array, used: readonly (Sa | null)[], count: number): boolean {
  for (let i = 0; i < count; i++) {
    const sa = used[i]!;
    if (!sameEnd(sa.family, sa.source, tuple[TUPLE.FAMILY], tuple, TUPLE.SOURCE)) return false;
    if (spd.namesPeer(sa.family, sa.source)) return false;
  }
  return true;
}

function judge(spd: Spd, tuple: Int32Array, used: readonly (Sa | null)[], count: number): number {
  const entry = spd.lookup(DIRECTION.IN, tuple);
  if (entry !== null) {
    if (entry.action === ACTION.BYPASS) return DROP.none;
    if (entry.action === ACTION.DENY) return DROP.denied;
    return satisfies(entry, tuple, used, count) ? DROP.none : DROP.policy;
  }
  // OpenBSD 2.6 and 2.7 know outgoing flows alone: the answer to what a flow sends is what may come.
  mirrorTuple(tuple, mirrored);
  const back = spd.lookup(DIRECTION.OUT, mirrored);
  if (back !== null && back.action === ACTION.APPLY && satisfies(back, tuple, used, count)) return DROP.none;
  return isPlainPeer(spd, tuple, used, count) ? DROP.none : DROP.policy;
}

/**
 * Whether a packet may pass that came through the first `count` SAs of `used` (outermost first): 0, `policy` or `denied`.
 *
 * - The inner source must be the `proxy` of every SA that has one, and the packet what the last SA was negotiated for.
 * - An `in` flow for it: `deny` and `bypass` do that; any other wants its protocol and its peer among the SAs.
 * - No such flow: an `out` flow for the answer, through the same peer, allows it. So does, for a peer that no flow names,
 *   a packet from the peer itself (host to host without any flow).
 * - An ICMP error that fails this is judged by the packet it quotes, with its ends swapped.
 */
export function checkInbound(
  spd: Spd,
  arena: Arena,
  at: number,
  octets: number,
  tuple: Int32Array,
  used: readonly (Sa | null)[],
  count: number,
): number {
  for (let i = 0; i < count; i++) {
    const { proxy } = used[i]!;
    if (proxy !== null && !sameEnd(proxy.family, proxy.words, tuple[TUPLE.FAMILY], tuple, TUPLE.SOURCE)) {
      return DROP.policy;
    }
  }
  const { selector } = used[count - 1]!;
  const drop = selector !== null && !selector.contains(tuple) ? DROP.policy : judge(spd, tuple, used, count);
  if (drop !== DROP.policy || !classifyQuoted(arena.view, at, octets, quoted)) return drop;
  mirrorTuple(quoted, answer);
  if (selector !== null && !selector.contains(answer)) return drop;
  return judge(spd, answer, used, count) === DROP.none ? DROP.none : drop;
}
