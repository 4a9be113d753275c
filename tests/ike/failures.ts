/** Every way in which a negotiation fails, as edits of two configurations or of what happens between them. @module */
import { parseIni } from "../../lib/config/ini.ts";
import { type IsakmpdConf, resolveIsakmpdConf } from "../../lib/config/isakmpd_conf.ts";
import type { Environment } from "../../lib/ike/events.ts";
import { parseAddress } from "../../lib/ip/address.ts";
import { decodeHeader, decodePayloads, encodeMessage, isEncrypted, type Payload } from "../../lib/isakmp/message.ts";
import { DOI, EXCHANGE, NOTIFY, type NotifyName, PAYLOAD, PROTOCOL_ID } from "../../lib/isakmp/numbers.ts";
import { NOTIFY_LAYOUT } from "../../lib/isakmp/payloads.ts";
import { type Bytes, concat } from "../../lib/octets/bytes.ts";
import { type Compute, Gateway, realCompute, toyCompute } from "../simulation/ike_node.ts";
import { Network } from "../simulation/network.ts";
import { EAST, WEST } from "./gateways.ts";

/** One end's file. */
const confText = (side: "west" | "east"): string => {
  const [own, peer, address, other, own24, other24] = side === "west"
    ? [WEST, "east", EAST, "Connections", "192.168.1.0", "192.168.2.0"]
    : [EAST, "west", WEST, "Passive-connections", "192.168.2.0", "192.168.1.0"];
  return `[General]
Listen-on=${own}
[Phase 1]
${address}=${peer}
[Phase 2]
${other}=tunnel
[${peer}]
Phase=1
Address=${address}
Configuration=main
Authentication=a key that is long enough
[main]
EXCHANGE_TYPE=ID_PROT
Transforms=phase1
[phase1]
ENCRYPTION_ALGORITHM=AES_CBC
KEY_LENGTH=128
HASH_ALGORITHM=SHA2_256
AUTHENTICATION_METHOD=PRE_SHARED
GROUP_DESCRIPTION=MODP_2048
Life=main-life
[main-life]
LIFE_TYPE=SECONDS
LIFE_DURATION=3600,1800:7200
[tunnel]
Phase=2
ISAKMP-peer=${peer}
Configuration=quick
Local-ID=own
Remote-ID=other
[own]
ID-type=IPV4_ADDR_SUBNET
Network=${own24}
Netmask=255.255.255.0
[other]
ID-type=IPV4_ADDR_SUBNET
Network=${other24}
Netmask=255.255.255.0
[quick]
EXCHANGE_TYPE=QUICK_MODE
Suites=suite
[suite]
Protocols=protocol
[protocol]
PROTOCOL_ID=IPSEC_ESP
Transforms=phase2
[phase2]
TRANSFORM_ID=AES
KEY_LENGTH=128
ENCAPSULATION_MODE=TUNNEL
AUTHENTICATION_ALGORITHM=HMAC_SHA2_256
GROUP_DESCRIPTION=MODP_2048
Life=quick-life
[quick-life]
LIFE_TYPE=SECONDS
LIFE_DURATION=1200,600:2400
[RSA]
ID-type=FQDN
Name=gw.example.org
`;
};

type Edits = readonly (readonly [from: string, to: string])[];

/** What happens between the two. */
export interface Meddling {
  readonly network: Network;
  readonly west: Gateway;
  readonly east: Gateway;
}

/** A way to fail. */
export interface Failure {
  readonly title: string;
  /** For both files, then for one. */
  readonly both?: Edits;
  readonly west?: Edits;
  readonly east?: Edits;
  readonly eastEnvironment?: Partial<Environment>;
  readonly westEnvironment?: Partial<Environment>;
  readonly westCompute?: Compute;
  readonly eastCompute?: Compute;
  readonly meddle?: (ends: Meddling) => void;
  /** East does not begin, whatever its file says. */
  readonly eastRests?: true;
  /** The files alone do not show it: `ipsecbox check` finds that they agree, or something else. */
  readonly beyondFiles?: true;
}

