/**
 * Every extension of a PF_KEY message, one row each: number and layout (RFC 2367 2.3, OpenBSD's SADB_X_EXT_*, and ours
 * from 200 upwards, docs/pfkey.md). The row's name is its key in {@linkcode Extensions}.
 *
 * @module
 */
import { authenticatorByPfkey, cipherByPfkey } from "../crypto/algorithms.ts";
import { type Bytes, decodeText, encodeText } from "../octets/bytes.ts";
import {
  type Codec,
  demandSize,
  demandZero,
  type Fields,
  fixed,
  readField,
  reservedOffsets,
  type Values,
  words,
  writeField,
} from "./layout.ts";
import {
  AUTH_TYPES,
  CREDENTIAL_TYPES,
  DIRECTIONS,
  flagNames,
  FLOW_STATIC,
  FLOW_TYPES,
  IDENTITY_TYPES,
  nameOf,
  PfkeyError,
  SA_STATES,
  SA_TYPES,
} from "./numbers.ts";
import {
  addressSize,
  describeSocketAddress,
  readSocketAddress,
  type SocketAddress,
  writeSocketAddress,
} from "./sockaddr.ts";

const hex32 = (number: number) => `0x${number.toString(16).padStart(8, "0")}`;
const authName = (number: number, encrypt = 0) => {
  if (number && cipherByPfkey(encrypt)?.aead) return "by the cipher";
  return number ? authenticatorByPfkey(number)?.name ?? `${number}` : "none";
};
const cipherName = (number: number) => number ? cipherByPfkey(number)?.name ?? `${number}` : "none";

const SA_FIELDS = {
  spi: ["be32", 4],
  replay: ["u8", 8],
  state: ["u8", 9],
  auth: ["u8", 10],
  encrypt: ["u8", 11],
  flags: ["u32", 12],
} as const;

function sa(what: string) {
  return fixed(
    what,
    16,
    SA_FIELDS,
    ({ spi, replay, state, auth, encrypt, flags }) =>
      `spi ${hex32(spi)} auth ${authName(auth, encrypt)} enc ${cipherName(encrypt)} ` +
      `state ${nameOf(SA_STATES, state)?.toLowerCase()} replay ${replay} flags ${flagNames(flags)}`,
    ({ state }) => {
      if (state > SA_STATES.DEAD) throw new PfkeyError("EINVAL", `${what}: no SA state ${state}`);
    },
  );
}

function lifetime(what: string) {
  return fixed(
    what,
    32,
    {
      allocations: ["u32", 4],
      bytes: ["u64", 8],
      addSeconds: ["u64", 16],
      useSeconds: ["u64", 24],
    },
    ({ allocations, bytes, addSeconds, useSeconds }) =>
      `allocations ${allocations} bytes ${bytes} add ${addSeconds} first-use ${useSeconds}`,
  );
}

function socketAddress(what: string, ports: boolean): Codec<SocketAddress> {
  return {
    size: addressSize,
    write: writeSocketAddress,
    read(view, octets) {
      const value = readSocketAddress(view, octets, what);
      if (!ports && value.port) throw new PfkeyError("EINVAL", `${what}: port ${value.port}, none is allowed here`);
      return value;
    },
    describe: describeSocketAddress,
  };
}

function protocol(what: string, describe: (values: { proto: number; direction: number; flags: number }) => string) {
  return fixed(what, 8, { proto: ["u8", 4], direction: ["u8", 5], flags: ["u8", 6] }, describe);
}

/** A key, in whole octets, a counter mode's salt at its end. */
export interface KeyExtension {
  readonly key: Uint8Array;
}

/** sadb_key_bits has 16 bits. */
export const MAX_KEY_OCTETS = 0xffff >> 3;

function key(what: string): Codec<KeyExtension> {
  return {
    size({ key }) {
      if (key.length > MAX_KEY_OCTETS) throw new RangeError(`Cannot encode key of ${key.length} octets in ${what}`);
      return 8 + words(key.length);
    },
    write({ key }, view, octets) {
      view.setUint16(4, 8 * key.length, true);
      octets.set(key, 8);
    },
    read(view, octets) {
      const bits = view.getUint16(4, true);
      demandZero(octets, 6, 8, what);
      if (bits === 0 || bits % 8) throw new PfkeyError("EINVAL", `${what}: ${bits} bits, whole octets are needed`);
      demandSize(octets, 8 + words(bits / 8), what);
      return { key: octets.slice(8, 8 + bits / 8) };
    },
    describe: ({ key }) => `${8 * key.length} bits`,
  };
}

