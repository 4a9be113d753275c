/** photurisd as a client of the engine: SPIs become SAs, peers become flows. @module */
import { type Address, equalAddress, prefixOf } from "../ip/address.ts";
import { type Flow, type Lifetime, PROTOCOL, type SaParameters, type SecurityProtocol } from "../ipsec/types.ts";
import type { Message } from "../pfkey/message.ts";
import { PfkeyError } from "../pfkey/numbers.ts";
import type { Effect, SpiReference, SpiSection } from "../photuris/effects.ts";
import type { StartRequest } from "../photuris/settings.ts";
import { directedSelectorKey } from "./pending_flows.ts";
import type { PfkeyClient } from "./pfkey_client.ts";

type Install = Extract<Effect, { do: "install" }>;

/** How the engine does an attribute: the names are those of crypto/algorithms.ts. */
interface EngineAlgorithm {
  readonly encryption?: string;
  /** Without the HMAC flag: the keyed hash of old AH. */
  readonly keyed?: string;
  readonly hmac?: string;
  /** Old ESP: 32-bit IV, random padding, no sequence number (RFC 1829). */
  readonly isOldEsp?: boolean;
}

const ALGORITHMS: ReadonlyMap<number, EngineAlgorithm> = new Map([
  [5, { keyed: "keyed-md5", hmac: "md5" }],
  [6, { keyed: "keyed-sha1", hmac: "sha1" }],
  [7, { hmac: "rmd160" }],
  [8, { encryption: "des", isOldEsp: true }],
  [16, { encryption: "blf" }],
  [17, { encryption: "cast" }],
  [18, { encryption: "3des" }],
  [19, { encryption: "skipjack" }],
]);

const NUMBERS: Readonly<Record<"esp" | "ah", SecurityProtocol>> = { esp: PROTOCOL.ESP, ah: PROTOCOL.AH };
const SA_TYPES = { esp: "ESP", ah: "AH" } as const;
const REPLAY_WINDOW = 32;
/** The share of a hard limit at which the engine asks for a successor. */
const SOFT = 0.9;
const UDP = 17;

/** The SA of one section of an SPI. */
export function saOf(effect: Install, section: SpiSection, isInner: boolean, spiBytes: number): SaParameters {
  const { role, spi, peer, local, lifeSeconds, request } = effect;
  const cipher = section.encryption && ALGORITHMS.get(section.encryption.definition.number);
  const authenticator = section.authentication && ALGORITHMS.get(section.authentication.definition.number);
  const isOld = cipher?.isOldEsp ?? (section.protocol === "ah" && !section.hmac);
  const life = (share: number): Lifetime => ({
    allocations: 0,
    bytes: Math.floor(spiBytes * share),
    addSeconds: Math.max(1, Math.floor(lifeSeconds * share)),
    useSeconds: 0,
  });
  return {
    protocol: NUMBERS[section.protocol],
    spi,
    source: role === "owner" ? peer : local,
    destination: role === "owner" ? local : peer,
    encryption: cipher?.encryption,
    encryptionKey: section.encryption?.key,
    authentication: section.hmac ? authenticator?.hmac : authenticator?.keyed,
    authenticationKey: section.authentication?.key,
    tunnel: isInner && request?.tunnel !== undefined,
    oldHeader: isOld,
    halfIv: cipher?.isOldEsp ?? false,
    randomPadding: cipher?.isOldEsp ?? false,
    replayWindow: isOld ? 0 : REPLAY_WINDOW,
    hard: life(1),
    soft: life(SOFT),
  };
}

/** What the packets of a peer need: flows in both directions, and a way for Photuris itself. */
export function flowsFor(
  peer: Address,
  local: Address,
  request: StartRequest | undefined,
  protocols: { readonly in: SecurityProtocol; readonly out: SecurityProtocol },
  port: number,
): Flow[] {
  const whole = (address: Address) => prefixOf(address, 8 * address.octets.length);
  const [near, far] = request?.tunnel
    ? [request.tunnel.source, request.tunnel.destination]
    : [whole(local), whole(peer)];
  // Who asked for keys wants nothing in the clear; a peer that came by itself is served as far as it goes.
  const type = request ? "require" : "use";
  const any = { transport: 0, sourcePort: 0, destinationPort: 0 };
  const flows: Flow[] = [
    {
      selector: { ...any, source: near, destination: far, direction: "out" },
      type,
      protocol: protocols.out,
      peer,
      local,
      static: false,
    },
    {
      selector: { ...any, source: far, destination: near, direction: "in" },
      type,
      protocol: protocols.in,
      peer,
      local,
      static: false,
    },
  ];
  if (type === "use" || request?.tunnel) return flows;
  const udp = { transport: UDP, sourcePort: 0, destinationPort: port, source: whole(peer), destination: whole(local) };
  flows.unshift({
    selector: { ...udp, direction: "in" },
    type: "bypass",
    protocol: PROTOCOL.ESP,
    peer,
    local,
    static: false,
  });
  return flows;
}

/** SPIs tried when one number has to be free for two protocols. */
const SPI_TRIES = 8;

/** The engine's side of all SPIs. Each method resolves when the engine has answered. */
export class PhoturisEngine {
  readonly #flows: Map<string, Flow>;

  /** @param before the engine that this one is in place of */
  constructor(readonly pfkey: PfkeyClient, readonly port: number, public spiBytes: number, before?: PhoturisEngine) {
    this.#flows = new Map(before ? before.#flows : []);
  }