const AGGRESSIVE: Edits = [["ID_PROT", "AGGRESSIVE"]];
const SIGNATURES: Edits = [
  ["AUTHENTICATION_METHOD=PRE_SHARED", "AUTHENTICATION_METHOD=RSA_SIG"],
  ["Authentication=a key that is long enough\n", "ID=RSA\n"],
];

/** From the message of that number on (counted from 1, copies not) `instead` gets what would reach an end. */
function divert(end: Gateway, first: number, instead: Gateway["onDatagram"]): void {
  const seen = new Set<string>();
  const deliver = end.onDatagram.bind(end);
  end.onDatagram = (now, from, to, octets) => {
    seen.add(octets.join());
    (seen.size < first ? deliver : instead)(now, from, to, octets);
  };
}

/** Loses what one end sends, from its `first` message on. */
const lose = (side: "west" | "east", first: number) => ({ west, east }: Meddling) =>
  divert(side === "west" ? east : west, first, () => {});

/** East answers the message of that number with a notify in clear instead. */
const answerInClear = (type: NotifyName, message: number) => ({ network, east }: Meddling) =>
  divert(east, message, (_now, from, to, octets) => {
    network.send(to, from, notifyInClear(decodeHeader(octets).header, type));
  });

function notifyInClear(header: ReturnType<typeof decodeHeader>["header"], type: NotifyName): Bytes {
  const body = NOTIFY_LAYOUT.encode({
    doi: DOI.IPSEC,
    protocol: PROTOCOL_ID.ISAKMP,
    type: NOTIFY[type],
    spi: new Uint8Array(0),
    data: new Uint8Array(0),
  });
  const payloads: Payload[] = [{ type: PAYLOAD.NOTIFY, body }];
  return encodeMessage({ ...header, exchange: EXCHANGE.INFO, flags: 0, messageId: 7 }, payloads);
}

/** East's answers come from another address. */
const answerFrom = (address: string) => ({ west }: Meddling) => {
  const deliver = west.onDatagram.bind(west);
  west.onDatagram = (now, from, to, octets) => deliver(now, { ...from, address: parseAddress(address) }, to, octets);
};

/** Changes messages of one end that are in clear. */
const damage = (side: "west" | "east", type: number, change: (body: Bytes) => Bytes) => ({ west, east }: Meddling) => {
  const gateway = side === "west" ? east : west;
  const deliver = gateway.onDatagram.bind(gateway);
  gateway.onDatagram = (now, from, to, octets) => deliver(now, from, to, changed(octets, type, change));
};

function changed(octets: Bytes, type: number, change: (body: Bytes) => Bytes): Bytes {
  const { header, body } = decodeHeader(octets);
  if (isEncrypted(header)) return octets;
  const { payloads } = decodePayloads(header.nextPayload, body);
  return encodeMessage(
    header,
    payloads.map((payload) => payload.type === type ? { ...payload, body: change(payload.body) } : payload),
  );
}

/** Signatures that succeed, or fail with what the daemon says of certificates and keys. */
const signing = (fails: { sign?: string; verify?: string } = {}): Compute => (task, random) => {
  const error = fails[task.op as "sign" | "verify"];
  if (error) return { ok: false, error };
  if (task.op === "sign") return { ok: true, value: { signature: new Uint8Array(64), certificates: [] } };
  if (task.op === "verify") return { ok: true, value: {} };
  return toyCompute(task, random);
};

const attribute = (title: string, tag: string, from: string, to: string): Failure => ({
  title,
  west: [[`${tag}=${from}`, `${tag}=${to}`]],
});

const PHASE_2 = "[phase2]\nTRANSFORM_ID=AES\nKEY_LENGTH=128\n";

