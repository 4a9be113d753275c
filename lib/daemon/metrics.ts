/** Counters in the text format of Prometheus, and a server for them. @module */
import { isAddress } from "../ip/address.ts";
import { DROPS } from "../ipsec/packet.ts";
import { formatSpi } from "./engine_views.ts";
import { PfkeyClient } from "./pfkey_client.ts";
import { fetchSnapshot, type SaStatus, type Snapshot } from "./snapshot.ts";

const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

type Labels = Readonly<Record<string, string | number>>;

/** One metric: its samples by labels. */
interface Metric {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  samples(snapshot: Snapshot): Iterable<readonly [labels: Labels, value: number]>;
}

const saLabels = ({ protocol, spi, source, destination, direction, peer }: SaStatus): Labels => ({
  protocol,
  spi: formatSpi(spi),
  source,
  destination,
  direction,
  peer,
});

/** A metric with one sample for each SA that has a value. */
const ofSas = (
  name: string,
  type: Metric["type"],
  help: string,
  value: (sa: SaStatus) => number | undefined,
): Metric => ({
  name,
  type,
  help,
  *samples({ sas }) {
    for (const sa of sas) {
      const number = value(sa);
      if (number !== undefined) yield [saLabels(sa), number];
    }
  },
});

const PROTOCOLS = ["esp", "ah", "ipip"] as const;
const DIRECTIONS = [["in", "input"], ["out", "output"]] as const;

/** A metric with one sample for each protocol and direction. */
const ofProtocols = (name: string, help: string, what: "Packets" | "Octets"): Metric => ({
  name,
  type: "counter",
  help,
  *samples({ statistics }) {
    for (const protocol of PROTOCOLS) {
      for (const [direction, prefix] of DIRECTIONS) {
        yield [{ protocol, direction }, statistics[protocol]?.[`${prefix}${what}`] ?? 0];
      }
    }
  },
});

function* counted<T>(rows: Iterable<T>, labels: (row: T) => Labels): Iterable<readonly [Labels, number]> {
  const counts = new Map<string, [Labels, number]>();
  for (const row of rows) {
    const key = JSON.stringify(labels(row));
    const count = counts.get(key);
    if (count) count[1]++;
    else counts.set(key, [labels(row), 1]);
  }
  yield* counts.values();
}

export const METRICS: readonly Metric[] = [
  {
    name: "ipsecbox_engine_info",
    type: "gauge",
    help: "The engine; its value is 1.",
    samples: ({ engine }) => [[{ crypto: engine.crypto }, 1]],
  },
  {
    name: "ipsecbox_engine_uptime_seconds",
    type: "gauge",
    help: "Seconds since the engine was started.",
    samples: ({ engine }) => [[{}, engine.upSeconds]],
  },
  ofProtocols("ipsecbox_packets_total", "Packets received and sent, by security protocol.", "Packets"),
  ofProtocols("ipsecbox_bytes_total", "Octets received and sent, by security protocol.", "Octets"),
  {
    name: "ipsecbox_drops_total",
    type: "counter",
    help: "Packets dropped, by security protocol and reason.",
    *samples({ statistics }) {
      for (const protocol of [...PROTOCOLS, "other"]) {
        for (const { name: reason } of DROPS.slice(1)) {
          yield [{ protocol, reason }, statistics[protocol]?.[reason] ?? 0];
        }
      }
    },
  },
  {
    name: "ipsecbox_cleartext_dropped_total",
    type: "counter",
    help: "Packets that came in clear though a flow demands protection.",
    samples: ({ statistics }) => [[{}, statistics.policy?.cleartext ?? 0]],
  },
  {
    name: "ipsecbox_cleartext_held_total",
    type: "counter",
    help: "Packets that would have left in clear though a flow demands protection.",
    samples: ({ statistics }) => [[{}, statistics.policy?.heldBack ?? 0]],
  },
  {
    name: "ipsecbox_sas",
    type: "gauge",
    help: "SAs, by protocol, direction and state.",
    samples: ({ sas }) => counted(sas, ({ protocol, direction, state }) => ({ protocol, direction, state })),
  },
  {
    name: "ipsecbox_flows",
    type: "gauge",
    help: "Flows, by direction and type.",
    samples: ({ flows }) => counted(flows, ({ direction, type }) => ({ direction, type })),
  },
  ofSas("ipsecbox_sa_packets_total", "counter", "Packets of an SA.", ({ packets }) => packets),
  ofSas("ipsecbox_sa_bytes_total", "counter", "Octets of an SA.", ({ bytes }) => bytes),
  ofSas("ipsecbox_sa_drops_total", "counter", "Packets of an SA that were dropped.", ({ drops }) => drops),
  ofSas("ipsecbox_sa_age_seconds", "gauge", "Seconds since an SA was made.", ({ ageSeconds }) => ageSeconds),
  ofSas(
    "ipsecbox_sa_remaining_seconds",
    "gauge",
    "Seconds until an SA's hard limit; absent without one.",
    ({ left }) => left.seconds,
  ),
  ofSas(
    "ipsecbox_sa_remaining_bytes",
    "gauge",
    "Octets until an SA's hard limit; absent without one.",
    ({ left }) => left.bytes,
  ),
  ofSas(
    "ipsecbox_sa_last_used_timestamp_seconds",
    "gauge",
    "When an SA was used last; absent for one that never was.",
    ({ lastUsed }) => lastUsed || undefined,
  ),
];

