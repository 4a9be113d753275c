// scapy (python3-scapy) decrypts what we encrypt and we decrypt what it encrypts: every algorithm that both know, ESP and
// AH, transport and tunnel mode, IPv4 and IPv6, UDP encapsulation.
import { assert, assertEquals } from "@std/assert";
import { parseAddress } from "../../lib/ip/address.ts";
import { PROTOCOL, type SaParameters } from "../../lib/ipsec/types.ts";
import { concat } from "../../lib/octets/bytes.ts";
import { formatHex, parseHex } from "../../lib/octets/hex.ts";
import { BACKENDS } from "../ipsec/backends.ts";
import { bench, counting, ipPacket, naiveChecksum } from "../ipsec/support.ts";

/** Debian's interpreter, the one that python3-scapy is installed for. */
const PYTHON = "/usr/bin/python3";
const SCRIPT = new URL("./scapy_transforms.py", import.meta.url).pathname;

/** Our name, scapy's name, key lengths with salt. */
const CIPHERS: readonly [string, string, number[]][] = [
  ["null", "NULL", [0]],
  ["des", "DES", [8]],
  ["3des", "3DES", [24]],
  ["blf", "Blowfish", [5, 16, 20, 56]],
  ["cast", "CAST", [5, 10, 16]],
  ["aes", "AES-CBC", [16, 24, 32]],
  ["aesctr", "AES-CTR", [20, 28, 36]],
  ["aes-gcm", "AES-GCM", [20, 28, 36]],
  ["chacha20-poly1305", "CHACHA20-POLY1305", [36]],
];
const MACS: readonly [string, string, number][] = [
  ["md5", "HMAC-MD5-96", 16],
  ["sha1", "HMAC-SHA1-96", 20],
  ["sha2-256", "SHA2-256-128", 32],
  ["sha2-384", "SHA2-384-192", 48],
  ["sha2-512", "SHA2-512-256", 64],
];
const AEADS = ["aes-gcm", "chacha20-poly1305"];

interface Suite {
  parameters: Partial<SaParameters>;
  cipher: string | null;
  mac: string | null;
}

function suites(): Suite[] {
  const macs = MACS.map(([name, scapy, octets]) => ({
    mac: scapy,
    parameters: { authentication: name, authenticationKey: counting(0x40, octets) },
  }));
  const found: Suite[] = macs.map(({ mac, parameters }) => ({
    parameters: { protocol: PROTOCOL.AH, ...parameters },
    cipher: null,
    mac,
  }));
  for (const [name, scapy, lengths] of CIPHERS) {
    for (const length of lengths) {
      const encryption = { encryption: name, encryptionKey: counting(0x21, length) };
      const alone = AEADS.includes(name);
      const needsMac = name === "null" || name === "aesctr";
      if (!needsMac) found.push({ parameters: encryption, cipher: scapy, mac: null });
      if (alone) continue;
      for (const { mac, parameters } of length === lengths[0] ? macs : macs.slice(1, 2)) {
        found.push({ parameters: { ...encryption, ...parameters }, cipher: scapy, mac });
      }
    }
  }
  return found;
}

interface Form {
  family: 4 | 6;
  tunnel: boolean;
  udp: boolean;
  packet: Uint8Array;
}

const ENDS = {
  4: { source: "10.0.0.1", destination: "10.0.0.2" },
  6: { source: "2001:db8::1", destination: "2001:db8::2" },
} as const;

/** A UDP datagram with a right checksum: scapy computes it anew when it takes a packet apart and builds it again. */
function datagram(ends: { source: string; destination: string }, octets: number, tos = 0): Uint8Array {
  const udp = concat(parseHex("c0010035"), new Uint8Array([0, 8 + octets, 0, 0]), counting(0x61, octets));
  const length = new Uint8Array([0, 17, 0, udp.length]);
  const pseudo = concat(parseAddress(ends.source).octets, parseAddress(ends.destination).octets, length);
  const checksum = naiveChecksum(concat(pseudo, udp)) || 0xffff;
  udp[6] = checksum >> 8;
  udp[7] = checksum & 255;
  return ipPacket({ ...ends, protocol: 17, payload: udp, tos });
}

