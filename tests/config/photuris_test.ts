import { assert, assertEquals } from "@std/assert";
import { isProbablePrime, toBigInt } from "../../lib/crypto/bignum.ts";
import { groupOf } from "../../lib/crypto/group.ts";
import { listFor, parseAttributesConf } from "../../lib/config/photuris_attributes.ts";
import { parsePhoturisConf } from "../../lib/config/photuris_conf.ts";
import { type Fault, formatFault } from "../../lib/config/photuris_reader.ts";
import { parseSecretsConf, secretBook } from "../../lib/config/photuris_secrets.ts";
import { parseStartup } from "../../lib/config/photuris_startup.ts";
import { formatAddress, formatPrefix, parseAddress } from "../../lib/ip/address.ts";
import { decodeText } from "../../lib/octets/bytes.ts";
import { formatHex } from "../../lib/octets/hex.ts";
import { formatScheme, modulusBits } from "../../lib/photuris/schemes.ts";

const shipped = (name: string) =>
  Deno.readTextFileSync(new URL(`../../examples/photuris/etc/${name}`, import.meta.url));
const texts = (faults: readonly Fault[]) => faults.map(formatFault);
/** The 512-bit modulus and what else is commented out, in force. */
const whole = () => shipped("photuris.conf").replaceAll(/^# (?=modulus)/gm, "");

Deno.test("The shipped photuris.conf is read without a word", () => {
  const conf = parsePhoturisConf(shipped("photuris.conf"));
  assertEquals(conf.faults, []);
  assertEquals(conf.schemes.map(formatScheme), [
    "DH_G_2_3DES_SHA1 0",
    "DH_G_2_DES_MD5 0",
    "DH_G_2_MD5 2048",
    "DH_G_2_MD5 1024",
  ]);
  assertEquals(conf.times, {
    maxRetransmits: 3,
    retransmitTimeout: 7,
    exchangeTimeout: 60,
    exchangeLifetime: 3000,
    spiLifetime: 600,
  });
});

Deno.test("All four shipped moduli are safe primes; the larger ones are RFC 3526's, and 512 bits bring a warning", () => {
  const { moduli, faults } = parsePhoturisConf(whole());
  assertEquals(moduli.map(modulusBits), [2048, 1024, 3072, 512]);
  assertEquals(texts(faults).map((text) => text.replace(/:\d+:/, ":N:")), [
    "photuris.conf:N: warning: a modulus of 512 bits protects nothing: it is for old peers only",
  ]);
  for (const { modulus, generator } of moduli) {
    assertEquals(formatHex(generator), "02");
    assert(isProbablePrime(modulus));
    const half = (toBigInt(modulus) - 1n) / 2n;
    assert(
      isProbablePrime(
        new Uint8Array(
          half.toString(16).padStart(2 * modulus.length, "0").match(/../g)!.map((pair) => parseInt(pair, 16)),
        ),
      ),
    );
  }
  for (const [number, at] of [[14, 0], [15, 2]] as const) {
    assertEquals(formatHex(moduli[at].modulus), formatHex(groupOf(number).modp!.modulus));
  }
});

Deno.test("OpenBSD's own file is read: its order, its numbers, the manual page's spelling", () => {
  const conf = parsePhoturisConf(`
modulus 2 0xda583c16d9852289d0e4af756f4cca92dd4be533b804fb0fed94ef9c8a4403ed574650d36999db29d776276ba2d3d412e218f4dd1e084cf6d8003e7c4774e833
exchange DH_G_2_3DES_SHA1 0
exchange DH_G_2_MD5 512
config exchange_max_retries 4
config exchange_retransmit_timeout 10
config exchange_timeout 60
config exchange_lifetime 1000
config spi_lifetime 180
`);
  assertEquals(texts(conf.faults).length, 1);
  assertEquals(conf.schemes.map(formatScheme), ["DH_G_2_3DES_SHA1 0", "DH_G_2_MD5 512"]);
  assertEquals([conf.times.maxRetransmits, conf.times.spiLifetime], [4, 180]);
});

Deno.test("Every fault of photuris.conf is told at once, with its line", () => {
  const good = whole();
  const lines = good.split("\n").length;
  const conf = parsePhoturisConf(`${good}
moduls 2 ff
modulus 2 12xz
modulus 2 ffffffff
modulus 2
exchange DH_G_2_MD6 1024
exchange DH_G_2_MD5 many
exchange DH_G_2_MD5 1536
exchange DH_G_3_3DES_SHA1 0
exchange DH_G_2_MD5 0
exchange DH_G_2_MD5 1024
config spi_lifetme 5
config exchange_timeout 0
config exchange_timeout 20
`);
  assertEquals(
    texts(conf.faults.filter(({ line }) => line === 0 || line >= lines)).map((text) =>
      text.replace(`photuris.conf:`, "").replace(/^(\d+)/, (line) => String(Number(line) - lines))
    ),
    [
      '1: found "moduls", allowed: modulus, exchange, config; did you mean "modulus"?',
      '2: found "x", allowed: a hexadecimal number',
      "3: found a modulus of 32 bits, allowed: 512 and more",
      "4: allowed: modulus GENERATOR HEX-MODULUS",
      '5: found scheme "DH_G_2_MD6", allowed: DH_G_2_MD5, DH_G_3_MD5, DH_G_2_DES_MD5, DH_G_5_MD5, DH_G_3_DES_MD5, ' +
      "DH_G_VAR_MD5, DH_G_2_3DES_SHA1, DH_G_5_DES_MD5, DH_G_3_3DES_SHA1, DH_G_VAR_DES_MD5, DH_G_5_3DES_SHA1, " +
      'DH_G_VAR_3DES_SHA1; did you mean "DH_G_2_MD5"?',
      '6: found "many", allowed: the bits of a modulus, or 0',
      '11: found parameter "spi_lifetme", allowed: exchange_max_retransmits, exchange_retransmit_timeout, ' +
      'exchange_timeout, exchange_lifetime, spi_lifetime, spi_bytes; did you mean "spi_lifetime"?',
      '12: exchange_timeout: found "0", allowed: a whole number from 1',
      " exchange_timeout is 20, at least 21 is needed: exchange_max_retransmits times exchange_retransmit_timeout",
      "7: warning: no modulus of 1536 bits with generator 2 is configured: DH_G_2_MD5 skipped",
      "9: warning: DH_G_2_MD5 needs a modulus of its own: 0 bits skipped",
      "10: warning: DH_G_2_MD5 1024 stands here twice; skipped",
      "8: warning: DH_G_3_3DES_SHA1 0 refers to the moduli of DH_G_3_MD5 and DH_G_3_DES_MD5: none is offered",
    ],
  );
});

Deno.test("DH_G_2_MD5 is added where it is missing; without a modulus for it there is no starting", () => {
  const modulus = whole().split("\n").find((line) => line.startsWith("modulus"))!;
  const added = parsePhoturisConf(modulus);
  assertEquals(added.schemes.map(formatScheme), ["DH_G_2_MD5 2048"]);
  assertEquals(texts(added.faults), ["photuris.conf: warning: DH_G_2_MD5 is mandatory: added with 2048 bits"]);
  assertEquals(texts(parsePhoturisConf("").faults), [
    "photuris.conf: DH_G_2_MD5 is mandatory, and there is no modulus with generator 2 for it",
  ]);
});

Deno.test("The shipped attributes.conf offers what OpenBSD's offers, in its order", () => {
  const conf = parseAttributesConf(shipped("attributes.conf"));
  assertEquals(conf.faults, []);
  assertEquals(conf.lists, [{ numbers: [6, 5, 2, 254, 16, 18, 17, 6, 5, 1, 254, 5, 6] }]);
  assertEquals([...conf.definitions.values()].map(({ number, keyOctets }) => [number, keyOctets]), [
    [6, 20],
    [5, 16],
    [254, 0],
    [16, 56],
    [18, 24],
    [17, 16],
  ]);
});

Deno.test("A file of 1998 gives one attribute two names; lists for networks follow the default list", () => {
  const conf = parseAttributesConf(`
AT_MD5_DP, 5, ident,
AT_ESP_ATTRIB
AT_DES_CBC, 8, enc, 8
AT_AH_ATTRIB
AT_MD5_KDP, 5, auth, 16
10.0.0.0 255.0.0.0
AT_MD5_DP
10.1.0.0/16
AT_MD5_DP
AT_AH_ATTRIB
2001:db8:: 32
AT_MD5_DP
`);
  assertEquals(texts(conf.faults), []);
  assertEquals(conf.definitions.get(5), {
    number: 5,
    name: "AT_MD5_KDP",
    uses: new Set(["identity", "authentication"] as const),
    keyOctets: 16,
  });
  assertEquals(listFor(conf, parseAddress("192.0.2.1")), [5, 2, 8, 1, 5]);
  assertEquals(listFor(conf, parseAddress("10.9.9.9")), [5]);
  assertEquals(listFor(conf, parseAddress("10.1.9.9")), [5, 1]);
  assertEquals(listFor(conf, parseAddress("2001:db8::9")), [5]);
  assertEquals(conf.lists.map(({ peers }) => peers && formatPrefix(peers)), [
    undefined,
    "10.0.0.0/8",
    "10.1.0.0/16",
    "2001:db8::/32",
  ]);
});

Deno.test("Every fault of attributes.conf is told at once; what the engine cannot do is left out with a warning", () => {
  const conf = parseAttributesConf(`
10.0.0.0 255.0.255.0
AT_UNKNOWN
AT_A, x, enc, 8
AT_B, 18, encrypt, 24
AT_C, 18, enc, 16
AT_D, 9, enc, 8
AT_D
AT_E, 99,,
AT_F, 18, ident, 0
AT_AH_ATTRIB, 1,,
AT_G, 1,,
AT_H, 5, auth, 16, 3
AT_I, 5, auth, 999
AT_HMAC, 254,,
AT_J, 5, auth, 32
10.0.0.0 255.0.0.0
AT_HMAC
`);
  assertEquals(texts(conf.faults).map((text) => text.replace("attributes.conf:", "")), [
    '2: found "10.0.0.0 255.0.255.0", allowed: ADDRESS NETMASK, a NAME, or NAME, ID, TYPE, KEYLENGTH',
    '3: found "AT_UNKNOWN", which is not defined above',
    '4: AT_A: found id "x", allowed: 1 to 255',
    '5: AT_B: found type "encrypt", allowed: ident, enc, auth, joined by |, or none',
    "6: AT_C: found a key of 16 octets, allowed: 24",
    "7: warning: AT_D: the engine has no encryption for attribute 9; ignored",
    "9: warning: AT_E: flag 99 is unknown; ignored",
    "10: AT_F: attribute 18 cannot identify; 5, 6 and 7 can",
    "11: AT_AH_ATTRIB is defined above already",
    "12: AT_G: id 1 is a section marker",
    "13: allowed: NAME, ID, TYPE, KEYLENGTH",
    '14: AT_I: found key length "999", allowed: 0 to 255 octets',
    " AT_J: has 32 octets of key; with the HMAC flag 16 are needed",
  ]);
  assertEquals(texts(parseAttributesConf("10.0.0.0 255.0.0.0").faults), [
    "attributes.conf: the default list, which comes before the first address, is empty",
  ]);
});

Deno.test("secrets.conf: quotes of both kinds, pairs, lookups; the last word is a placeholder's", () => {
  const conf = parseSecretsConf(`
identity local "Default" "alpha's secret"
  identity remote 'Default' 'be"ta'
identity pair local "peer" "me" "pair secret"
identity lookup "users:" niels
identity remote "Default" "again"
identity remote "changed" "This should be changed."
`);
  assertEquals(texts(conf.faults), [
    'secrets.conf:6: warning: "Default" stands at secrets.conf:3 already; ignored',
    'secrets.conf:7: warning: the secret of "changed" is the one that everybody knows; change it',
  ]);
  const [local] = conf.locals;
  assertEquals([local.name, decodeText(local.secret.reveal()), local.entry], [
    "Default",
    "alpha's secret",
    "secrets.conf:2",
  ]);
  assertEquals(decodeText(conf.remotes[0].secret.reveal()), 'be"ta');
  assertEquals(conf.lookups, [{ prefix: "users:", user: "niels", line: 5 }]);
  assertEquals(conf.pairs.map(({ remoteName, identity }) => [remoteName, identity.name]), [["peer", "me"]]);
});

Deno.test("Faults of secrets.conf have their lines and never the secret", () => {
  const conf = parseSecretsConf(`identity locl "a" "hush1"
identity local "a hush2"
identity local "a "hush3"
identity local "a" ""
identity pair local "a" "hush4"
identiy local "a" "hush5"
identity hush6
`);
  assertEquals(texts(conf.faults), [
    'secrets.conf:1: after identity is allowed: local, pair, remote, lookup; did you mean "local"?',
    'secrets.conf:2: allowed: identity local "NAME" "SECRET"',
    "secrets.conf:3: a string does not end",
    "secrets.conf:4: a name or secret is empty",
    'secrets.conf:5: allowed: identity pair local "REMOTE NAME" "MY NAME" "SECRET"',
    'secrets.conf:6: the first word is allowed: identity; did you mean "identity"?',
    "secrets.conf:7: after identity is allowed: local, pair, remote, lookup",
  ]);
});

Deno.test("A book searches the host first, then users; a user's file answers for that user alone", () => {
  const host = parseSecretsConf(`identity local "host" "h"
identity pair local "peer" "host-to-peer" "hp"
identity remote "peer" "p"
identity lookup "u:" ann`);
  const ann = parseSecretsConf(
    `identity local "ann" "a"
identity pair local "bob" "ann-to-bob" "ab"
identity remote "bob" "b"
identity remote "peer" "other"`,
    "/home/ann/.photuris_secrets",
    "ann",
    "u:",
  );
  const book = secretBook(host, new Map([["ann", ann]]));
  assertEquals([book.local()?.name, book.local("ann")?.name, book.local("nobody")?.name], ["host", "u:ann", "host"]);
  assertEquals([book.remote("peer")?.entry, book.remote("bob")?.entry], [
    "secrets.conf:3",
    "/home/ann/.photuris_secrets:3",
  ]);
  assertEquals(book.remote("bob")?.user, "ann");
  assertEquals([book.pairLocal("peer")?.name, book.pairLocal("bob")?.name], ["host-to-peer", undefined]);
  assertEquals([book.pairLocal("bob", "ann")?.name, book.pairLocal("peer", "ann")?.name], ["u:ann-to-bob", undefined]);
  assertEquals(texts(parseSecretsConf('identity lookup "x" y', "f", "ann").faults), [
    "f:1: after identity is allowed: local, pair, remote",
  ]);
});

Deno.test("photuris.startup: entries over several lines, separated by blank ones", () => {
  const { entries, faults } = parseStartup(`# two of them
dst=208.2.2.2  options=enc,auth spi_lifetime=600
tsrc=192.168.99.0/255.255.255.0
# a comment does not end an entry
tdst=208.1.2.0/24


dst=gate.example.org port=7468 options=auth user=ann exchange_lifetime=900
`);
  assertEquals(texts(faults), []);
  const [tunnel, host] = entries;
  assertEquals([tunnel.line, tunnel.dst, tunnel.spiLifetime], [2, "208.2.2.2", 600]);
  assertEquals(tunnel.options, { encryption: true, authentication: true });
  assertEquals(
    tunnel.tunnel && [formatPrefix(tunnel.tunnel.source), formatAddress(tunnel.tunnel.destination.address)],
    ["192.168.99.0/24", "208.1.2.0"],
  );
  assertEquals([host.dst, host.port, host.user, host.exchangeLifetime, host.tunnel], [
    "gate.example.org",
    7468,
    "ann",
    900,
    undefined,
  ]);
  assertEquals(host.options, { encryption: false, authentication: true });
});

Deno.test("Faults of photuris.startup name the entry's line, the word and what is allowed", () => {
  const { entries, faults } = parseStartup(`options=enc

dst=a_b

dst=10.0.0.1 port=0 options=encrypt spi_lifetime=never dest=1 dst=10.0.0.2 tsrc=10.0.0.0/33 =x user=

dst=10.0.0.3 tsrc=10.0.0.0/8

dst=10.0.0.4 tsrc=10.0.0.0/8 tdst=2001:db8::/32
`);
  assertEquals(entries.map(({ dst }) => dst), ["10.0.0.1", "10.0.0.3", "10.0.0.4"]);
  assertEquals(texts(faults).map((text) => text.replace("photuris.startup:", "")), [
    "1: dst is missing: dst=ADDRESS is needed",
    '3: dst: found "a_b", allowed: an address or a host name',
    '5: warning: found key "dest", which is unknown; did you mean "dst"?; ignored',
    "5: dst stands twice in one entry",
    '5: found "=x", allowed: KEY=VALUE',
    '5: found "user=", allowed: KEY=VALUE',
    '5: tsrc: found "10.0.0.0/33", allowed: ADDRESS/NETMASK or ADDRESS/LENGTH',
    "5: tsrc stands alone: a tunnel needs tsrc and tdst",
    '5: port: found "0", allowed: 1 to 65535',
    '5: spi_lifetime: found "never", allowed: 1 to 16777215',
    '5: options: found "encrypt", allowed: enc, auth or enc,auth',
    "7: tsrc stands alone: a tunnel needs tsrc and tdst",
    "9: tsrc and tdst are of different address families",
  ]);
});