const escaped = (text: string) => text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");

function formatSample(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(String(text))}"`);
  return `${name}${pairs.length ? `{${pairs.join(",")}}` : ""} ${value}\n`;
}

/** All metrics of a snapshot, as Prometheus reads them. */
export function formatMetrics(snapshot: Snapshot): string {
  return METRICS.map(({ name, type, help, samples }) =>
    `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n` +
    Array.from(samples(snapshot), ([labels, value]) => formatSample(name, labels, value)).join("")
  ).join("");
}

/** Where metrics are served. */
export interface MetricsAddress {
  readonly hostname: string;
  readonly port: number;
}

/** The port alone means 127.0.0.1. */
const LOOPBACK = "127.0.0.1";

/** Reads `9468`, `127.0.0.1:9468` or `[::1]:9468`. @throws {SyntaxError} */
export function parseMetricsAddress(text: string): MetricsAddress {
  const match = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):)?(\d{1,5})$/.exec(text);
  const hostname = match?.[1] ?? match?.[2] ?? LOOPBACK;
  const port = Number(match?.[3]);
  if (!match || !isAddress(hostname) || port < 1 || port > 65535) {
    throw new SyntaxError(`"${text}": a port, ADDRESS:PORT or [ADDRESS]:PORT is needed`);
  }
  return { hostname, port };
}

/** A server of `/metrics` within the engine. */
export class MetricsServer {
  readonly #server: Deno.HttpServer;

  private constructor(server: Deno.HttpServer) {
    this.#server = server;
  }

  /** @throws {Error} in one line, when the address cannot be had */
  static listen({ hostname, port }: MetricsAddress, log: (text: string) => void): MetricsServer {
    try {
      return new MetricsServer(Deno.serve({ hostname, port, onListen: () => {}, onError: failed(log) }, answer));
    } catch (error) {
      throw new Error(`Cannot serve metrics on ${hostname} port ${port}: ${(error as Error).message}`);
    }
  }

  close(): Promise<void> {
    return this.#server.shutdown();
  }
}

/** Whoever asks more often gets what was answered before: each answer costs the engine some work. */
const CACHE_MS = 500;
let cached: { readonly text: Promise<string>; readonly until: number } | undefined;

async function currentText(): Promise<string> {
  using client = await PfkeyClient.connect();
  return formatMetrics(await fetchSnapshot(client, Date.now() / 1000));
}

async function answer(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (pathname !== "/metrics") return new Response("metrics are at /metrics\n", { status: 404 });
  if (request.method !== "GET" && request.method !== "HEAD") {
    return new Response("GET is allowed\n", { status: 405, headers: { allow: "GET, HEAD" } });
  }
  const now = performance.now();
  if (!cached || cached.until < now) cached = { text: currentText(), until: now + CACHE_MS };
  return new Response(await cached.text, { headers: { "content-type": CONTENT_TYPE } });
}

const failed = (log: (text: string) => void) => (error: unknown): Response => {
  log(`metrics: ${error instanceof Error ? error.message : error}`);
  return new Response("the engine does not answer\n", { status: 503 });
};
