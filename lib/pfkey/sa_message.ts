/** SAs as extensions and back: what ADD, UPDATE, GET, DUMP and EXPIRE say about one. @module */
import {
  authenticatorByName,
  authenticatorByPfkey,
  type AuthenticatorRow,
  checkKey,
  cipherByName,
  cipherByPfkey,
  type CipherRow,
  forKeyLength,
} from "../crypto/algorithms.ts";
import type { Address } from "../ip/address.ts";
import {
  type Lifetime,
  NO_LIMIT,
  type SaIdentity,
  type SaParameters,
  type SaState,
  type SecurityProtocol,
} from "../ipsec/types.ts";
import type { Extensions } from "./extensions.ts";
import { MAX_WINDOW } from "../ipsec/replay.ts";
import { flowSetOf, selectorOf } from "./flow_message.ts";
import { identitiesOf, protocolOf, readIdentities } from "./nouns.ts";
import { PfkeyError, SA_FLAGS, SA_STATES, type SaType } from "./numbers.ts";

const noLimit = (lifetime: Lifetime) => Object.values(lifetime).every((limit) => limit === 0);

/** The widest replay window that sadb_sa_replay can say; wider ones need X_REPLAY_WINDOW. */
const MAX_REPLAY_OCTET = 255;

const at = (address: Address) => ({ address, port: 0 });

/** SA, ADDRESS_SRC (when known) and ADDRESS_DST: enough for DELETE, GET and the answer to GETSPI. */
export function identityExtensions({ spi, destination }: Omit<SaIdentity, "protocol">, source?: Address): Extensions {
  return {
    SA: { spi, replay: 0, state: SA_STATES.MATURE, auth: 0, encrypt: 0, flags: 0 },
    ADDRESS_SRC: source && at(source),
    ADDRESS_DST: at(destination),
  };
}

function flagsOf(sa: SaParameters): number {
  return (sa.tunnel ? SA_FLAGS.TUNNEL : 0) | (sa.oldHeader ? SA_FLAGS.NOREPLAY : 0) |
    (sa.halfIv ? SA_FLAGS.HALFIV : 0) | (sa.randomPadding ? SA_FLAGS.RANDOMPADDING : 0) |
    (sa.udpPort === undefined ? 0 : SA_FLAGS.UDPENCAP);
}

/**
 * The extensions of an ADD or UPDATE (`keys` true) or of an answer (`keys` false).
 *
 * @param state of the SA; key management submits mature ones only
 */
export function saExtensions(sa: SaParameters, keys: boolean, state: SaState = "mature"): Extensions {
  const cipher = sa.encryption === undefined ? undefined : cipherByName(sa.encryption);
  const authenticator = sa.authentication === undefined
    ? undefined
    : authenticatorByName(sa.authentication, sa.oldHeader && sa.protocol === 51);
  const cipherOctets = (sa.encryptionKey?.length ?? 0) - (cipher?.saltOctets ?? 0);
  const authOctets = (sa.authenticationKey?.length ?? 0) - (authenticator?.saltOctets ?? 0);
  const auth = authenticator
    ? forKeyLength(authenticator.pfkey, authOctets)
    : forKeyLength(cipher?.pfkeyAuth, cipherOctets);
  return {
    SA: {
      spi: sa.spi,
      replay: Math.min(sa.replayWindow, MAX_REPLAY_OCTET),
      state: SA_STATES[state.toUpperCase() as keyof typeof SA_STATES],
      auth: auth ?? 0,
      encrypt: forKeyLength(cipher?.pfkey, cipherOctets) ?? 0,
      flags: flagsOf(sa),
    },
    LIFETIME_HARD: noLimit(sa.hard) ? undefined : sa.hard,
    LIFETIME_SOFT: noLimit(sa.soft) ? undefined : sa.soft,
    ADDRESS_SRC: at(sa.source),
    ADDRESS_DST: at(sa.destination),
    ADDRESS_PROXY: sa.proxy && at(sa.proxy),
    KEY_AUTH: keys && sa.authenticationKey?.length ? { key: sa.authenticationKey } : undefined,
    KEY_ENCRYPT: keys && sa.encryptionKey?.length ? { key: sa.encryptionKey } : undefined,
    ...identitiesOf(sa),
    ...(sa.selector && flowSetOf({ ...sa.selector, direction: "out" })),
    X_UDPENCAP: sa.udpPort === undefined ? undefined : { port: sa.udpPort },
    X_NAT_OA_SRC: sa.natOriginal?.source && at(sa.natOriginal.source),
    X_NAT_OA_DST: sa.natOriginal?.destination && at(sa.natOriginal.destination),
    X_REPLAY_WINDOW: sa.replayWindow > MAX_REPLAY_OCTET ? { packets: sa.replayWindow } : undefined,
  };
}