/** A C string behind `from` octets of extension: NUL-terminated and padded to 8, no longer than that. */
function readString(octets: Uint8Array, from: number, what: string): string {
  const end = octets.indexOf(0, from);
  if (end < 0) throw new PfkeyError("EINVAL", `${what}: the text has no end`);
  demandSize(octets, words(end + 1), what);
  demandZero(octets, end, octets.length, what);
  return decodeText(octets.subarray(from, end));
}

const stringSize = (from: number, text: string) => words(from + encodeText(text).length + 1);

/** Text as it may be shown: no control characters. */
// deno-lint-ignore no-control-regex
const printable = (text: string) => text.replaceAll(/[\x00-\x1f\x7f-\x9f]/g, "?");

/** An identity: one of {@linkcode IDENTITY_TYPES}, its text, and a user's number (0: none). */
export interface IdentityExtension {
  readonly type: number;
  readonly id: number;
  readonly text: string;
}

function identity(what: string): Codec<IdentityExtension> {
  return {
    size: ({ text }) => stringSize(16, text),
    write({ type, id, text }, view, octets) {
      view.setUint16(4, type, true);
      writeField(view, ["u64", 8], id);
      octets.set(encodeText(text), 16);
    },
    read(view, octets) {
      if (octets.length < 24) throw new PfkeyError("EINVAL", `${what}: ${octets.length} octets are too few`);
      demandZero(octets, 6, 8, what);
      const type = view.getUint16(4, true);
      if (!nameOf(IDENTITY_TYPES, type)) throw new PfkeyError("EINVAL", `${what}: no identity type ${type}`);
      return { type, id: readField(view, ["u64", 8]), text: readString(octets, 16, what) };
    },
    describe: ({ type, text }) => `${nameOf(IDENTITY_TYPES, type)} ${printable(text)}`,
  };
}

/** A credential or a piece of authentication; `data` keeps the padding, which its own format tells apart. */
export interface CredentialExtension {
  readonly type: number;
  readonly data: Uint8Array;
}

function credential(what: string, types: Record<string, number>): Codec<CredentialExtension> {
  return {
    size: ({ data }) => 8 + words(data.length),
    write({ type, data }, view, octets) {
      view.setUint16(4, type, true);
      octets.set(data, 8);
    },
    read(view, octets) {
      demandZero(octets, 6, 8, what);
      const type = view.getUint16(4, true);
      if (!nameOf(types, type)) throw new PfkeyError("EINVAL", `${what}: no type ${type}`);
      return { type, data: octets.slice(8) };
    },
    describe: ({ type, data }) => `${nameOf(types, type)} ${data.length} octets`,
  };
}

const COMBINATION_OCTETS = 72;
const COMBINATION_FIELDS = {
  auth: ["u8", 0],
  encrypt: ["u8", 1],
  flags: ["u16", 2],
  authMinBits: ["u16", 4],
  authMaxBits: ["u16", 6],
  encryptMinBits: ["u16", 8],
  encryptMaxBits: ["u16", 10],
  softAllocations: ["u32", 16],
  hardAllocations: ["u32", 20],
  softBytes: ["u64", 24],
  hardBytes: ["u64", 32],
  softAddSeconds: ["u64", 40],
  hardAddSeconds: ["u64", 48],
  softUseSeconds: ["u64", 56],
  hardUseSeconds: ["u64", 64],
} as const satisfies Fields;

/** One acceptable combination of algorithms and lifetimes; 0 algorithms are absent. */
export type Combination = Values<typeof COMBINATION_FIELDS>;

/** What an ACQUIRE asks for, the preferred combination first. */
export interface ProposalExtension {
  readonly replay: number;
  readonly combinations: readonly Combination[];
}

