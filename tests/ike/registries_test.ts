// Every word that isakmpd.conf allows for a transform of phase 1 or 2 ends in SAs whose keys both sides agree on: ciphers
// x hashes x methods with real signatures, every group in both phases and both exchanges, ESP ciphers x authenticators x
// modes, AH. What is added to a registry is tested here without being named.
import { assertEquals } from "@std/assert";
import { AUTHENTICATORS, ESP_CIPHERS } from "../../lib/crypto/algorithms.ts";
import {
  encodePrivateKey,
  encodePublicKey,
  generateRsaKey,
  type KeyObject,
  parsePrivateKey,
  publicKeyOf,
} from "../../lib/crypto/signature.ts";
import {
  AH_WORDS,
  AUTHENTICATION_WORDS,
  ENCAPSULATION_WORDS,
  ENCRYPTION_WORDS,
  ESP_WORDS,
  GROUP_WORDS,
  HASH_WORDS,
} from "../../lib/config/isakmpd_words.ts";
import { calculate, type Scheme } from "../../lib/daemon/compute.ts";
import { IKE_AUTHENTICATION, type IKE_GROUP, nameOf } from "../../lib/isakmp/numbers.ts";
import { blocked, type Compute, realCompute, toyCompute } from "../simulation/ike_node.ts";
import { type Phase1Options, phase1Transform, type Phase2Options, suite } from "./configurations.ts";
import { connected, NAME, type Options } from "./gateways.ts";

/** Both directions work with the same keys; returns west's outbound SA. */
function agree(options: Options, what: string) {
  const { west, east } = connected(options);
  const told = [...west.texts("failed"), ...east.texts("failed")];
  assertEquals([blocked(west, east, NAME), blocked(east, west, NAME)], [undefined, undefined], `${what}: ${told}`);
  assertEquals([...told, ...west.kernel.complaints, ...east.kernel.complaints], [], what);
  return west.kernel.current(NAME)!;
}

// ---- phase 1: cipher x hash x method -------------------------------------------------------------------------------

/** Each cipher with each of its usual key lengths. */
const CIPHERS = ESP_CIPHERS.filter(({ ikeCipherName }) =>
  ikeCipherName && ENCRYPTION_WORDS.usable.includes(ikeCipherName)
)
  .flatMap((row): Pick<Phase1Options, "cipher" | "keyBits">[] => {
    const cipher = row.ikeCipherName as Phase1Options["cipher"];
    if (row.keyLengthAttribute === "forbidden") return [{ cipher }];
    const lengths = [...new Set([row.key.min, 16, 24, row.key.max])].filter((octets) =>
      octets >= row.key.min && octets <= row.key.max && octets % 8 === 0
    );
    return lengths.map((octets) => ({ cipher, keyBits: 8 * octets }));
  });

const ecKey = async (namedCurve: string) => {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve }, true, ["sign"]) as CryptoKeyPair;
  return parsePrivateKey(new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey)));
};

/** A key of each method that signs. */
const KEYS: Readonly<Record<string, () => KeyObject | Promise<KeyObject>>> = {
  RSA_SIG: () => generateRsaKey(1024),
  DSS: () => parsePrivateKey(Deno.readFileSync(new URL("../vectors/x509/dsa.key", import.meta.url))),
  ECDSA_256: () => ecKey("P-256"),
  ECDSA_384: () => ecKey("P-384"),
  ECDSA_521: () => ecKey("P-521"),
};
const SCHEMES: Readonly<Record<string, Scheme>> = { RSA_SIG: "rsa", DSS: "dsa" };

/** Signs and verifies as the daemon's Workers do. */
function signing(key: KeyObject): Compute {
  const privateKey = encodePrivateKey(key), publicKey = encodePublicKey(publicKeyOf(key));
  return (task, random) => {
    if (task.op !== "sign" && task.op !== "verify") return realCompute(task, random);
    const scheme = SCHEMES[nameOf(IKE_AUTHENTICATION, task.method)] ?? "ecdsa";
    if (task.op === "sign") {
      const signature = calculate({ op: "sign", scheme, privateKey, octets: task.octets });
      return { ok: true, value: { signature, certificates: [] } } as ReturnType<Compute>;
    }
    const { octets, signature } = task;
    const good = calculate({ op: "verify", scheme, publicKey, octets, signature });
    return good ? { ok: true, value: {} } : { ok: false, error: "the signature does not match" };
  };
}

for (const method of AUTHENTICATION_WORDS.usable as Phase1Options["method"][]) {
  Deno.test(`phase 1 with ${method}: every cipher with every hash`, async () => {
    const key = method === "PRE_SHARED" ? undefined : await KEYS[method!]();
    // Key lengths have nothing to do with signatures: one of each cipher is enough for these.
    const ciphers = key ? CIPHERS.filter(({ cipher }, i) => cipher !== CIPHERS[i + 1]?.cipher) : CIPHERS;
    for (const cipher of ciphers) {
      for (const hash of HASH_WORDS.usable as Phase1Options["hash"][]) {
        const transforms = [phase1Transform({ ...cipher, hash, method })];
        const options = key
          ? { peer: { transforms, secret: undefined }, compute: signing(key) }
          : { peer: { transforms } };
        agree(options, `${cipher.cipher} ${cipher.keyBits ?? ""} ${hash}`);
      }
    }
  });
}

// ---- groups --------------------------------------------------------------------------------------------------------

for (const word of GROUP_WORDS.usable) {
  Deno.test(`${word} in both phases, Main and Aggressive Mode`, () => {
    const group = (word === "CURVE25519" ? "CURVE_25519" : word) as keyof typeof IKE_GROUP;
    for (const exchange of ["ID_PROT", "AGGRESSIVE"] as const) {
      const peer = { exchange, transforms: [phase1Transform({ group })] };
      agree({ peer, compute: realCompute, suites: [suite({ pfs: group })] }, exchange);
    }
  });
}

// ---- phase 2 -------------------------------------------------------------------------------------------------------

const keyed = AUTHENTICATORS.filter(({ authentication }) => authentication !== undefined);

Deno.test("ESP: every cipher with every authenticator that goes with it, in both modes", () => {
  let count = 0;
  for (const row of ESP_CIPHERS) {
    if (row.espTransform === undefined || !ESP_WORDS.usable.includes(row.espTransformName!)) continue;
    const keyBits = row.keyLengthAttribute === "forbidden" ? undefined : 8 * Math.min(32, row.key.max);
    const authentications = row.aead
      ? [null]
      : keyed.filter(({ uses }) => uses.includes("esp")).map((mac) => mac.authenticationName);
    for (const authentication of authentications as Phase2Options["authentication"][]) {
      for (const mode of ENCAPSULATION_WORDS.usable as Phase2Options["mode"][]) {
        const options = { cipher: row.espTransformName as Phase2Options["cipher"], keyBits, authentication, mode };
        const sa = agree({ suites: [suite(options)], compute: toyCompute }, JSON.stringify(options));
        assertEquals([sa.encryption, sa.tunnel], [row.name, mode === "TUNNEL"]);
        count++;
      }
    }
  }
  assertEquals(count > 60, true, `${count} negotiations`);
});

Deno.test("AH: every transform, alone and around ESP", () => {
  for (const row of keyed) {
    if (!AH_WORDS.usable.includes(row.ahTransformName!)) continue;
    const ah = { protocol: "AH", ah: row.ahTransformName, authentication: row.authenticationName } as Phase2Options;
    assertEquals(agree({ suites: [suite(ah)] }, row.name).authentication, row.name);
    agree({ suites: [suite(ah, {})] }, `${row.name} and ESP`);
  }
});
