/** Probing the path to a peer, in clear around the engine and, where a flow takes it, through the tunnel. @module */
import type { Address } from "../../ip/address.ts";
import { IcmpProbe, type ProbeAnswer } from "../../linux/icmp_probe.ts";
import type { Netlink } from "../../linux/netlink.ts";
import { findRoute, listLinks, type Route } from "../../linux/rtnetlink.ts";
import { DEFAULT_MARK } from "../../linux/sockets.ts";

/** What is known of the path to one address. */
export interface PathReport {
  readonly to: Address;
  /** Through the tunnel, or around the engine in clear. */
  readonly protectedWay: boolean;
  /** Absent: there is none. */
  readonly route?: Route;
  readonly linkMtu: number;
  /** A small probe was answered. */
  readonly reached: boolean;
  /** Who says that the address cannot be reached, and the ICMP code. */
  readonly refusal?: { readonly from: Address; readonly code: number };
  /** A router told of a smaller MTU. */
  readonly toldMtu?: number;
  /** The largest probe that was answered, when the largest that the link takes was not and no router said why. */
  readonly silentMtu?: number;
}

const SMALL_OCTETS = 84;
/** Sizes are looked for down to this; less is no path for IPv6, and none for a tunnel. */
const LEAST = { 4: 576, 6: 1280 } as const;
const WAIT_MS = 900;
const STEP_WAIT_MS = 350;
const PRECISION = 8;
const TRIES = 2;

const reply = (sequences: readonly number[]) => (answers: readonly ProbeAnswer[]) =>
  answers.some((answer) => answer.kind === "reply" && sequences.includes(answer.sequence));

/** Whether a probe of this size is answered. */
async function passes(probe: IcmpProbe, octets: number): Promise<boolean> {
  for (let tries = TRIES; tries > 0; tries--) {
    const wanted = reply([probe.send(octets)]);
    if (wanted(await probe.collect(STEP_WAIT_MS, wanted))) return true;
  }
  return false;
}

/** The largest size that passes, found by halving; `low` passes, `high` does not. */
async function search(probe: IcmpProbe, low: number, high: number): Promise<number> {
  while (high - low > PRECISION) {
    const middle = (low + high) >> 1;
    if (await passes(probe, middle)) low = middle;
    else high = middle;
  }
  return low;
}

/**
 * Probes the path to an address.
 *
 * @param protectedWay not around the engine, but as programs' packets go
 * @throws {SystemError} saying which privilege is missing
 */
export async function probePath(netlink: Netlink, to: Address, protectedWay: boolean): Promise<PathReport> {
  const mark = protectedWay ? undefined : DEFAULT_MARK;
  const route = findRoute(netlink, to, { mark });
  const link = listLinks(netlink).find(({ index }) => index === route?.device);
  const linkMtu = Math.min(route?.mtu || Infinity, link?.mtu ?? 1500);
  const base = { to, protectedWay, route, linkMtu };
  if (!route) return { ...base, reached: false };
  using probe = new IcmpProbe(to, { mark });
  const small = [probe.send(SMALL_OCTETS), probe.send(SMALL_OCTETS)];
  const large = [probe.send(linkMtu)];
  const [smallCame, largeCame] = [reply(small), reply(large)];
  const decided = (answers: readonly ProbeAnswer[]) =>
    (smallCame(answers) && (largeCame(answers) || answers.some(({ kind }) => kind === "tooBig"))) ||
    answers.some(({ kind }) => kind === "unreachable");
  const answers = await probe.collect(WAIT_MS, decided);
  const refused = answers.find((answer) => answer.kind === "unreachable");
  const tooBig = answers.find((answer) => answer.kind === "tooBig");
  const reached = smallCame(answers);
  const report = {
    ...base,
    reached,
    ...(refused?.kind === "unreachable" && { refusal: { from: refused.from, code: refused.code } }),
    ...(tooBig?.kind === "tooBig" && { toldMtu: tooBig.mtu }),
  };
  const tooLargeForLink = answers.some((answer) => answer.kind === "refused" && large.includes(answer.sequence));
  if (!reached || largeCame(answers) || tooBig || tooLargeForLink || await passes(probe, linkMtu)) return report;
  const least = LEAST[to.family];
  if (least >= linkMtu || !await passes(probe, least)) return report;
  return { ...report, silentMtu: await search(probe, least, linkMtu) };
}