/** Elements of `octets` octets each behind 8 octets of header, as views. */
function elements(octets: Uint8Array, size: number, what: string): Uint8Array[] {
  if ((octets.length - 8) % size) {
    throw new PfkeyError("EINVAL", `${what}: ${octets.length} octets, 8 + n * ${size} needed`);
  }
  return Array.from(
    { length: (octets.length - 8) / size },
    (_, i) => octets.subarray(8 + size * i, 8 + size * (i + 1)),
  );
}

const viewOf = (octets: Uint8Array) => new DataView(octets.buffer, octets.byteOffset, octets.byteLength);

function records<const F extends Fields>(fields: F, size: number, what: string) {
  const entries = Object.entries(fields);
  const reserved = reservedOffsets(fields, 0, size);
  return {
    read(octets: Uint8Array): Values<F>[] {
      return elements(octets, size, what).map((element) => {
        for (const at of reserved) demandZero(element, at, at + 1, what);
        const view = viewOf(element);
        return Object.fromEntries(entries.map(([name, field]) => [name, readField(view, field)])) as Values<F>;
      });
    },
    write(values: readonly Values<F>[], octets: Uint8Array): void {
      elements(octets, size, what).forEach((element, i) => {
        const view = viewOf(element);
        for (const [name, field] of entries) writeField(view, field, values[i][name]);
      });
    },
  };
}

function proposal(what: string): Codec<ProposalExtension> {
  const { read, write } = records(COMBINATION_FIELDS, COMBINATION_OCTETS, what);
  return {
    size: ({ combinations }) => 8 + COMBINATION_OCTETS * combinations.length,
    write({ replay, combinations }, view, octets) {
      view.setUint8(4, combinations.length);
      view.setUint8(5, replay);
      write(combinations, octets);
    },
    read(view, octets) {
      demandZero(octets, 6, 8, what);
      const combinations = read(octets);
      // RFC 2367 has the window here and no count; OpenBSD has the count, then the window.
      if (view.getUint8(4) !== combinations.length) {
        throw new PfkeyError("EINVAL", `${what}: says ${view.getUint8(4)} combinations, has ${combinations.length}`);
      }
      for (const row of combinations) {
        const { auth, authMinBits, authMaxBits, encrypt, encryptMinBits, encryptMaxBits } = row;
        if (authMinBits > authMaxBits || encryptMinBits > encryptMaxBits) {
          throw new PfkeyError("EINVAL", `${what}: a least key length exceeds the greatest`);
        }
        if ((!auth && authMaxBits) || (!encrypt && encryptMaxBits)) {
          throw new PfkeyError("EINVAL", `${what}: a key length without an algorithm`);
        }
      }
      return { replay: view.getUint8(5), combinations };
    },
    describe: ({ replay, combinations }) =>
      [
        `replay ${replay}`,
        ...combinations.map((row) =>
          `auth ${authName(row.auth)} enc ${cipherName(row.encrypt)} ` +
          `hard ${row.hardAddSeconds} s ${row.hardBytes} bytes soft ${row.softAddSeconds} s ${row.softBytes} bytes`
        ),
      ].join("; "),
  };
}

const ALGORITHM_FIELDS = {
  id: ["u8", 0],
  ivBits: ["u8", 1],
  minBits: ["u16", 2],
  maxBits: ["u16", 4],
} as const satisfies Fields;

/** One algorithm the engine has; the IV is counted in bits as on OpenBSD. */
export type SupportedAlgorithm = Values<typeof ALGORITHM_FIELDS>;

function supported(what: string, name: (number: number) => string): Codec<readonly SupportedAlgorithm[]> {
  const { read, write } = records(ALGORITHM_FIELDS, 8, what);
  return {
    size: (algorithms) => 8 + 8 * algorithms.length,
    write: (algorithms, _view, octets) => write(algorithms, octets),
    read(_view, octets) {
      demandZero(octets, 4, 8, what);
      return read(octets);
    },
    describe: (algorithms) =>
      algorithms.map(({ id, minBits, maxBits }) => `${name(id)} ${minBits}-${maxBits}`).join(", "),
  };
}

function text(what: string): Codec<string> {
  return {
    size: (value) => stringSize(8, value),
    write: (value, _view, octets) => octets.set(encodeText(value), 8),
    read(_view, octets) {
      demandSize(octets, Math.max(16, octets.length), what);
      demandZero(octets, 4, 8, what);
      return readString(octets, 8, what);
    },
    describe: printable,
  };
}

