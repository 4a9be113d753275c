// Mutated and random messages: an answer or a typed error, never anything else, and nothing that grows.
import { assert, assertEquals } from "@std/assert";
import { describeOctets } from "../../lib/pfkey/describe.ts";
import { decodeMessage, encodeMessage, Framer } from "../../lib/pfkey/message.ts";
import { type MESSAGE_TYPES, PfkeyError } from "../../lib/pfkey/numbers.ts";
import { flowExtensions } from "../../lib/pfkey/flow_message.ts";
import { pairExtensions } from "../../lib/pfkey/pair_message.ts";
import { identityExtensions, saExtensions } from "../../lib/pfkey/sa_message.ts";
import { KeyEngine } from "../../lib/engine/key_engine.ts";
import { espSa, flow, seeded, WEST } from "../engine/harness.ts";
import { EVERY } from "../pfkey/every.ts";

const ROUNDS = 30_000;

function corpus(): Uint8Array[] {
  const message = (type: keyof typeof MESSAGE_TYPES, extensions = {}) =>
    encodeMessage({ type, satype: "ESP", seq: 1, pid: 5, extensions });
  return [
    message("ADD", EVERY),
    message("ADD", saExtensions(espSa({ selector: flow().selector, udpPort: 4500 }), true)),
    message("UPDATE", saExtensions(espSa(), true)),
    message("GETSPI", { ADDRESS_SRC: EVERY.ADDRESS_SRC, ADDRESS_DST: EVERY.ADDRESS_SRC, SPIRANGE: EVERY.SPIRANGE }),
    message("DELETE", identityExtensions(espSa())),
    message("GET", identityExtensions(espSa(), WEST)),
    message("X_ADDFLOW", flowExtensions(flow({ spi: 0x1000 }))),
    message("X_DELFLOW", flowExtensions(flow(), "delete")),
    message("X_GRPSPIS", pairExtensions(espSa(), espSa({ spi: 0x1001 }))),
    message("X_BINDSA", pairExtensions(espSa(), espSa({ spi: 0x1001 }))),
    message("X_SYSCTL", { X_TEXT: "net.inet.ip.ipsec-timeout=10" }),
    message("X_ASKPOLICY", { X_POLICY: { seq: 1 } }),
    message("ACQUIRE", { ADDRESS_SRC: EVERY.ADDRESS_SRC, ADDRESS_DST: EVERY.ADDRESS_SRC, PROPOSAL: EVERY.PROPOSAL }),
    ...(["REGISTER", "FLUSH", "DUMP", "X_SPDDUMP", "X_STATISTICS", "X_PROMISC"] as const).map((type) => message(type)),
  ];
}

/** Changes octets, cuts, doubles pieces; half of the time the length field is made right again. */
function mutate(random: (octets: number) => Uint8Array, seed: Uint8Array): Uint8Array {
  const number = (limit: number) => limit ? new DataView(random(4).buffer).getUint32(0) % limit : 0;
  let octets = seed.slice();
  for (let i = number(4); i >= 0; i--) {
    const at = number(octets.length);
    switch (number(5)) {
      case 0:
        octets[at] = random(1)[0];
        break;
      case 1:
        octets[at] ^= 1 << number(8);
        break;
      case 2:
        octets = octets.slice(0, number(octets.length) & ~7);
        break;
      case 3: {
        const from = at & ~7;
        octets = Uint8Array.from([...octets, ...octets.subarray(from, from + 8 * (1 + number(6)))]);
        break;
      }
      default:
        octets.set(random(Math.min(8, octets.length - at)), at);
    }
  }
  if (number(2) && octets.length >= 16) {
    octets[0] = 2;
    new DataView(octets.buffer, octets.byteOffset).setUint16(4, octets.length / 8, true);
    octets.set([5, 0, 0, 0], 12);
  }
  return octets;
}

Deno.test("decoding what is mutated gives a message or a PfkeyError, and what is decoded can be encoded", () => {
  const random = seeded(4711);
  const seeds = corpus();
  let decoded = 0;
  for (let i = 0; i < ROUNDS; i++) {
    const octets = i % 10 ? mutate(random, seeds[i % seeds.length]) : random(random(1)[0]);
    try {
      const message = decodeMessage(octets);
      decoded++;
      const again = decodeMessage(encodeMessage(message));
      assertEquals(again.type, message.type);
      assert(describeOctets(octets).length > 0);
    } catch (error) {
      assert(error instanceof PfkeyError, `${error}`);
    }
  }
  assert(decoded > ROUNDS / 20, `${decoded} decoded`);
});

Deno.test("an engine under mutated requests answers, keeps its tables in order and does not grow", () => {
  const random = seeded(42);
  const engine = new KeyEngine({ random: seeded(43) });
  const seeds = corpus();
  engine.connect(1);
  engine.connect(2);
  let answers = 0;
  for (let i = 0; i < ROUNDS; i++) {
    const octets = i % 7 ? mutate(random, seeds[i % seeds.length]) : seeds[random(1)[0] % seeds.length];
    for (const effect of engine.onMessage(1 + i % 2, octets, 1e12 + i)) {
      if (effect.kind === "send") {
        answers++;
        // A refusal repeats the header it answers, whatever that says.
        if (effect.message.length > 16 || !effect.message[2]) decodeMessage(effect.message);
      } else if (effect.kind === "dump") {
        for (let row = effect.messages.next(); !row.done; row = effect.messages.next()) decodeMessage(row.value);
      }
    }
    if (i % 100 === 0) engine.onTick(1e12 + i);
    if (i % 2000 === 0) assert(engine.saCount < 3000 && engine.flowCount < 3000);
  }
  assert(answers > ROUNDS / 2);
  assertEquals([...engine.sas()].length, engine.saCount);
});

Deno.test("a stream of mutated messages is cut or refused", () => {
  const random = seeded(99);
  const seeds = corpus();
  for (let i = 0; i < 2000; i++) {
    const framer = new Framer();
    try {
      for (let j = 0; j < 20; j++) {
        for (const octets of framer.push(mutate(random, seeds[j % seeds.length]))) assert(octets.length >= 16);
      }
      assert(framer.pending <= 8 * 0xffff);
    } catch (error) {
      assert(error instanceof PfkeyError, `${error}`);
    }
  }
});
