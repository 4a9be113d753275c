/** The security association: keyed, sized and counted (RFC 2401 4.1, 4.4.3). @module */
import { authenticatorByName, type AuthenticatorRow, cipherByName, type CipherRow } from "../crypto/algorithms.ts";
import { erased } from "../crypto/key.ts";
import type { Aead, AeadName, PacketCipher, PacketCrypto, PacketMac } from "../crypto/packet.ts";
import { type Address, formatAddress, isUnspecified } from "../ip/address.ts";
import { sum } from "../ip/checksum.ts";
import { IPV4, IPV6, UDP } from "../ip/headers.ts";
import { sharedWords } from "../ip/words.ts";
import type { Arena } from "../octets/arena.ts";
import { erase } from "../octets/bytes.ts";
import { ah } from "./ah.ts";
import { oldAh } from "./ah_old.ts";
import { esp } from "./esp.ts";
import { type Protection, protectionOf } from "./esp_protection.ts";
import { oldEsp } from "./esp_old.ts";
import { ipip } from "./ipip.ts";
import type { Packet } from "./packet.ts";
import { ReplayWindow } from "./replay.ts";
import { checkParameters } from "./sa_parameters.ts";
import { scratchOf } from "./scratch.ts";
import { TupleMask } from "./tuple_mask.ts";
import { PROTOCOL, type SaParameters, type SaState, type SecurityProtocol } from "./types.ts";

/** The functions of one kind of SA; which one is decided once, when the SA is made. */
export interface Transform {
  /** Grows the packet in place. 0 or a drop reason; a dropped packet is worthless. */
  encapsulate(arena: Arena, sa: Sa, packet: Packet): number;
  /** The reverse, for a packet that `locate` has seen. */
  decapsulate(arena: Arena, sa: Sa, packet: Packet): number;
  /** Octets from the security header to the packet's end when `dataOctets` octets are protected. */
  securedOctets(sa: Sa, dataOctets: number): number;
  /** Most octets that can be protected when security header and all that follows may have `securedOctets` octets. */
  maxData(sa: Sa, securedOctets: number): number;
}

/** Cells of {@linkcode Sa.counters} from {@linkcode Sa.countersAt} on. Times are seconds since the epoch, 0: not yet. */
export const COUNTER = {
  PACKETS: 0,
  BYTES: 1,
  /** Flows that have used the SA; counted by whoever assigns it to a flow. */
  ALLOCATIONS: 2,
  FIRST_USED: 3,
  LAST_USED: 4,
  DROPS: 5,
  /** Last sequence number sent or accepted. */
  SEQUENCE: 6,
  /** No counter, but what BYTES must stay below; Infinity: no limit. Here it costs a packet no memory of its own. */
  HARD_BYTES: 7,
} as const;
/** Octets of an SA's counters. */
export const COUNTER_OCTETS = 64;

export interface SaOptions {
  /** DF of an outer IPv4 header around an IPv4 packet (RFC 2401 6.1): default copy. Around IPv6 copy means clear. */
  dontFragment?: "copy" | "set" | "clear";
  /** TTL or hop limit of outer headers; default 64. */
  hopLimit?: number;
  /** RFC 6040 4.1: `compatibility` sends not-ECT, for peers that drop the congestion mark. Default normal. */
  ecn?: "normal" | "compatibility";
  /** Our UDP port when the SA is UDP-encapsulated; default 4500. */
  udpSourcePort?: number;
  /** Doubles that hold the counters from `countersAt` (0) on, e.g. in memory shared with another thread and other SAs. */
  counters?: Float64Array;
  countersAt?: number;
  /** The parameters are the SA's from now on: it need not copy them and their keys. */
  owned?: boolean;
}

/** Opens the SA and goes on with what it then is. */
const UNOPENED: Transform = {
  encapsulate(arena, sa, packet) {
    sa.open();
    return sa.kind.encapsulate(arena, sa, packet);
  },
  decapsulate(arena, sa, packet) {
    sa.open();
    return sa.kind.decapsulate(arena, sa, packet);
  },
  securedOctets: (sa, octets) => sa.kind.securedOctets(sa, octets),
  maxData: (sa, octets) => sa.kind.maxData(sa, octets),
};

const DF_POLICY = { copy: 0, set: 1, clear: 2 } as const;