function forms(protocol: number): Form[] {
  const found: Form[] = [];
  for (const family of [4, 6] as const) {
    for (const udp of protocol === PROTOCOL.ESP ? [false, true] : [false]) {
      found.push({ family, tunnel: false, udp, packet: datagram(ENDS[family], 33, 0x28) });
      found.push({
        family,
        tunnel: true,
        udp,
        packet: datagram({ source: "192.168.1.1", destination: "192.168.2.2" }, 40),
      });
      found.push({
        family,
        tunnel: true,
        udp,
        packet: datagram({ source: "fd00:1::1", destination: "fd00:2::2" }, 27),
      });
    }
  }
  // scapy builds the UDP header over IPv6 with checksum 0, which is not sound; we do not produce it.
  return found.filter(({ family, udp }) => family === 4 || !udp);
}

interface Case {
  suite: Suite;
  form: Form;
  parameters: Partial<SaParameters>;
}

const CASES: Case[] = suites().flatMap((suite) =>
  forms(suite.parameters.protocol ?? PROTOCOL.ESP).map((form) => ({
    suite,
    form,
    parameters: {
      ...suite.parameters,
      source: parseAddress(ENDS[form.family].source),
      destination: parseAddress(ENDS[form.family].destination),
      tunnel: form.tunnel,
      spi: 0xfedc0001,
      ...form.udp && { udpPort: 4500 },
    },
  }))
);

const nameOf = ({ suite, form }: Case) =>
  `${suite.parameters.protocol === PROTOCOL.AH ? "AH" : "ESP"} ${suite.cipher} ${suite.mac} IPv${form.family} ` +
  `${form.tunnel ? "tunnel" : "transport"}${form.udp ? " in UDP" : ""}, IPv${form.packet[0] >> 4} inside`;

/** Lets scapy encrypt or decrypt one packet for each case. */
async function scapy(encrypt: boolean, packets: string[]): Promise<string[]> {
  const jobs = CASES.map(({ suite, form, parameters }, i) => ({
    encrypt,
    protocol: parameters.protocol ?? PROTOCOL.ESP,
    spi: parameters.spi,
    sequence: 7,
    cipher: suite.cipher,
    cipherKey: formatHex(parameters.encryptionKey ?? new Uint8Array()),
    mac: suite.mac,
    macKey: formatHex(parameters.authenticationKey ?? new Uint8Array()),
    family: form.family,
    tunnel: form.tunnel,
    udp: form.udp,
    source: ENDS[form.family].source,
    destination: ENDS[form.family].destination,
    packet: packets[i],
  }));
  const child = new Deno.Command(PYTHON, { args: [SCRIPT], stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  const written = writer.write(new TextEncoder().encode(JSON.stringify(jobs))).then(() => writer.close());
  const { success, stdout, stderr } = await child.output();
  await written.catch(() => {}); // an interpreter that died early has said why on stderr
  assert(success, new TextDecoder().decode(stderr));
  const results: { packet?: string; error?: string }[] = JSON.parse(new TextDecoder().decode(stdout));
  return results.map((result, i) => result.packet ?? `${nameOf(CASES[i])}: ${result.error}`);
}

for (const { name: backend, make } of BACKENDS) {
  Deno.test(`scapy decrypts what we encrypt: ${CASES.length} forms (${backend})`, async () => {
    const b = bench({ crypto: make, identification: 1 });
    const secured = CASES.map(({ parameters, form }) => {
      using sa = b.sa(parameters);
      return b.wrap(sa, form.packet);
    });
    const opened = await scapy(false, secured);
    opened.forEach((packet, i) => assertEquals(packet, formatHex(CASES[i].form.packet), nameOf(CASES[i])));
  });

  Deno.test(`We decrypt what scapy encrypts: ${CASES.length} forms (${backend})`, async () => {
    const b = bench({ crypto: make });
    const secured = await scapy(true, CASES.map(({ form }) => formatHex(form.packet)));
    secured.forEach((packet, i) => {
      assert(/^[0-9a-f]+$/.test(packet), packet);
      const octets = parseHex(packet);
      // scapy builds the UDP header before there is ESP behind it, so that its length says 8.
      if (CASES[i].form.udp) new DataView(octets.buffer).setUint16(24, octets.length - 20);
      using sa = b.sa({ ...CASES[i].parameters, replayWindow: 64 });
      assertEquals(b.unwrap(sa, octets), formatHex(CASES[i].form.packet), nameOf(CASES[i]));
      if (sa.replay) assertEquals(sa.replay.last, 7);
    });
  });
}
