// The packet path allocates nothing: over libcrypto the heap stays as it is however many packets go through.
import { assert } from "@std/assert";
import { createTuple } from "../../lib/ip/tuple.ts";
import { classify } from "../../lib/ip/classify.ts";
import { locate } from "../../lib/ipsec/locate.ts";
import { Sad } from "../../lib/ipsec/sad.ts";
import { Spd } from "../../lib/ipsec/spd.ts";
import { decapsulate, encapsulateBundle } from "../../lib/ipsec/transform.ts";
import { PROTOCOL, type SaParameters } from "../../lib/ipsec/types.ts";
import { BACKENDS } from "./backends.ts";
import { bench, counting, ipPacket } from "./support.ts";

const WARM_UP = 60_000;
const BATCH = 2000;
const BATCHES = 60;
const SHA1 = { authentication: "sha1", authenticationKey: counting(0, 20) };
const SUITES: Record<string, Partial<SaParameters>> = {
  "aes-gcm": { encryption: "aes-gcm", encryptionKey: counting(0, 20) },
  "aes sha1": { encryption: "aes", encryptionKey: counting(0, 16), ...SHA1 },
  "ah sha1": { protocol: PROTOCOL.AH, ...SHA1 },
};

// node:crypto makes objects for each packet.
for (const { make } of BACKENDS.filter(({ name }) => name === "libcrypto")) {
  for (const [name, parameters] of Object.entries(SUITES)) {
    Deno.test(`A packet through ${name} and back allocates nothing`, () => {
      const b = bench({ crypto: make });
      const { arena, packet, packetAt } = b;
      const out = b.sa({ ...parameters, tunnel: true, replayWindow: 64 });
      const sad = new Sad();
      sad.add(b.sa({ ...parameters, tunnel: true, replayWindow: 64 }));
      const spd = new Spd();
      const tuple = createTuple();
      b.put(ipPacket({ source: "192.168.1.1", destination: "192.168.2.2", protocol: 17, payload: counting(0, 200) }));
      let dropped = 0;
      const run = (packets: number) => {
        for (let i = 0; i < packets; i++) {
          packet.at = packetAt;
          packet.octets = 220;
          packet.bare = false;
          let drop = encapsulateBundle(arena, out, packet) || locate(arena, packet);
          const sa = sad.find(packet.spi, packet.protocol, packet.family, arena.view, packet.destinationAt);
          drop ||= decapsulate(arena, sa!, packet);
          if (drop !== 0 || !classify(arena.view, packet.at, packet.octets, tuple) || spd.lookup(0, tuple)) dropped++;
        }
      };
      run(WARM_UP);
      const growth: number[] = [];
      for (let i = 0; i < BATCHES; i++) {
        const before = Deno.memoryUsage().heapUsed;
        run(BATCH);
        growth.push(Deno.memoryUsage().heapUsed - before);
      }
      const median = growth.sort((a, b) => a - b)[BATCHES / 2];
      assert(dropped === 0);
      // Asking for the memory usage makes an object itself; one number a packet would be 24,000 octets or more.
      assert(median < 2 * BATCH, `${median} octets for ${BATCH} packets`);
    });
  }
}