/** A keyed SA. Numbers of the packet path are int32; contexts live until disposal. */
export class Sa implements Disposable {
  // What packets read comes first and together, so that it takes few lines of the processor's cache.
  /** Whether packets may use it: mature or dying. */
  usable = true;
  readonly tunnel: boolean;
  readonly sourceKnown: boolean;
  /** Family of the outer header. */
  readonly family: 4 | 6;
  readonly protocol: SecurityProtocol;
  /** First word of the destination, where the SAD finds it without touching more memory. */
  readonly destinationWord: number;
  readonly spi: number;
  /** What is done with packets; before the first one that is {@linkcode Sa.open}, because most SAs of many are idle. */
  transform: Transform = UNOPENED;
  readonly counters: Float64Array;
  readonly countersAt: number;
  /** Null: no replay protection, or not open yet. */
  replay: ReplayWindow | null = null;
  /** Last sequence number sent, int32. */
  sequence = 0;
  /** Bundle (OpenBSD's `group`): the SA applied after this one (around it). */
  outer: Sa | null = null;
  /** Outer addresses as words; see {@linkcode sharedWords}. */
  readonly source: Int32Array;
  readonly destination: Int32Array;
  /** Peer's UDP port, 0 without UDP encapsulation; a NAT may change it. */
  udpPort: number;
  readonly udpSourcePort: number;
  readonly dfPolicy: number;
  readonly hopLimit: number;
  readonly ecnMask: number;
  /** Octets of the security header with IV (ESP) or ICV and its padding (AH). */
  readonly headOctets: number;
  readonly ivOctets: number;
  /** Data is padded to a multiple of this. */
  readonly blockOctets: number;
  readonly icvOctets: number;
  readonly randomPadding: boolean;
  /** How the ESP of an open SA encrypts and authenticates. */
  protection: Protection = protectionOf(null, null, null, undefined);
  /** The contexts of an open SA. */
  aead: Aead | null = null;
  cipher: PacketCipher | null = null;
  mac: PacketMac | null = null;
  readonly salt: number;
  /** Next IV of counter-mode ciphers, as two int32; it starts anywhere, so that a restart does not repeat it. */
  ivHigh = 0;
  ivLow = 0;
  /** Arena offset of memory that lives for one call. */
  readonly scratchAt: number;
  /** Inner source that packets from this SA must have; null: any. */
  readonly proxy: { readonly family: 4 | 6; readonly words: Int32Array } | null;
  /** Path MTU learned for this SA's outer packets; 0: unknown. */
  pathMtu = 0;
  /** Order of insertion into the SAD: the newest has the largest. */
  age = 0;
  /** The next SA with the same SPI, a list of the SAD's. */
  sameSpi: Sa | null = null;
  /** Folded sums of the original addresses behind a NAT (RFC 3948 3.1.2); -1: not known. */
  readonly natSourceSum: number;
  readonly natDestinationSum: number;

  /** Own copies of the keys are in here; disposal erases them. */
  readonly parameters: SaParameters;
  /** The kind of SA. */
  readonly kind: Transform;
  readonly arena: Arena;
  readonly crypto: PacketCrypto;
  readonly cipherRow: CipherRow | undefined;
  readonly authenticatorRow: AuthenticatorRow | undefined;
  /** Changed by {@linkcode setState} of lifetimes.ts alone. */
  state: SaState = "mature";
  /** The SA applied before this one. */
  inner: Sa | null = null;
  /** What the SA was negotiated for, as mask and masked tuple; null: anything. */
  readonly selector: TupleMask | null;
  /** What its owner calls it. */
  id = 0;
  /** IP-in-IP: this SA with its ends swapped, see `Sad.findMirror`. */
  mirror: Sa | null = null;
  /** Neighbours in the SAD's list of SAs to the same peer. */
  older: Sa | null = null;
  newer: Sa | null = null;

  #disposed = false;