export const FAILURES: readonly Failure[] = [
  // ---- who is that? ------------------------------------------------------------------------------------------------
  {
    title: "an address that [Phase 1] does not have",
    east: [[`${WEST}=west`, "192.0.2.77=other"], [
      "[main]\n",
      "[other]\nPhase=1\nAddress=192.0.2.77\nConfiguration=main\nAuthentication=a key that is long enough\n[main]\n",
    ]],
  },
  { title: "Main Mode here, Aggressive Mode there", east: AGGRESSIVE },
  { title: "Aggressive Mode here, Main Mode there", west: AGGRESSIVE },
  {
    title: "another ID than Remote-ID, in Main Mode",
    east: [["Configuration=main\n", "Configuration=main\nRemote-ID=RSA\n"]],
  },
  {
    title: "another ID than Remote-ID, in Aggressive Mode",
    both: AGGRESSIVE,
    east: [["Configuration=main\n", "Configuration=main\nRemote-ID=RSA\n"]],
  },
  {
    title: "the responder's ID is another than Remote-ID",
    west: [["Configuration=main\n", "Configuration=main\nRemote-ID=RSA\n"]],
  },

  // ---- phase 1 attributes ------------------------------------------------------------------------------------------
  attribute("phase 1: ENCRYPTION_ALGORITHM", "ENCRYPTION_ALGORITHM", "AES_CBC\nKEY_LENGTH=128", "3DES_CBC"),
  { title: "phase 1: KEY_LENGTH", west: [["AES_CBC\nKEY_LENGTH=128", "AES_CBC\nKEY_LENGTH=256,192:256"]] },
  attribute("phase 1: HASH_ALGORITHM", "HASH_ALGORITHM", "SHA2_256", "SHA"),
  { title: "phase 1: AUTHENTICATION_METHOD", west: SIGNATURES },
  {
    title: "phase 1: GROUP_DESCRIPTION",
    west: [["PRE_SHARED\nGROUP_DESCRIPTION=MODP_2048", "PRE_SHARED\nGROUP_DESCRIPTION=MODP_1024"]],
  },
  attribute("phase 1: LIFE_DURATION", "LIFE_DURATION", "3600,1800:7200", "86400"),
  {
    title: "phase 1: nothing in common among several transforms",
    west: [["Transforms=phase1", "Transforms=3DES-SHA,BLF-SHA"]],
  },

  // ---- pre-shared keys ---------------------------------------------------------------------------------------------
  { title: "different pre-shared keys in Main Mode", west: [["long enough", "long enough, too"]] },
  {
    title: "different pre-shared keys in Aggressive Mode",
    both: AGGRESSIVE,
    west: [["long enough", "long enough, too"]],
  },
  {
    title: "no pre-shared key for whom Default answers, in Main Mode",
    east: [
      [`${WEST}=west`, "Default=west"],
      [`Address=${WEST}\n`, ""],
      ["Authentication=a key that is long enough\n", ""],
      ["[main]\n", "[alice.example.org]\nAuthentication=a key that is long enough\n[main]\n"],
    ],
  },
  {
    title: "no pre-shared key for the initiator's ID, in Aggressive Mode",
    both: AGGRESSIVE,
    east: [
      [`${WEST}=west`, "Default=west"],
      [`Address=${WEST}\n`, ""],
      ["Authentication=a key that is long enough\n", ""],
      ["[main]\n", "[alice.example.org]\nAuthentication=a key that is long enough\n[main]\n"],
    ],
  },

  // ---- certificates and keys ---------------------------------------------------------------------------------------
  {
    title: "the peer's certificate has expired",
    both: SIGNATURES,
    westCompute: signing(),
    eastCompute: signing({ verify: "certificate /C=SE/CN=gw: expired on 2020-01-01" }),
    beyondFiles: true,
  },
  {
    title: "no public key of the peer",
    both: SIGNATURES,
    westCompute: signing({
      verify:
        "no public key of FQDN gw.example.org: neither /etc/isakmpd/pubkeys/fqdn/gw.example.org nor a certificate that an authority in CA-directory has signed",
    }),
    eastCompute: signing(),
    beyondFiles: true,
  },
  {
    title: "our own private key cannot be read",
    both: SIGNATURES,
    westCompute: signing({ sign: "cannot read the private key /etc/isakmpd/private/local.key: it does not exist" }),
    eastCompute: signing(),
    beyondFiles: true,
  },

  // ---- phase 2 -----------------------------------------------------------------------------------------------------
  {
    title: "phase 2: other protocols",
    west: [["IPSEC_ESP", "IPSEC_AH"], [PHASE_2, "[phase2]\nTRANSFORM_ID=SHA2_256\n"]],
  },
  { title: "phase 2: TRANSFORM_ID", west: [[PHASE_2, "[phase2]\nTRANSFORM_ID=3DES\n"]] },
  { title: "phase 2: KEY_LENGTH", west: [[PHASE_2, "[phase2]\nTRANSFORM_ID=AES\nKEY_LENGTH=256\n"]] },
  attribute("phase 2: ENCAPSULATION_MODE", "ENCAPSULATION_MODE", "TUNNEL", "TRANSPORT"),
  attribute("phase 2: AUTHENTICATION_ALGORITHM", "AUTHENTICATION_ALGORITHM", "HMAC_SHA2_256", "HMAC_MD5"),
  {
    title: "phase 2: another PFS group",
    west: [["HMAC_SHA2_256\nGROUP_DESCRIPTION=MODP_2048", "HMAC_SHA2_256\nGROUP_DESCRIPTION=MODP_1536"]],
  },
  {
    title: "phase 2: PFS on the responder only",
    west: [["HMAC_SHA2_256\nGROUP_DESCRIPTION=MODP_2048\n", "HMAC_SHA2_256\n"]],
  },
  {
    title: "phase 2: PFS on the initiator only",
    east: [["HMAC_SHA2_256\nGROUP_DESCRIPTION=MODP_2048\n", "HMAC_SHA2_256\n"]],
  },
  attribute("phase 2: LIFE_DURATION", "LIFE_DURATION", "1200,600:2400", "28800"),
  {
    title: "phase 2: client IDs that no connection has",
    west: [["Network=192.168.1.0", "Network=192.168.11.0"]],
  },
  {
    title: "phase 2: a connection that neither Connections nor Passive-connections names",
    east: [["Passive-connections=tunnel\n", ""]],
  },
  {
    title: "phase 2: a connection that is Active-only at the other end",
    east: [["Passive-connections=tunnel\n", "Connections=tunnel\n"], ["Phase=2\n", "Phase=2\nFlags=Active-only\n"]],
    eastRests: true,
    beyondFiles: true,
  },
  {
    title: "phase 2: the policy refuses",
    eastEnvironment: {
      authorize: () => ({ allowed: false, explanation: "the policy /etc/isakmpd/isakmpd.policy does not allow it" }),
    },
    beyondFiles: true,
  },

  // ---- what the peer says ------------------------------------------------------------------------------------------
  ...(["NO_PROPOSAL_CHOSEN", "INVALID_ID_INFORMATION", "AUTHENTICATION_FAILED", "PAYLOAD_MALFORMED"] as const).flatMap(
    (type) =>
      [[1, "first"], [3, "fifth"]].map(([count, name]): Failure => ({
        title: `the peer answers our ${name} message with ${type}`,
        meddle: answerInClear(type, count as number),
        beyondFiles: true,
      })),
  ),

  // ---- silence -----------------------------------------------------------------------------------------------------
  { title: "no answer to the first message", meddle: lose("west", 1), beyondFiles: true },
  { title: "the responder's first answer is lost", meddle: lose("east", 1), beyondFiles: true },
  { title: "no answer to the third message", meddle: lose("west", 2), beyondFiles: true },
  { title: "the responder's second answer is lost", meddle: lose("east", 2), beyondFiles: true },
  { title: "no answer to the fifth message", meddle: lose("west", 3), beyondFiles: true },
  { title: "the responder's third answer is lost", meddle: lose("east", 3), beyondFiles: true },
  {
    title: "no answer to the first message of Aggressive Mode",
    both: AGGRESSIVE,
    meddle: lose("west", 1),
    beyondFiles: true,
  },
  {
    title: "the third message of Aggressive Mode is lost",
    both: AGGRESSIVE,
    meddle: lose("west", 2),
    beyondFiles: true,
  },
  { title: "no answer to the first message of Quick Mode", meddle: lose("west", 4), beyondFiles: true },
  { title: "the answer of Quick Mode is lost", meddle: lose("east", 4), beyondFiles: true },
  { title: "the third message of Quick Mode is lost", meddle: lose("west", 5), beyondFiles: true },
  { title: "the answers come from another address", meddle: answerFrom("192.0.2.99"), beyondFiles: true },

  // ---- damage ------------------------------------------------------------------------------------------------------
  {
    title: "a KE payload of the wrong length",
    meddle: damage("west", PAYLOAD.KEY_EXCH, (body) => concat(body, body)),
    westCompute: realCompute,
    eastCompute: realCompute,
    beyondFiles: true,
  },
  {
    title: "a KE payload of the wrong length in Quick Mode",
    westCompute: halfValue(),
    eastCompute: realCompute,
    beyondFiles: true,
  },
  {
    title: "an answer that was not offered",
    meddle: damage("east", PAYLOAD.SA, (body) => {
      const other = body.slice();
      other[other.length - 1] ^= 1;
      other[27] ^= 3;
      return other;
    }),
    beyondFiles: true,
  },
];

