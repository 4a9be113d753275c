import { assert } from "@std/assert";
import { parseAttributesConf } from "../../lib/config/photuris_attributes.ts";
import { parsePhoturisConf } from "../../lib/config/photuris_conf.ts";
import { formatFault } from "../../lib/config/photuris_reader.ts";
import { parseSecretsConf } from "../../lib/config/photuris_secrets.ts";
import { parseStartup } from "../../lib/config/photuris_startup.ts";
import { type Bytes, concat } from "../../lib/octets/bytes.ts";
import { parseHex } from "../../lib/octets/hex.ts";
import { DecodeError } from "../../lib/octets/reader.ts";
import {
  decodeMasked,
  describe,
  describeMasked,
  LAYOUTS,
  type MaskedName,
  padding,
} from "../../lib/photuris/messages.ts";
import { SCHEMES } from "../../lib/photuris/schemes.ts";
import { corrupt, Network, SeededRandom } from "../simulation/network.ts";
import { offer, pair, SMALL_PRIMES } from "../photuris/host.ts";
import { fileOf, type Recording } from "../photuris/record.ts";

const ROUNDS = Number(Deno.env.get("FUZZ_ROUNDS") ?? 20_000);

function samples(): Bytes[] {
  return SCHEMES.flatMap(({ number }) =>
    (JSON.parse(Deno.readTextFileSync(fileOf(number))) as Recording).datagrams.map(({ datagram }) => parseHex(datagram))
  );
}

/** A sample, damaged: bits, stretches, ends, pieces of others. */
function mutate(random: SeededRandom, all: readonly Bytes[]): Bytes {
  let octets = random.pick(all).slice() as Bytes;
  for (let times = random.below(4); times >= 0; times--) {
    const way = random.below(6);
    if (way === 0) octets = octets.slice(0, random.below(octets.length + 1)) as Bytes;
    else if (way === 1) octets = concat(octets, random.octets(random.below(40)));
    else if (way === 2 && octets.length > 32) octets[32] = random.below(16);
    else if (way === 3 && octets.length > 36) {
      octets[33 + random.below(octets.length - 33)] = random.pick([0, 1, 127, 128, 254, 255]);
    } else if (way === 4) octets = concat(octets.subarray(0, 40), random.pick(all).subarray(random.below(40)));
    else if (octets.length) corrupt(octets, random);
  }
  return octets;
}

Deno.test("Whatever octets come, they are described or refused, and nothing else is thrown", () => {
  const random = new SeededRandom(1);
  const all = samples();
  const masked = (Object.keys(LAYOUTS) as MaskedName[]).filter((name) => LAYOUTS[name].masked);
  for (let round = 0; round < ROUNDS; round++) {
    const lines = describe(mutate(random, all));
    assert(lines.length >= 1 && lines[0].startsWith("Photuris"));
    const name = random.pick(masked);
    const content = random.chance(0.5) ? random.octets(random.below(80)) : mutate(random, all).slice(40) as Bytes;
    try {
      const { fields } = decodeMasked(name, concat(content, padding(8 + random.below(248))));
      describeMasked(name, fields);
    } catch (error) {
      assert(error instanceof DecodeError, String(error));
    }
  }
});

Deno.test("A host survives damaged datagrams in every state, and keys all the same afterwards", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const network = new Network(seed);
    const schemes = [offer(random8(seed)), offer(2, SMALL_PRIMES[64])];
    const { west, east } = pair(network, seed, { schemes }, { schemes });
    const random = new SeededRandom(seed);
    const seen: Bytes[] = samples().slice(0, 12);
    network.tap = (now, from, to, octets) => {
      seen.push(octets);
      const target = to.address === west.addresses[0] ? west : east;
      for (let copies = random.below(8); copies > 0; copies--) {
        // Its own cookies, so that it gets past the first check.
        const damaged = random.chance(0.7) ? octets.slice() : mutate(random, seen);
        if (damaged.length > 34) damaged.set(octets.subarray(0, 32));
        if (damaged.length > 40) {
          damaged[random.pick([32, 33, 34, 36, 40]) + random.below(damaged.length - 40)] ^= 1 << random.below(8);
        }
        network.at(now + random.below(20), () => target.onDatagram(network.now, from, to, damaged), target);
      }
    };
    west.start(east);
    network.run(60_000);
    network.tap = undefined;
    network.run(300_000); // what the attacker has spoilt is over
    west.start(east);
    network.run(network.now + 200_000);
    assert(west.outcomes.at(-1)?.established, `seed ${seed}: ${[...west.log, "east:", ...east.log].join("\n")}`);
  }
});

const random8 = (seed: number) => seed % 3 === 0 ? 8 : 4;

const FILES = {
  "photuris.conf": parsePhoturisConf,
  "attributes.conf": parseAttributesConf,
  "secrets.conf": (text: string) => parseSecretsConf(text),
  "photuris.startup": parseStartup,
};

Deno.test("Whatever stands in a configuration file, it is read or its faults have their lines", () => {
  const random = new SeededRandom(4);
  for (const [name, parse] of Object.entries(FILES)) {
    const good = Deno.readTextFileSync(new URL(`../../examples/photuris/etc/${name}`, import.meta.url)).replaceAll(
      /^# (?=[a-zA-Z]+=)/gm,
      "",
    );
    const lines = good.split("\n");
    for (let round = 0; round < ROUNDS / 20; round++) {
      const mutated = lines.slice();
      for (let times = random.below(4); times >= 0; times--) {
        const at = random.below(mutated.length);
        const line = mutated[at];
        const cut = random.below(line.length + 1);
        mutated[at] = random.pick([
          line.slice(cut),
          line.slice(0, cut) + String.fromCharCode(random.below(300)) + line.slice(cut),
          line + line,
          random.pick(lines),
          "",
        ]);
      }
      const { faults } = parse(mutated.join("\n"));
      for (const fault of faults) {
        assert(fault.line <= mutated.length && formatFault(fault).startsWith(name), formatFault(fault));
        assert(!/should be changed/.test(fault.message), "a secret in a fault");
      }
    }
  }
});