  /** Use {@linkcode createSa}. */
  constructor(parameters: SaParameters, crypto: PacketCrypto, arena: Arena, options: SaOptions) {
    const { protocol, source, destination, oldHeader, halfIv } = parameters;
    this.parameters = options.owned ? parameters : {
      ...parameters,
      encryptionKey: parameters.encryptionKey?.slice(),
      authenticationKey: parameters.authenticationKey?.slice(),
    };
    this.arena = arena;
    this.crypto = crypto;
    this.spi = parameters.spi | 0;
    this.protocol = protocol;
    this.family = destination.family;
    this.source = sharedWords(source);
    this.destination = sharedWords(destination);
    this.destinationWord = this.destination[0];
    this.sourceKnown = !isUnspecified(source);
    const { proxy } = parameters;
    this.proxy = proxy && !isUnspecified(proxy) ? { family: proxy.family, words: sharedWords(proxy) } : null;
    this.tunnel = parameters.tunnel || protocol === PROTOCOL.IPIP;
    this.randomPadding = parameters.randomPadding;
    this.udpPort = parameters.udpPort ?? 0;
    this.udpSourcePort = options.udpSourcePort ?? 4500;
    this.dfPolicy = DF_POLICY[options.dontFragment ?? "copy"];
    this.hopLimit = options.hopLimit ?? 64;
    this.ecnMask = options.ecn === "compatibility" ? 0xfc : 0xff;
    this.counters = options.counters ?? new Float64Array(COUNTER_OCTETS / 8);
    this.countersAt = options.countersAt ?? 0;
    this.scratchAt = scratchOf(arena);
    this.limitBytes(parameters.hard.bytes);
    this.selector = parameters.selector ? new TupleMask(parameters.selector) : null;
    const cipher = this.cipherRow = protocol === PROTOCOL.ESP
      ? cipherByName(parameters.encryption ?? "null")
      : undefined;
    const authenticator = this.authenticatorRow = parameters.authentication === undefined
      ? undefined
      : authenticatorByName(parameters.authentication, protocol === PROTOCOL.AH && oldHeader);
    this.salt = this.#saltedKey().salt;
    this.ivOctets = cipher?.ivOctets ?? authenticator?.ivOctets ?? 0;
    this.icvOctets = (cipher?.icvOctets || authenticator?.icvOctets) ?? 0;
    this.blockOctets = Math.max(4, cipher?.blockOctets ?? 4);
    this.natSourceSum = addressSum(parameters.natOriginal?.source);
    this.natDestinationSum = addressSum(parameters.natOriginal?.destination);
    if (protocol === PROTOCOL.ESP) {
      this.kind = oldHeader ? oldEsp : esp;
      this.headOctets = oldHeader ? 4 + (halfIv ? 4 : 8) : 8 + this.ivOctets;
    } else if (protocol === PROTOCOL.AH) {
      this.kind = oldHeader ? oldAh : ah;
      const octets = (oldHeader ? 8 : 12) + this.ivOctets + this.icvOctets;
      const unit = this.family === 6 && !oldHeader ? 8 : 4;
      this.headOctets = Math.ceil(octets / unit) * unit;
    } else {
      this.kind = ipip;
      this.headOctets = 0;
    }
  }