/** A peer that sends half a public value for PFS, as some do of elliptic curves. */
function halfValue(): Compute {
  let made = 0;
  return (task, random) => {
    const result = realCompute(task, random);
    if (task.op !== "generateKeyPair" || ++made === 1 || !result.ok) return result;
    const { privateKey, publicValue } = result.value as { privateKey: Bytes; publicValue: Bytes };
    return { ok: true, value: { privateKey, publicValue: publicValue.slice(publicValue.length / 2) } };
  };
}

const edit = (text: string, edits: Edits, title: string): string =>
  edits.reduce((before, [from, to]) => {
    if (!before.includes(from)) throw new Error(`${title}: ${JSON.stringify(from)} is not in the file`);
    return before.replace(from, to);
  }, text);

/** A failure's two configurations. */
export function confsOf({ title, both = [], west = [], east = [] }: Failure): { west: IsakmpdConf; east: IsakmpdConf } {
  const read = (side: "west" | "east", edits: Edits) => {
    const { tree, faults } = parseIni(edit(confText(side), [...both, ...edits], title), `${side}.conf`);
    const conf = resolveIsakmpdConf(tree, `${side}.conf`, {}, faults);
    const [fault] = conf.faults.filter(({ severity }) => severity === "error");
    if (fault) throw new Error(`${title}: ${side}: ${fault.message}`);
    return conf;
  };
  return { west: read("west", west), east: read("east", east) };
}

/** What the two ends log of it in two and a half minutes without debug levels: failures, and what is always told. */
export function logsOf(failure: Failure): { west: string[]; east: string[] } {
  const confs = confsOf(failure);
  const network = new Network(1);
  const { westCompute = toyCompute, eastCompute = toyCompute, westEnvironment, eastEnvironment } = failure;
  const once = { checkIntervalSeconds: 86_400 };
  const west = new Gateway(network, WEST, { ...confs.west.configuration, ...once }, {
    compute: westCompute,
    environment: westEnvironment,
  });
  const east = new Gateway(network, EAST, { ...confs.east.configuration, ...once }, {
    compute: eastCompute,
    environment: eastEnvironment,
  });
  failure.meddle?.({ network, west, east });
  east.input((ike, now) => ike.start(now, failure.eastRests));
  west.input((ike, now) => ike.start(now));
  network.run(150_000);
  const told = (end: Gateway) => [...end.texts("failed"), ...end.log];
  return { west: told(west), east: told(east) };
}
