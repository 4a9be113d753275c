import { assert, assertEquals } from "@std/assert";
import { encodePrivateKey, encodePublicKey, generateRsaKey, publicKeyOf } from "../../lib/crypto/signature.ts";
import type { Calculation, CalculationValues } from "../../lib/daemon/compute.ts";
import { ComputePool } from "../../lib/daemon/compute_pool.ts";

function run<Op extends Calculation["op"]>(pool: ComputePool, calculation: Extract<Calculation, { op: Op }>) {
  return new Promise<CalculationValues[Op]>((resolve, reject) => {
    pool.run(calculation, (value, error) => value === undefined ? reject(new Error(error)) : resolve(value));
  });
}

Deno.test("Diffie-Hellman and RSA give the same in a Worker and at once", async () => {
  for (const inlineMs of [0, Infinity]) {
    using pool = new ComputePool({ inlineMs, workers: 1 });
    const [a, b] = [
      await run(pool, { op: "generateKeyPair", group: 2 }),
      await run(pool, { op: "generateKeyPair", group: 2 }),
    ];
    const secrets = [
      await run(pool, { op: "sharedSecret", group: 2, privateKey: a.privateKey, peerPublicValue: b.publicValue }),
      await run(pool, { op: "sharedSecret", group: 2, privateKey: b.privateKey, peerPublicValue: a.publicValue }),
    ];
    assertEquals(secrets[0], secrets[1]);
    const key = generateRsaKey(1024);
    const octets = new Uint8Array(20).fill(7);
    const signature = await run(pool, { op: "sign", scheme: "rsa", privateKey: encodePrivateKey(key), octets });
    const publicKey = encodePublicKey(publicKeyOf(key));
    assert(await run(pool, { op: "verify", scheme: "rsa", publicKey, octets, signature }));
    signature[5] ^= 1;
    assertEquals(await run(pool, { op: "verify", scheme: "rsa", publicKey, octets, signature }), false);
  }
});

Deno.test("what is wrong with a peer's value comes back as words", async () => {
  using pool = new ComputePool({ inlineMs: 0, workers: 1 });
  const { privateKey } = await run(pool, { op: "generateKeyPair", group: 14 });
  const answer = Promise.withResolvers<string | undefined>();
  pool.run(
    { op: "sharedSecret", group: 14, privateKey, peerPublicValue: new Uint8Array(256) },
    (_, error) => answer.resolve(error),
  );
  assertEquals(await answer.promise, "Cannot use public value for MODP_2048: it is 0");
});

Deno.test("the main loop goes on while a large group computes, and quick groups do not wait for it", async () => {
  using pool = new ComputePool({ workers: 1 });
  for (let i = 0; i < 5; i++) await run(pool, { op: "generateKeyPair", group: 2 }); // the pool learns that this is quick
  let ticks = 0;
  const ticker = setInterval(() => ticks++, 1);
  const slow = Promise.all(Array.from({ length: 20 }, () => run(pool, { op: "generateKeyPair", group: 18 })));
  let quickDone = false;
  pool.run({ op: "generateKeyPair", group: 2 }, () => quickDone = true);
  const quickAtOnce = quickDone;
  await slow;
  assert(quickAtOnce, "a quick computation waited for slow ones");
  clearInterval(ticker);
  assert(ticks >= 10, `${ticks} ticks of 1 ms while twenty 8192-bit exponentiations ran`);
});