function tag(what: string): Codec<string> {
  return {
    size: (value) => 8 + words(encodeText(value).length),
    write(value, view, octets) {
      view.setUint32(4, encodeText(value).length, true);
      octets.set(encodeText(value), 8);
    },
    read(view, octets) {
      const length = view.getUint32(4, true);
      if (length > octets.length - 8) throw new PfkeyError("EINVAL", `${what}: ${length} octets of text do not fit`);
      demandSize(octets, 8 + words(length), what);
      return decodeText(octets.subarray(8, 8 + length));
    },
    describe: printable,
  };
}

const sensitivity: Codec<{ readonly body: Uint8Array }> = {
  size: ({ body }) => words(4 + body.length),
  write: ({ body }, _view, octets) => octets.set(body, 4),
  read(view, octets) {
    if (octets.length < 16) throw new PfkeyError("EINVAL", `SENSITIVITY: ${octets.length} octets, 16 are needed`);
    demandZero(octets, 12, 16, "SENSITIVITY");
    demandSize(octets, 16 + 8 * (view.getUint8(9) + view.getUint8(11)), "SENSITIVITY");
    return { body: octets.slice(4) as Bytes };
  },
  describe: ({ body }) => `${body.length} octets`,
};

/** Which SA another one is tied to; its destination is an extension of its own. */
function saName(what: string) {
  return fixed(
    what,
    16,
    { spi: ["be32", 4], satype: ["u8", 8] },
    ({ spi, satype }) => `${(nameOf(SA_TYPES, satype) ?? `${satype}`).toLowerCase()} spi ${hex32(spi)}`,
  );
}

const seconds = (number: number) => `${number} s`;

const row = <T>(number: number, codec: Codec<T>) => ({ number, codec });