  /** The AEAD of the SA, if it has one. */
  get #aeadName(): AeadName | undefined {
    return this.cipherRow?.aead ?? (this.protocol === PROTOCOL.AH ? this.authenticatorRow?.aead : undefined);
  }

  /** The key, and the salt that is given at its end. */
  #saltedKey(): { key: Uint8Array; salt: number } {
    const keyed = this.protocol === PROTOCOL.ESP && this.cipherRow?.name !== "null"
      ? this.cipherRow
      : this.authenticatorRow;
    const { encryptionKey, authenticationKey } = this.parameters;
    const key = (keyed === this.cipherRow ? encryptionKey : authenticationKey) ?? new Uint8Array(0);
    const keyOctets = key.length - (keyed?.saltOctets ?? 0);
    const salt = keyed?.saltOctets ? new DataView(key.buffer, key.byteOffset).getInt32(keyOctets) : 0;
    return { key: key.subarray(0, keyOctets), salt };
  }

  /** Sets after how many octets the SA must not be used; 0: no limit. */
  limitBytes(octets: number): void {
    this.counters[this.countersAt + COUNTER.HARD_BYTES] = octets || Infinity;
  }

  /** Makes what packets need. The first one does it by itself. @throws {Error} after disposal */
  open(): void {
    if (this.transform !== UNOPENED) return;
    if (this.#disposed) erased();
    const { crypto, cipherRow, authenticatorRow, parameters } = this;
    const { key } = this.#saltedKey();
    const aead = this.#aeadName;
    if (aead) this.aead = crypto.aead(aead, key);
    if (cipherRow?.cipher) this.cipher = crypto.cipher(cipherRow.cipher, key);
    if (authenticatorRow?.mac) this.mac = crypto.mac(authenticatorRow.mac, parameters.authenticationKey!);
    this.protection = protectionOf(this.aead, this.cipher, this.mac, cipherRow);
    if (this.authenticates && !parameters.oldHeader && parameters.replayWindow > 0) {
      this.replay = new ReplayWindow(parameters.replayWindow);
    }
    if (this.ivOctets === 8 && (aead || cipherRow?.cipher === "aes-ctr")) {
      crypto.random(this.scratchAt, 8);
      this.ivHigh = this.arena.view.getInt32(this.scratchAt);
      this.ivLow = this.arena.view.getInt32(this.scratchAt + 4);
    }
    this.transform = this.kind;
  }

  /** Octets of the outer IP and UDP headers that tunnel mode adds. */
  get outerOctets(): number {
    return (this.family === 4 ? IPV4.OCTETS : IPV6.OCTETS) + (this.udpPort ? UDP.OCTETS : 0);
  }

  /** Whether packets are authenticated. */
  get authenticates(): boolean {
    return this.#aeadName !== undefined || this.authenticatorRow?.mac !== undefined;
  }

  /** Whether packets are encrypted. */
  get encrypts(): boolean {
    return this.cipherRow !== undefined && !this.cipherRow.authenticatesOnly &&
      (this.cipherRow.cipher !== undefined || this.cipherRow.aead !== undefined);
  }

  /** `esp 0x00001000 to 192.0.2.1`. */
  toString(): string {
    const name = this.protocol === PROTOCOL.ESP ? "esp" : this.protocol === PROTOCOL.AH ? "ah" : "ip4";
    return `${name} 0x${(this.spi >>> 0).toString(16).padStart(8, "0")} to ${
      formatAddress(this.parameters.destination)
    }`;
  }

  [Symbol.dispose](): void {
    this.usable = false;
    this.#disposed = true;
    this.aead?.[Symbol.dispose]();
    this.cipher?.[Symbol.dispose]();
    this.mac?.[Symbol.dispose]();
    const { encryptionKey, authenticationKey } = this.parameters;
    if (encryptionKey) erase(encryptionKey);
    if (authenticationKey) erase(authenticationKey);
    this.ivHigh = this.ivLow = 0;
  }
}

/** Folded sum of an address for checksum correction; -1 without one. */
function addressSum(address: Address | undefined): number {
  if (!address) return -1;
  const { buffer, byteOffset, length } = address.octets;
  return sum(new DataView(buffer, byteOffset, length), 0, length, 0);
}

/**
 * Builds an SA whose packets lie in `arena`.
 *
 * @throws {RangeError} on algorithms that do not go together or a key that its algorithm cannot use; the message holds no
 * octet of a key.
 */
export function createSa(
  parameters: SaParameters,
  crypto: PacketCrypto,
  arena: Arena,
  options: SaOptions = {},
): Sa {
  checkParameters(parameters);
  return new Sa(parameters, crypto, arena, options);
}

/** Octets of the outer packet around a packet of `innerOctets` octets in tunnel mode; without outer IP and UDP when bare. */
export function tunnelOctets(sa: Sa, innerOctets: number, bare = false): number {
  return (bare ? 0 : sa.outerOctets) + sa.kind.securedOctets(sa, innerOctets);
}

/** The largest packet whose tunnel-mode form, IP and UDP headers included, fits `mtu`; negative when none does. */
export function maxInner(sa: Sa, mtu: number): number {
  return sa.kind.maxData(sa, mtu - sa.outerOctets);
}

/** The largest packet (with an IP header of `headerOctets`) whose transport-mode form fits `mtu`. */
export function maxTransport(sa: Sa, mtu: number, headerOctets = sa.family === 4 ? IPV4.OCTETS : IPV6.OCTETS): number {
  return headerOctets + sa.kind.maxData(sa, mtu - headerOctets - (sa.udpPort ? UDP.OCTETS : 0));
}
