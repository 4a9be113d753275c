/** The one screen of `ipsecbox status`. @module */
import { type FlowView, formatSpi } from "../../daemon/engine_views.ts";
import type { IkeReport, KeyDaemon } from "../../daemon/key_daemons.ts";
import type { SaStatus, Snapshot } from "../../daemon/snapshot.ts";
import { DROPS } from "../../ipsec/packet.ts";
import { type Column, formatAmount, formatDuration, formatOctets, formatTable } from "./text.ts";

/** Everything that the screen shows. */
export interface StatusParts {
  readonly snapshot: Snapshot;
  /** Name of the engine's interface. */
  readonly interfaceName: string;
  readonly isakmpd?: KeyDaemon & { readonly report?: IkeReport };
  readonly photurisd?: KeyDaemon;
}

/** What is left of an SA's life, the limit that comes first. */
export function formatLeft({ left }: SaStatus): string {
  const parts = [
    left.seconds === undefined ? undefined : formatDuration(left.seconds),
    left.bytes === undefined ? undefined : formatOctets(left.bytes),
  ].filter((part) => part !== undefined);
  return parts.join(", ") || "no limit";
}

export const SA_COLUMNS: readonly Column<SaStatus>[] = [
  { title: "SA", text: ({ protocol, spi }) => `${protocol} ${formatSpi(spi)}` },
  { title: "", text: ({ direction }) => direction },
  { title: "peer", text: ({ peer }) => peer },
  { title: "algorithms", text: ({ algorithms }) => algorithms },
  { title: "state", text: ({ state }) => state },
  { title: "age", right: true, text: ({ ageSeconds }) => formatDuration(ageSeconds) },
  { title: "left", right: true, text: formatLeft },
  { title: "packets", right: true, text: ({ packets }) => formatAmount(packets) },
  { title: "bytes", right: true, text: ({ bytes }) => formatOctets(bytes) },
  { title: "drops", right: true, text: ({ drops }) => formatAmount(drops) },
];

const port = (prefix: string, number: number) => number ? `${prefix} port ${number}` : prefix;

const FLOW_COLUMNS: readonly Column<FlowView>[] = [
  { title: "flow", text: ({ direction }) => direction },
  { title: "", text: ({ type }) => type },
  { title: "source", text: ({ source, sourcePort }) => port(source, sourcePort) },
  { title: "destination", text: ({ destination, destinationPort }) => port(destination, destinationPort) },
  { title: "protocol", text: ({ transport }) => transport ? String(transport) : "any" },
  {
    title: "through",
    text: ({ type, protocol, peer }) =>
      type === "bypass" || type === "deny" ? "" : `${protocol}${peer === undefined ? "" : ` ${peer}`}`,
  },
];

/** Reasons for which packets were dropped, with their counts: `esp  3 that failed authentication`. */
export function dropLines({ statistics }: Snapshot): string[] {
  return ["esp", "ah", "ipip", "other"].flatMap((protocol) =>
    DROPS.slice(1).flatMap(({ name, text }) => {
      const count = statistics[protocol]?.[name] ?? 0;
      return count ? [`${protocol === "other" ? "" : `${protocol} `}${count} ${text}`] : [];
    })
  );
}

/** `in 12 packets 1.0 kB, out 12 packets 1.0 kB`, all protocols together. */
function trafficLine({ statistics }: Snapshot): string {
  const sum = (counter: string) =>
    ["esp", "ah", "ipip"].reduce((total, protocol) => total + (statistics[protocol]?.[counter] ?? 0), 0);
  const way = (prefix: string) =>
    `${formatAmount(sum(`${prefix}Packets`))} packets ${formatOctets(sum(`${prefix}Octets`))}`;
  return `in ${way("input")}, out ${way("output")}`;
}

const count = (number: number, one: string, more = `${one}s`) => `${number} ${number === 1 ? one : more}`;

function isakmpdLines({ isakmpd }: StatusParts): string[] {
  if (!isakmpd) return ["not running"];
  const { process, report } = isakmpd;
  if (!report) return [`process ${process}`];
  return [
    `process ${process}, ${count(report.phase1, "phase 1 SA")}, ${count(report.phase2, "phase 2 pair")}, ` +
    count(report.exchanges.length, "exchange"),
    ...report.connections.map((line) => `connection ${line}`),
    ...report.exchanges,
  ];
}

/** Lines under a word at the margin. */
const block = (word: string, lines: readonly string[]) =>
  lines.map((line, i) => `${(i ? "" : word).padEnd(11)}${line}`);

/** The screen as lines. */
export function statusLines(parts: StatusParts): string[] {
  const { snapshot, interfaceName, photurisd } = parts;
  const { engine, sas, flows, statistics } = snapshot;
  const { cleartext = 0, heldBack = 0 } = statistics.policy ?? {};
  const drops = dropLines(snapshot);
  return [
    ...block("engine", [
      `process ${engine.process}, up ${formatDuration(engine.upSeconds)}, interface ${interfaceName}, ${engine.crypto}`,
    ]),
    ...block("traffic", [trafficLine(snapshot)]),
    ...block("cleartext", [`${cleartext} dropped by policy, ${heldBack} held back`]),
    ...block("drops", drops.length ? drops : ["none"]),
    ...block("isakmpd", isakmpdLines(parts)),
    ...block("photurisd", [photurisd ? `process ${photurisd.process}` : "not running"]),
    "",
    ...(sas.length ? formatTable(SA_COLUMNS, sas) : ["no SAs"]),
    "",
    ...(flows.length ? formatTable(FLOW_COLUMNS, flows) : ["no flows"]),
  ];
}
