/**
 * Records one exchange of each scheme with all its secrets: two seeded hosts, six messages, then an SPI_Update, an
 * SPI_Needed and its answer. `deno run -A tests/photuris/record.ts` writes tests/vectors/photuris/.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { formatHex } from "../../lib/octets/hex.ts";
import { messageName } from "../../lib/photuris/messages.ts";
import { type OfferedScheme, type Scheme, schemeOf, SCHEMES } from "../../lib/photuris/schemes.ts";
import { Network } from "../simulation/network.ts";
import { DEFINITIONS, type Host, type Installed, offer, pair, SMALL_PRIMES } from "./host.ts";

export const VECTORS = join(dirname(fileURLToPath(import.meta.url)), "..", "vectors", "photuris");

/** Attributes that go round over the schemes, so that every algorithm and identification is recorded. */
const OFFERS = [
  [6, 5, 2, 254, 18, 6, 1, 254, 5],
  [5, 2, 8, 1, 5],
  [7, 2, 254, 16, 7, 1, 254, 7],
  [6, 2, 254, 17, 5, 1, 6],
];

/** Offers with which a scheme is chosen: itself, and what it refers to for the modulus. */
export function offersFor(scheme: Scheme): OfferedScheme[] {
  const [base] = scheme.refersTo;
  const prime = SMALL_PRIMES[256];
  return base === undefined ? [offer(scheme.number, prime)] : [offer(scheme.number), offer(base, prime)];
}

export interface Recording {
  readonly scheme: number;
  readonly name: string;
  readonly generator: string;
  readonly modulus: string;
  readonly keyOctets: Record<string, number>;
  readonly initiator: { name: string; secret: string; exponent: string };
  readonly responder: { name: string; secret: string; exponent: string };
  readonly datagrams: { from: "initiator" | "responder"; message: string; datagram: string }[];
  readonly spis: { owner: "initiator" | "responder"; spi: number; keys: [number, string][] }[];
}

const keysOf = ({ sections }: Installed): [number, string][] =>
  sections.flatMap(({ encryption, authentication }) =>
    [encryption, authentication].flatMap((one): [number, string][] =>
      one ? [[one.definition.number, formatHex(one.key)]] : []
    )
  );

function exponentOf(host: Host): string {
  const job = host.computations.find(({ job }) => job.kind === "power" && job.base.length === 1)!.job;
  return job.kind === "power" ? formatHex(job.exponent) : "";
}

/** Runs and records one exchange. */
export function record(number: number): Recording {
  const scheme = schemeOf(number)!;
  const at = SCHEMES.indexOf(scheme);
  const network = new Network(number);
  const options = { schemes: offersFor(scheme), offers: OFFERS[at % OFFERS.length] };
  const { west, east } = pair(network, number, options, options);
  const datagrams: Recording["datagrams"] = [];
  network.tap = (_now, from, _to, octets) => {
    const sender = from.address === west.addresses[0] ? "initiator" : "responder";
    datagrams.push({ from: sender, message: messageName(octets[32])!, datagram: formatHex(octets) });
  };
  west.start(east);
  network.run(400_000); // both have renewed what they own
  // The initiator loses every SPI_Update from here on until it asks.
  network.conditions = (from) => ({
    loss: from.address === east.addresses[0] ? 1 : 0,
    duplication: 0,
    reordering: 0,
    reorderMs: 0,
    corruption: 0,
    delayMs: [5, 5],
  });
  const last = west.of("user").at(-1)!;
  network.run(network.now + 400_000, () => west.of("user").at(-1) !== last || isAsking(datagrams));
  network.conditions = { loss: 0, duplication: 0, reordering: 0, reorderMs: 0, corruption: 0, delayMs: [5, 5] };
  network.run(network.now + 10_000);
  const { generator, modulus } = offersFor(scheme).find(({ group }) => group)!.group!;
  const owned = (host: Host, owner: "initiator" | "responder") =>
    host.of("owner").map((sa) => ({ owner, spi: sa.spi, keys: keysOf(sa), at: sa.at }));
  const announced = [...owned(west, "initiator"), ...owned(east, "responder")];
  // In the order of the messages that announced them.
  const order = datagrams.filter(({ message }) => /^Identity_|SPI_Update/.test(message)).map(({ datagram }) =>
    Number(BigInt(`0x${datagram.slice(72, 80)}`))
  );
  const spis = [...new Set(order)].flatMap((spi) =>
    announced.filter((one) => one.spi === spi).map(({ owner, spi, keys }) => ({ owner, spi, keys }))
  );
  return {
    scheme: number,
    name: scheme.name,
    generator: formatHex(generator),
    modulus: formatHex(modulus),
    keyOctets: Object.fromEntries(
      DEFINITIONS.filter(({ keyOctets }) => keyOctets).map((one) => [one.number, one.keyOctets]),
    ),
    initiator: { name: "west", secret: "the west's secret", exponent: exponentOf(west) },
    responder: { name: "east", secret: "the east's secret", exponent: exponentOf(east) },
    datagrams,
    spis,
  };
}

const isAsking = (datagrams: Recording["datagrams"]) => datagrams.at(-1)?.message === "SPI_Needed";

export const fileOf = (number: number): string => join(VECTORS, `${schemeOf(number)!.name}.json`);

/** A recording as its file has it. */
export const formatRecording = (recording: Recording): string => JSON.stringify(recording, undefined, 2) + "\n";

if (import.meta.main) {
  Deno.mkdirSync(VECTORS, { recursive: true });
  for (const { number } of SCHEMES) Deno.writeTextFileSync(fileOf(number), formatRecording(record(number)));
}