const invalid = (text: string) => new PfkeyError("EINVAL", text);

function demandKey(row: CipherRow | AuthenticatorRow, key: Uint8Array | undefined): void {
  try {
    checkKey(row, key ?? new Uint8Array(0));
  } catch (error) {
    if (error instanceof RangeError) throw invalid(error.message);
    throw error;
  }
}

function readCipher(
  { SA, KEY_ENCRYPT, KEY_AUTH }: Extensions,
  old: boolean,
): { cipher?: CipherRow; encryptionKey?: Uint8Array } {
  const { encrypt, auth, flags } = SA!;
  if (!encrypt) {
    if (KEY_ENCRYPT) throw invalid("KEY_ENCRYPT without an encryption algorithm");
    return {};
  }
  const cipher = cipherByPfkey(encrypt);
  if (!cipher) throw invalid(`No encryption algorithm ${encrypt}`);
  if (old && !cipher.oldEsp) throw invalid(`Old ESP has no ${cipher.name}`);
  if (flags & SA_FLAGS.HALFIV && !old) throw invalid("A half IV is of old ESP only");
  const encryptionKey = KEY_ENCRYPT?.key;
  demandKey(cipher, encryptionKey);
  if (cipher.aead) {
    const goesWith = forKeyLength(cipher.pfkeyAuth, encryptionKey!.length - cipher.saltOctets);
    if (KEY_AUTH || (auth && auth !== goesWith)) throw invalid(`${cipher.name} authenticates by itself`);
  }
  return { cipher, ...(encryptionKey && { encryptionKey }) };
}

function readAuthenticator(
  { SA, KEY_AUTH }: Extensions,
  use: AuthenticatorRow["uses"][number],
): { authentication?: string; authenticationKey?: Uint8Array } {
  const { auth } = SA!;
  if (!auth) {
    if (KEY_AUTH) throw invalid("KEY_AUTH without an authentication algorithm");
    return {};
  }
  const row = authenticatorByPfkey(auth);
  if (!row) throw invalid(`No authentication algorithm ${auth}`);
  if (!row.uses.includes(use)) throw invalid(`${use} has no ${row.name}`);
  const authenticationKey = KEY_AUTH?.key;
  demandKey(row, authenticationKey);
  if (forKeyLength(row.pfkey, authenticationKey!.length - row.saltOctets) !== auth) {
    throw invalid(`Authentication algorithm ${auth} and a key of ${authenticationKey!.length} octets do not fit`);
  }
  return { authentication: row.name, authenticationKey };
}

function packetsOf(extensions: Extensions): SaParameters["selector"] {
  const { direction: _, ...packets } = selectorOf(extensions);
  return packets;
}

