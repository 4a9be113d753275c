/** What the counters of SAs tell: wrong keys, wrong SPIs, one-way traffic. @module */
import { formatSpi } from "../../daemon/engine_views.ts";
import type { SaStatus, Snapshot } from "../../daemon/snapshot.ts";
import { equalAddress, formatAddress } from "../../ip/address.ts";
import type { DropName } from "../../ipsec/packet.ts";
import type { Context } from "./context.ts";
import type { Finding } from "./finding.ts";

/** Reasons that another key or another algorithm gives. */
const KEY_REASONS: readonly DropName[] = ["badIcv", "badPadding", "badLength", "badInner"];
/** Packets that went out before silence means something. */
const MIN_SENT = 3;
/** Drops that are few among the packets of a working SA are somebody else's rubbish. */
const TOLERATED_SHARE = 0.1;

const sum = (statistics: Snapshot["statistics"], protocol: string, reasons: readonly string[]) =>
  reasons.reduce((total, reason) => total + (statistics[protocol]?.[reason] ?? 0), 0);

const nameOf = ({ protocol, spi, destination }: SaStatus) => `${protocol} ${spi} ${destination}`;

export function checkKeys({ engine, sas }: Context): Finding[] {
  if (!engine) return [];
  const { before, after } = engine;
  const earlier = new Map(before.sas.map((sa) => [nameOf(sa), sa]));
  return sas.flatMap((sa) => {
    if (sa.direction === "out" || !sa.drops || !sum(after.statistics, sa.protocol, KEY_REASONS)) return [];
    const was = earlier.get(nameOf(sa));
    const now = was && sa.drops > was.drops && sa.packets === was.packets;
    if (!now && sa.packets && sa.drops / (sa.packets + sa.drops) < TOLERATED_SHARE) return [];
    const reasons = KEY_REASONS.filter((reason) => after.statistics[sa.protocol]?.[reason]);
    const how = reasons[0] === "badIcv" ? "failed authentication" : "could not be decrypted";
    return [{
      id: "key-mismatch",
      problem:
        `${sa.drops} packets of ${sa.peer} for SA ${sa.protocol} ${
          formatSpi(sa.spi)
        } ${how}, ${sa.packets} were good: ` +
        `the two ends have different keys or algorithms (here: ${sa.algorithms})`,
      remedies: [
        `ipsecadm show   # on both ends: algorithms and key lengths of SPI ${formatSpi(sa.spi)} must be the same`,
        `ipsecadm delspi -dst ${sa.destination} -spi ${
          sa.spi.toString(16)
        } -proto ${sa.protocol}   # then "new" with the peer's key, on both`,
      ],
    }];
  });
}

export function checkSpis({ engine, heard, peers, asked }: Context): Finding[] {
  if (!engine) return [];
  const concerned = heard.filter(({ source }) => !asked || peers.some((peer) => equalAddress(peer, source)));
  const found = concerned.map(({ protocol, spi, source, destination, packets }): Finding => {
    const from = formatAddress(source);
    const ours = engine.after.sas.filter((sa) => sa.direction === "in" && sa.peer === from && sa.protocol === protocol);
    const have = ours.length
      ? `; from it we have ${ours.map((sa) => formatSpi(sa.spi)).join(", ")}`
      : "; we have none from it";
    return {
      id: "spi-mismatch",
      problem:
        `${from} sends ${protocol.toUpperCase()} with SPI ${formatSpi(spi)} (${packets} packets while I listened), ` +
        `for which there is no SA here${have}`,
      remedies: [
        `ipsecadm new ${protocol} -src ${from} -dst ${formatAddress(destination)} -spi ${
          spi.toString(16)
        } ...   # with the peer's algorithms and keys`,
        "or make the peer use ours; with isakmpd on both ends, restart the one that was not restarted",
      ],
    };
  });
  if (found.length) return found;
  const count = sum(engine.after.statistics, "esp", ["noSa"]) + sum(engine.after.statistics, "ah", ["noSa"]);
  const works = engine.after.sas.some((sa) => sa.direction === "in" && sa.packets);
  if (!count || works) return [];
  return [{
    id: "spi-mismatch",
    problem: `${count} packets have come with an SPI for which there is no SA, and none for an SA that we have`,
    remedies: ["ipsecbox dump esp or ah   # shows sender and SPI while the peer sends"],
  }];
}

/** The SAs with one peer of one protocol, each way. */
function byPeer(sas: readonly SaStatus[]): Map<string, { out: SaStatus[]; in: SaStatus[] }> {
  const peers = new Map<string, { out: SaStatus[]; in: SaStatus[] }>();
  for (const sa of sas) {
    const key = `${sa.protocol.toUpperCase()} ${sa.peer}`;
    const pair = peers.get(key) ?? { out: [], in: [] };
    pair[sa.direction].push(sa);
    peers.set(key, pair);
  }
  return peers;
}

const packetsOf = (sas: readonly SaStatus[]) => sas.reduce((total, { packets }) => total + packets, 0);

export function checkOneWay({ engine, sas, heard }: Context): Finding[] {
  if (!engine) return [];
  const earlier = byPeer(engine.before.sas);
  return Array.from(byPeer(sas)).flatMap(([name, pair]) => {
    const [protocol, peer] = name.split(" ");
    const was = earlier.get(name) ?? { out: [], in: [] };
    const sent = packetsOf(pair.out) - packetsOf(was.out);
    const came = packetsOf(pair.in) - packetsOf(was.in);
    const never = packetsOf(pair.out) >= MIN_SENT && packetsOf(pair.in) === 0;
    const stopped = sent >= MIN_SENT && came === 0;
    const dropped = pair.in.some(({ drops }) => drops > 0) ||
      heard.some(({ source }) => formatAddress(source) === peer);
    if (dropped || !(never || stopped)) return [];
    const counts = never
      ? `${packetsOf(pair.out)} packets went to it, none has come from it`
      : `${sent} packets went to it while I looked, none came from it`;
    return [{
      id: "one-way",
      problem: `${protocol} with ${peer} goes one way: ${counts}`,
      remedies: [
        `ipsecbox doctor   # on ${peer}: it may drop them (its netstat -s), have no SA or flow for the way back, or a filter`,
        `ipsecbox dump host ${peer}   # on both ends: where do packets get lost? A filter between must let ${protocol} through`,
      ],
    }];
  });
}