  /** Asks for the ACQUIREs of both protocols. */
  async register(): Promise<void> {
    await this.pfkey.register("ESP");
    await this.pfkey.register("AH");
  }

  /** One SPI number for all protocols. @throws {PfkeyError} */
  async reserve(peer: Address, local: Address, protocols: readonly ("esp" | "ah")[]): Promise<number> {
    const [first, second] = protocols;
    for (let left = SPI_TRIES;; left--) {
      const spi = await this.pfkey.allocateSpi(SA_TYPES[first], peer, local);
      if (!second) return spi;
      try {
        return await this.pfkey.allocateSpi(SA_TYPES[second], peer, local, undefined, { min: spi, max: spi });
      } catch (error) {
        const isTaken = error instanceof PfkeyError && error.errno === "EEXIST";
        if (!isTaken || left === 1) throw error;
        await this.pfkey.deleteSa({ destination: local, spi, protocol: NUMBERS[first] });
      }
    }
  }

  /**
   * Installs an SPI's SAs, the outer one first, so that no packet goes out half protected.
   *
   * @throws {PfkeyError}
   */
  async install(effect: Install): Promise<void> {
    const sas = effect.sections.map((section, at) => saOf(effect, section, at === 0, this.spiBytes));
    const [inner, outer] = sas;
    for (const sa of sas.toReversed()) {
      if (effect.role === "owner") await this.pfkey.updateSa(sa);
      else await this.pfkey.addSa(sa);
      sa.encryptionKey?.fill(0);
      sa.authenticationKey?.fill(0);
    }
    if (outer) await this.pfkey.groupSas(inner, outer);
  }

  /** Removes an SPI's SAs; those that have expired by themselves are gone already. */
  async remove({ role, spi, peer, local, protocols }: SpiReference): Promise<void> {
    const destination = role === "owner" ? local : peer;
    for (const protocol of protocols) {
      try {
        await this.pfkey.deleteSa({ destination, spi, protocol: NUMBERS[protocol] });
      } catch (error) {
        if (!(error instanceof PfkeyError && error.errno === "ESRCH")) throw error;
      }
    }
  }

  /** Adds flows, or changes those with the same selectors. */
  async addFlows(flows: readonly Flow[]): Promise<void> {
    for (const flow of flows) {
      const key = directedSelectorKey(flow);
      const old = this.#flows.get(key);
      if (old && old.type === flow.type && old.protocol === flow.protocol) continue;
      // A peer that we asked for stays required even when it begins the next exchange itself.
      if (old?.type === "require" && flow.type === "use" && old.protocol === flow.protocol) continue;
      await this.pfkey.addFlow(flow);
      this.#flows.set(key, flow);
    }
  }

  /** Gives an engine that began anew the flows that must stay while there are no keys; the others come with the keys. */
  async restoreFlows(): Promise<void> {
    for (const [key, flow] of this.#flows) {
      if (flow.type !== "use") await this.pfkey.addFlow(flow);
      else {
        this.#flows.delete(key);
        await this.#deleteFlow(flow);
      }
    }
  }

  /** Deletes a flow that may be gone already. */
  async #deleteFlow(flow: Flow): Promise<void> {
    try {
      await this.pfkey.deleteFlow(flow);
    } catch (error) {
      if (!(error instanceof PfkeyError && error.errno === "ESRCH")) throw error;
    }
  }

  /** Removes the flows that serve a peer only while keys exist ("use"), or with `all` every flow of every peer. */
  async removeFlows(peer: Address | "all"): Promise<void> {
    for (const [key, flow] of this.#flows) {
      if (peer !== "all" && (flow.type !== "use" || !equalAddress(flow.peer!, peer))) continue;
      this.#flows.delete(key);
      await this.#deleteFlow(flow);
    }
  }
}

/** What an ACQUIRE asks for. */
export interface Acquire {
  readonly peer: Address;
  readonly local?: Address;
  readonly protocol: "esp" | "ah";
  readonly seq: number;
}

/** Reads an ACQUIRE of the engine. */
export function readAcquire({ type, pid, satype, seq, errno, extensions }: Message): Acquire | undefined {
  const protocol = satype === "ESP" ? "esp" : satype === "AH" ? "ah" : undefined;
  if (type !== "ACQUIRE" || pid !== 0 || errno || !protocol || !extensions.ADDRESS_DST) return undefined;
  return { peer: extensions.ADDRESS_DST.address, local: extensions.ADDRESS_SRC?.address, protocol, seq };
}

/** Reads an EXPIRE: which SPI, and whether it is gone (hard limit) or about to be. */
export function readExpire(
  { type, extensions }: Message,
  isLocal: (address: Address) => boolean,
): Pick<SpiReference, "role" | "peer" | "spi"> & { isGone: boolean } | undefined {
  const { SA, ADDRESS_SRC, ADDRESS_DST } = extensions;
  if (type !== "EXPIRE" || !SA || !ADDRESS_SRC || !ADDRESS_DST) return undefined;
  const role = isLocal(ADDRESS_DST.address) ? "owner" : "user";
  const peer = role === "owner" ? ADDRESS_SRC.address : ADDRESS_DST.address;
  return { role, peer, spi: SA.spi, isGone: extensions.LIFETIME_HARD !== undefined };
}