/** Every extension: name, number, layout. In ascending order of number, which is the order on the wire. */
export const EXTENSIONS = {
  SA: row(1, sa("SA")),
  LIFETIME_CURRENT: row(2, lifetime("LIFETIME_CURRENT")),
  LIFETIME_HARD: row(3, lifetime("LIFETIME_HARD")),
  LIFETIME_SOFT: row(4, lifetime("LIFETIME_SOFT")),
  ADDRESS_SRC: row(5, socketAddress("ADDRESS_SRC", false)),
  ADDRESS_DST: row(6, socketAddress("ADDRESS_DST", false)),
  ADDRESS_PROXY: row(7, socketAddress("ADDRESS_PROXY", false)),
  KEY_AUTH: row(8, key("KEY_AUTH")),
  KEY_ENCRYPT: row(9, key("KEY_ENCRYPT")),
  IDENTITY_SRC: row(10, identity("IDENTITY_SRC")),
  IDENTITY_DST: row(11, identity("IDENTITY_DST")),
  SENSITIVITY: row(12, sensitivity),
  PROPOSAL: row(13, proposal("PROPOSAL")),
  SUPPORTED_AUTH: row(14, supported("SUPPORTED_AUTH", (number) => authName(number))),
  SUPPORTED_ENCRYPT: row(15, supported("SUPPORTED_ENCRYPT", cipherName)),
  SPIRANGE: row(
    16,
    fixed(
      "SPIRANGE",
      16,
      { min: ["u32", 4], max: ["u32", 8] },
      ({ min, max }) => `${hex32(min)} to ${hex32(max)}`,
      ({ min, max }) => {
        if (min > max) throw new PfkeyError("EINVAL", `SPIRANGE: ${hex32(min)} exceeds ${hex32(max)}`);
      },
    ),
  ),
  X_SRC_MASK: row(17, socketAddress("X_SRC_MASK", true)),
  X_DST_MASK: row(18, socketAddress("X_DST_MASK", true)),
  X_PROTOCOL: row(19, protocol("X_PROTOCOL", ({ proto }) => proto ? `${proto}` : "any")),
  X_FLOW_TYPE: row(
    20,
    protocol(
      "X_FLOW_TYPE",
      ({ proto, direction, flags }) =>
        `${nameOf(FLOW_TYPES, proto) ?? proto} ${nameOf(DIRECTIONS, direction) ?? direction}` +
        (flags & FLOW_STATIC ? " static" : ""),
    ),
  ),
  X_SRC_FLOW: row(21, socketAddress("X_SRC_FLOW", true)),
  X_DST_FLOW: row(22, socketAddress("X_DST_FLOW", true)),
  X_SA2: row(23, sa("X_SA2")),
  X_DST2: row(24, socketAddress("X_DST2", false)),
  X_POLICY: row(25, fixed("X_POLICY", 8, { seq: ["u32", 4] }, ({ seq }) => `of acquire ${seq}`)),
  X_LOCAL_CREDENTIALS: row(26, credential("X_LOCAL_CREDENTIALS", CREDENTIAL_TYPES)),
  X_REMOTE_CREDENTIALS: row(27, credential("X_REMOTE_CREDENTIALS", CREDENTIAL_TYPES)),
  X_LOCAL_AUTH: row(28, credential("X_LOCAL_AUTH", AUTH_TYPES)),
  X_REMOTE_AUTH: row(29, credential("X_REMOTE_AUTH", AUTH_TYPES)),
  X_SUPPORTED_COMP: row(30, supported("X_SUPPORTED_COMP", String)),
  X_UDPENCAP: row(31, fixed("X_UDPENCAP", 8, { port: ["be16", 4] }, ({ port }) => `port ${port}`)),
  X_LIFETIME_LASTUSE: row(32, lifetime("X_LIFETIME_LASTUSE")),
  X_TAG: row(33, tag("X_TAG")),
  X_TAP: row(34, fixed("X_TAP", 8, { unit: ["u32", 4] }, ({ unit }) => `enc${unit}`)),
  X_NAT_OA_SRC: row(200, socketAddress("X_NAT_OA_SRC", false)),
  X_NAT_OA_DST: row(201, socketAddress("X_NAT_OA_DST", false)),
  X_REPLAY_WINDOW: row(
    202,
    fixed("X_REPLAY_WINDOW", 8, { packets: ["u32", 4] }, ({ packets }) => `${packets} packets`),
  ),
  X_SA_USAGE: row(
    203,
    fixed(
      "X_SA_USAGE",
      40,
      {
        ageSeconds: ["u32", 4],
        packets: ["u64", 8],
        drops: ["u64", 16],
        sequence: ["u64", 24],
        idleSeconds: ["u32", 32],
        encryptBits: ["u16", 36],
        authBits: ["u16", 38],
      },
      ({ ageSeconds, packets, drops, sequence, idleSeconds }) =>
        `age ${seconds(ageSeconds)} packets ${packets} drops ${drops} sequence ${sequence} idle ${
          seconds(idleSeconds)
        }`,
    ),
  ),
  X_TEXT: row(204, text("X_TEXT")),
  X_FLOW_SPI: row(205, fixed("X_FLOW_SPI", 8, { spi: ["be32", 4] }, ({ spi }) => hex32(spi))),
  X_BOUND_SA: row(206, saName("X_BOUND_SA")),
  X_BOUND_DST: row(207, socketAddress("X_BOUND_DST", false)),
  X_OUTER_SA: row(208, saName("X_OUTER_SA")),
  X_OUTER_DST: row(209, socketAddress("X_OUTER_DST", false)),
} as const;

export type ExtensionName = keyof typeof EXTENSIONS;
type ValueOf<R> = R extends { codec: Codec<infer T> } ? T : never;
/** The extensions of one message, by name. */
export type Extensions = { -readonly [K in ExtensionName]?: ValueOf<(typeof EXTENSIONS)[K]> };
/** The value of the extension called K. */
export type ExtensionValue<K extends ExtensionName> = NonNullable<Extensions[K]>;

/** Names in ascending order of number. */
export const EXTENSION_NAMES: readonly ExtensionName[] = (Object.keys(EXTENSIONS) as ExtensionName[])
  .sort((a, b) => EXTENSIONS[a].number - EXTENSIONS[b].number);

const byNumber = new Map<number, ExtensionName>(EXTENSION_NAMES.map((name) => [EXTENSIONS[name].number, name]));

/** The extension with this number; undefined when there is none. */
export const extensionByNumber = (number: number): ExtensionName | undefined => byNumber.get(number);