/** The algorithms and keys. @throws {PfkeyError} EINVAL, saying what does not fit; never with an octet of a key. */
function readTransforms(
  protocol: SecurityProtocol,
  extensions: Extensions,
): Pick<SaParameters, "encryption" | "authentication" | "encryptionKey" | "authenticationKey"> {
  const { auth, encrypt, flags } = extensions.SA!;
  const old = Boolean(flags & SA_FLAGS.NOREPLAY);
  if (protocol === 4) {
    if (auth || encrypt || extensions.KEY_AUTH || extensions.KEY_ENCRYPT) throw invalid("IP-in-IP has no algorithm");
    return {};
  }
  if (protocol === 51) {
    if (encrypt || extensions.KEY_ENCRYPT) throw invalid("AH has no encryption");
    if (!auth) throw invalid("AH needs an authentication algorithm");
    return readAuthenticator(extensions, old ? "old ah" : "ah");
  }
  if (!auth && !encrypt) throw invalid("ESP needs an algorithm");
  const { cipher, encryptionKey } = readCipher(extensions, old);
  if (old && (auth || !cipher)) throw invalid("Old ESP encrypts only");
  const transforms = { ...(cipher && { encryption: cipher.name }), ...(encryptionKey && { encryptionKey }) };
  if (cipher?.aead) return transforms;
  if (!auth && cipher?.name === "null") throw invalid("ESP needs an algorithm, and null is none");
  if (!auth && cipher?.cipher === "aes-ctr") throw invalid("aesctr needs authentication (RFC 3686 1)");
  return { ...transforms, ...readAuthenticator(extensions, "esp") };
}

/**
 * The SA that an ADD or UPDATE of type `satype` describes. The extensions have passed the checks of validate.ts.
 *
 * @throws {PfkeyError} EINVAL or EOPNOTSUPP, saying what does not fit
 */
export function readSa(satype: SaType, extensions: Extensions): SaParameters {
  const protocol = protocolOf(satype);
  const { spi, replay, flags } = extensions.SA!;
  const source = extensions.ADDRESS_SRC!.address;
  const destination = extensions.ADDRESS_DST!.address;
  const { X_UDPENCAP, X_NAT_OA_SRC, X_NAT_OA_DST, X_REPLAY_WINDOW, ADDRESS_PROXY } = extensions;
  const window = X_REPLAY_WINDOW?.packets ?? replay;
  if (source.family !== destination.family) throw invalid("Source and destination are of two address families");
  if (spi < 256) throw invalid(`SPI ${spi}: 0 to 255 are reserved`);
  if (Boolean(flags & SA_FLAGS.UDPENCAP) !== Boolean(X_UDPENCAP)) {
    throw invalid("UDP encapsulation needs both the flag and the port");
  }
  if (X_UDPENCAP && (protocol !== 50 || flags & SA_FLAGS.NOREPLAY)) throw invalid("UDP encapsulation is of ESP only");
  if (X_UDPENCAP?.port === 0) throw invalid("UDP encapsulation to port 0");
  if (window > MAX_WINDOW) throw invalid(`A replay window of ${window} packets: ${MAX_WINDOW} is the most`);
  if (flags & SA_FLAGS.ESN) throw new PfkeyError("EOPNOTSUPP", "Extended sequence numbers are not supported");
  const natOriginal = (X_NAT_OA_SRC || X_NAT_OA_DST) && {
    ...(X_NAT_OA_SRC && { source: X_NAT_OA_SRC.address }),
    ...(X_NAT_OA_DST && { destination: X_NAT_OA_DST.address }),
  };
  return {
    protocol,
    spi,
    source,
    destination,
    ...(ADDRESS_PROXY && { proxy: ADDRESS_PROXY.address }),
    ...readTransforms(protocol, extensions),
    tunnel: Boolean(flags & SA_FLAGS.TUNNEL) || protocol === 4,
    oldHeader: Boolean(flags & SA_FLAGS.NOREPLAY),
    halfIv: Boolean(flags & SA_FLAGS.HALFIV),
    randomPadding: Boolean(flags & SA_FLAGS.RANDOMPADDING),
    replayWindow: flags & SA_FLAGS.NOREPLAY ? 0 : window,
    ...(X_UDPENCAP && { udpPort: X_UDPENCAP.port }),
    ...(natOriginal && { natOriginal }),
    hard: extensions.LIFETIME_HARD ?? NO_LIMIT,
    soft: extensions.LIFETIME_SOFT ?? NO_LIMIT,
    ...readIdentities(extensions),
    ...(extensions.X_SRC_FLOW && { selector: packetsOf(extensions) }),
  };
}
