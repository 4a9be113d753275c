/** isakmpd's side of PF_KEY: SAs and flows of the IKE core into the engine, ACQUIREs and EXPIREs back. @module */
import type { AcquireRequest, NegotiatedFlow, NegotiatedSa, SaName } from "../ike/events.ts";
import { type Address, equalAddress, formatAddress, formatPrefix, prefixOf } from "../ip/address.ts";
import type { Flow, FlowType, Identity, Lifetime, SaIdentity, SaParameters, Selector } from "../ipsec/types.ts";
import { type ClientSelector, formatId, type Identification, withinSelector } from "../isakmp/identification.ts";
import { ID_TYPE } from "../isakmp/numbers.ts";
import type { Message } from "../pfkey/message.ts";
import { PfkeyError } from "../pfkey/numbers.ts";
import type { Log } from "./log.ts";
import { EngineUnreachableError, PfkeyClient } from "./pfkey_client.ts";

const PROTOCOL_NUMBER = { esp: 50, ah: 51 } as const;
const SA_TYPE = { esp: "ESP", ah: "AH" } as const;
/** Between two attempts to reach an engine that is gone. */
const RECONNECT_MS = 500;
/** The old outbound SA is used for so long after the new one was negotiated. */
const SWITCH_MS = 50;
/** ACQUIREs that wait for their SAs; the engine forgets them after 30 s. */
const ACQUIRE_LIMIT = 1000;
const ACQUIRE_MS = 30_000;

/** What the engine has to say. */
export interface KernelEvents {
  acquire(request: AcquireRequest): void;
  expire(sa: SaName, hard: boolean): void;
  /** The engine went away and came back without SAs: what was installed is gone. */
  restarted(lost: readonly SaName[]): void;
}

const identityOf = (id: Identification): Identity | undefined => {
  switch (id.type) {
    case ID_TYPE.IPV4_ADDR:
    case ID_TYPE.IPV6_ADDR:
      return { type: "prefix", text: `${formatId(id)}/${8 * id.data.length}` };
    case ID_TYPE.FQDN:
      return { type: "fqdn", text: formatId(id) };
    case ID_TYPE.USER_FQDN:
      return { type: "ufqdn", text: formatId(id) };
    default:
      return undefined;
  }
};

const saIdentity = ({ protocol, spi, destination }: SaName): SaIdentity => ({
  destination,
  spi,
  protocol: PROTOCOL_NUMBER[protocol],
});

/** Packets from `source` to `destination`, as they are seen on the way. */
function selectorOf(source: ClientSelector, destination: ClientSelector, direction: "in" | "out"): Selector {
  return {
    source: source.prefix,
    destination: destination.prefix,
    transport: source.protocol || destination.protocol,
    sourcePort: source.port,
    destinationPort: destination.port,
    direction,
  };
}

const lifetimeOf = ({ seconds, bytes }: NegotiatedSa["hard"]): Lifetime => ({
  allocations: 0,
  bytes,
  addSeconds: seconds,
  useSeconds: 0,
});

/** The packets that an SA pair is for. */
export interface Ends {
  readonly local: ClientSelector;
  readonly remote: ClientSelector;
}

/** The parameters of a negotiated SA. */
export function saParameters(
  sa: NegotiatedSa,
  ends: Ends | undefined,
): SaParameters {
  const outbound = sa.direction === "out";
  const [from, to] = outbound ? [sa.localIdentity, sa.remoteIdentity] : [sa.remoteIdentity, sa.localIdentity];
  let selector: SaParameters["selector"];
  if (ends) {
    const [source, destination] = outbound ? [ends.local, ends.remote] : [ends.remote, ends.local];
    const { direction: _, ...packets } = selectorOf(source, destination, "out");
    selector = packets;
  }
  return {
    ...saIdentity(sa),
    source: sa.source,
    encryption: sa.encryption,
    authentication: sa.authentication,
    encryptionKey: sa.encryptionKey,
    authenticationKey: sa.authenticationKey,
    tunnel: sa.tunnel,
    oldHeader: false,
    halfIv: false,
    randomPadding: false,
    replayWindow: sa.replayWindow,
    ...(sa.encapsulation && { udpPort: sa.encapsulation.remotePort }),
    ...(sa.natOriginal && { natOriginal: sa.natOriginal }),
    ...(selector && { selector }),
    hard: lifetimeOf(sa.hard),
    soft: lifetimeOf(sa.soft),
    sourceIdentity: identityOf(from),
    destinationIdentity: identityOf(to),
  };
}

/** What a connection needs of the SPD: both directions. */
export function flowsOf(flow: NegotiatedFlow, type: FlowType): Flow[] {
  const common = {
    type,
    protocol: PROTOCOL_NUMBER[flow.protocol],
    peer: flow.peer,
    local: flow.localAddress,
    static: false,
  } as const;
  const [local, remote] = [identityOf(flow.localIdentity), identityOf(flow.remoteIdentity)];
  return [
    {
      ...common,
      selector: selectorOf(flow.local, flow.remote, "out"),
      sourceIdentity: local,
      destinationIdentity: remote,
    },
    {
      ...common,
      selector: selectorOf(flow.remote, flow.local, "in"),
      sourceIdentity: local,
      destinationIdentity: remote,
    },
  ];
}

const keyOf = ({ protocol, spi, destination }: SaName) => `${protocol} ${spi} ${formatAddress(destination)}`;
export const flowKey = ({ local, remote }: Ends) =>
  [local, remote].map(({ prefix, protocol, port }) => `${formatPrefix(prefix)} ${protocol} ${port}`).join(" ");

/** The engine, reached again whenever it comes back. All requests are sent in the order of the calls. */
export class Kernel implements Disposable {
  #client: PfkeyClient | undefined;
  #closed = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  /** Outbound ones with the key of their flow. */
  readonly #sas = new Map<string, SaName & { readonly flow?: string }>();
  readonly #flows = new Map<string, { flow: NegotiatedFlow; type: FlowType }>();
  /** Both ends of the SAs that were there at the start: an earlier daemon's, or made by hand. */
  readonly #inherited = new Set<string>();
  /** Outbound SAs by the packets they are for. */
  readonly #outbound = new Map<string, Set<string>>();
  /**
   * Flows of pairs whose inbound SA is installed and whose outbound one is not yet, by the inbound SA: an answer to the
   * peer's first packet must not leave in clear. It waits in the engine.
   */
  readonly #provisional = new Map<string, { readonly flow: NegotiatedFlow; readonly key: string }>();
  readonly #acquires: { peer: string; seq: number; at: number }[] = [];

  constructor(
    readonly log: Log,
    readonly events: KernelEvents,
    /** `-a`: SAs only. */
    readonly withFlows: boolean,
  ) {}

  /** Connects for the first time. @throws {EngineUnreachableError} */
  async start(): Promise<void> {
    await this.#connect();
    await this.#client!.dump("DUMP", "UNSPEC", ({ extensions }) => {
      for (const end of [extensions.ADDRESS_SRC, extensions.ADDRESS_DST]) {
        if (end) this.#inherited.add(formatAddress(end.address));
      }
    });
  }

  /** Whether the engine had SAs with this peer before we began. */
  hadSasWith(peer: Address): boolean {
    return this.#inherited.has(formatAddress(peer));
  }

  get connected(): boolean {
    return this.#client !== undefined;
  }

  async #connect(): Promise<void> {
    const client = await PfkeyClient.connect();
    client.onMessage((message) => message ? this.#onMessage(message) : this.#lost(client));
    await client.register("ESP");
    await client.register("AH");
    this.#client = client;
  }

  #lost(client: PfkeyClient): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    if (this.#closed) return;
    this.log.warn("the IPsec engine is gone; waiting for it to come back");
    this.#again();
  }

  #again(): void {
    this.#retry = setTimeout(async () => {
      try {
        await this.#connect();
      } catch (error) {
        if (!(error instanceof EngineUnreachableError) && !(error instanceof PfkeyError)) throw error;
        if (!this.#closed) this.#again();
        return;
      }
      if (this.#closed) return this.#client?.close();
      // The engine started afresh. The old keys must not be used again: their sequence numbers and counters are lost.
      this.log.notice("the IPsec engine is back");
      for (const { flow, type } of this.#flows.values()) this.#addFlow(flow, type);
      const lost = Array.from(this.#sas.values());
      this.#sas.clear();
      this.#inherited.clear();
      this.#provisional.clear();
      this.#outbound.clear();
      this.#acquires.length = 0;
      this.events.restarted(lost);
    }, RECONNECT_MS);
  }

  /** Does something if there is an engine; what goes wrong is logged. Answers whether it was done. */
  async #attempt(what: string, request: (client: PfkeyClient) => Promise<unknown>): Promise<boolean> {
    const client = this.#client;
    if (!client) return false;
    try {
      await request(client);
      return true;
    } catch (error) {
      if (error instanceof EngineUnreachableError) return false;
      this.log.error(`cannot ${what}: ${(error as Error).message}`);
      return false;
    }
  }

  /** Reserves an SPI for an inbound SA; undefined when it cannot be had. */
  async reserveSpi(protocol: "esp" | "ah", local: Address, remote: Address): Promise<number | undefined> {
    let spi: number | undefined;
    await this.#attempt("reserve an SPI", async (client) => {
      spi = await client.allocateSpi(SA_TYPE[protocol], remote, local);
    });
    return spi;
  }

  async installSa(
    sa: NegotiatedSa,
    ends: Ends | undefined,
  ): Promise<void> {
    const parameters = saParameters(sa, ends);
    this.#sas.set(keyOf(sa), {
      direction: sa.direction,
      protocol: sa.protocol,
      spi: sa.spi,
      source: sa.source,
      destination: sa.destination,
      flow: ends && sa.direction === "out" ? flowKey(ends) : undefined,
    });
    const spi = `0x${sa.spi.toString(16).padStart(8, "0")}`;
    const what = `install ${sa.direction}bound ${sa.protocol.toUpperCase()} SA ${spi}`;
    if (sa.direction === "in") {
      const installed = this.#attempt(what, (client) => client.updateSa(parameters));
      if (ends && this.withFlows && !this.#hasFlow(flowKey(ends))) await this.#installProvisional(sa, ends);
      await installed;
    } else {
      await this.#installOutbound(sa, ends, what, parameters);
    }
  }

  /** The engine sends on the newest SA, which the peer may install a moment later than we do. */
  async #installOutbound(
    sa: NegotiatedSa,
    ends: Ends | undefined,
    what: string,
    parameters: SaParameters,
  ): Promise<void> {
    const seq = this.#takeAcquire(sa.destination);
    if (ends) {
      const key = flowKey(ends);
      const same = this.#outbound.get(key) ?? new Set();
      if (same.size) await new Promise((resolve) => setTimeout(resolve, SWITCH_MS));
      this.#outbound.set(key, same.add(keyOf(sa)));
      // It was removed while we waited.
      if (!this.#sas.has(keyOf(sa))) return;
    }
    await this.#attempt(what, (client) => client.addSa(parameters, seq));
  }

  /** Also a provisional one: of a bundle the innermost SA, which comes first, makes it. */
  #hasFlow(key: string): boolean {
    return this.#flows.has(key) || this.#isProvisional(key);
  }

  #isProvisional(key: string): boolean {
    for (const provisional of this.#provisional.values()) if (provisional.key === key) return true;
    return false;
  }

  async #installProvisional(sa: NegotiatedSa, ends: Ends): Promise<void> {
    const flow: NegotiatedFlow = {
      ...ends,
      connection: sa.connection,
      localAddress: sa.destination,
      peer: sa.source,
      protocol: sa.protocol,
      tunnel: sa.tunnel,
      localIdentity: sa.localIdentity,
      remoteIdentity: sa.remoteIdentity,
    };
    this.#provisional.set(keyOf(sa), { flow, key: flowKey(ends) });
    await this.#addFlow(flow, "require");
  }

  /** A bundle, innermost first. */
  async bundle(members: readonly SaName[]): Promise<void> {
    for (let i = 1; i < members.length; i++) {
      const [inner, outer] = [saIdentity(members[i - 1]), saIdentity(members[i])];
      await this.#attempt("join SAs to a bundle", (client) => client.groupSas(inner, outer));
    }
  }

  async removeSa(sa: SaName): Promise<void> {
    const flow = this.#sas.get(keyOf(sa))?.flow;
    this.#sas.delete(keyOf(sa));
    const same = flow && this.#outbound.get(flow);
    if (same && same.delete(keyOf(sa)) && same.size === 0) this.#outbound.delete(flow);
    const client = this.#client;
    const provisional = this.#provisional.get(keyOf(sa));
    if (provisional) {
      this.#provisional.delete(keyOf(sa));
      if (!this.#flows.has(provisional.key)) this.#deleteFlow(provisional.flow, "require");
    }
    try {
      await client?.deleteSa(saIdentity(sa));
    } catch (error) {
      if (error instanceof EngineUnreachableError || error instanceof PfkeyError && error.errno === "ESRCH") return;
      this.log.error(`cannot remove SA 0x${sa.spi.toString(16)}: ${(error as Error).message}`);
    }
  }

  async installFlow(flow: NegotiatedFlow, type: FlowType = "require"): Promise<void> {
    if (!this.withFlows) return;
    const key = flowKey(flow);
    this.#flows.set(key, { flow, type });
    let isThere = false;
    for (const [sa, { flow: other, key: otherKey }] of this.#provisional) {
      if (otherKey !== key) continue;
      this.#provisional.delete(sa);
      isThere ||= type === "require" && equalAddress(other.peer, flow.peer) && other.protocol === flow.protocol &&
        equalAddress(other.localAddress, flow.localAddress);
    }
    if (!isThere) await this.#addFlow(flow, type);
  }

  async #addFlow(flow: NegotiatedFlow, type: FlowType): Promise<void> {
    const what = `install the flow of ${flow.connection}`;
    await Promise.all(flowsOf(flow, type).map((each) => this.#attempt(what, (client) => client.addFlow(each))));
  }

  async removeFlow(flow: NegotiatedFlow): Promise<void> {
    const known = this.#flows.get(flowKey(flow));
    if (!known) return;
    this.#flows.delete(flowKey(flow));
    await this.#deleteFlow(known.flow, known.type);
  }

  async #deleteFlow(flow: NegotiatedFlow, type: FlowType): Promise<void> {
    for (const each of flowsOf(flow, type)) {
      try {
        await this.#client?.deleteFlow(each);
      } catch (error) {
        if (error instanceof EngineUnreachableError || error instanceof PfkeyError && error.errno === "ESRCH") continue;
        this.log.error(`cannot remove the flow of ${flow.connection}: ${(error as Error).message}`);
      }
    }
  }

  /** Flows that are installed. */
  flows(): NegotiatedFlow[] {
    return Array.from(this.#flows.values(), ({ flow }) => flow);
  }

  /** SAs of a peer behind a NAT that has moved its port. */
  async movePeer(sas: readonly SaName[], port: number): Promise<void> {
    for (const sa of sas) {
      await this.#attempt("follow a peer behind NAT", async (client) => {
        const { extensions } = await client.fetchSa(saIdentity(sa));
        const current = extensions.SA;
        if (!current) return;
        await client.request("UPDATE", SA_TYPE[sa.protocol], {
          SA: current,
          ADDRESS_SRC: { address: sa.source, port: 0 },
          ADDRESS_DST: { address: sa.destination, port: 0 },
          LIFETIME_HARD: extensions.LIFETIME_HARD,
          LIFETIME_SOFT: extensions.LIFETIME_SOFT,
          X_UDPENCAP: { port },
        });
      });
    }
  }

  #takeAcquire(peer: Address): number | undefined {
    const text = formatAddress(peer);
    const i = this.#acquires.findIndex((one) => one.peer === text);
    return i < 0 ? undefined : this.#acquires.splice(i, 1)[0].seq;
  }

  #onMessage(message: Message): void {
    if (message.type === "ACQUIRE" && message.pid === 0 && !message.errno) this.#onAcquire(message);
    else if (message.type === "EXPIRE") this.#onExpire(message);
  }

  async #onAcquire({ seq, satype, extensions }: Message): Promise<void> {
    const peer = extensions.ADDRESS_DST?.address;
    const client = this.#client;
    if (!peer || !client || satype !== "ESP" && satype !== "AH") return;
    await this.#attempt("ask which packets an ACQUIRE is about", async () => {
      const { selector } = await client.askPolicy(seq);
      const end = (prefix: ClientSelector["prefix"], port: number): ClientSelector => ({
        prefix,
        protocol: selector.transport,
        port,
      });
      const now = performance.now();
      while (
        this.#acquires.length && (this.#acquires[0].at < now - ACQUIRE_MS || this.#acquires.length >= ACQUIRE_LIMIT)
      ) {
        this.#acquires.shift();
      }
      this.#acquires.push({ peer: formatAddress(peer), seq, at: now });
      const ends = {
        local: end(selector.source, selector.sourcePort),
        remote: end(selector.destination, selector.destinationPort),
      };
      const waits = Array.from(this.#provisional.values()).some(({ flow }) =>
        equalAddress(flow.peer, peer) && withinSelector(flow.local, ends.local) &&
        withinSelector(flow.remote, ends.remote)
      );
      if (waits) return;
      const identity = extensions.IDENTITY_DST?.text;
      this.log.debug(
        "SA",
        30,
        () =>
          `ACQUIRE ${seq}: ${formatPrefix(selector.source)} to ${formatPrefix(selector.destination)} by ${
            formatAddress(peer)
          }${identity ? ` (${identity})` : ""}`,
      );
      this.events.acquire({
        ...ends,
        peer,
        localAddress: extensions.ADDRESS_SRC?.address,
      });
    });
  }

  #onExpire({ satype, extensions }: Message): void {
    const { SA, ADDRESS_SRC, ADDRESS_DST } = extensions;
    if (!SA || !ADDRESS_SRC || !ADDRESS_DST || satype !== "ESP" && satype !== "AH") return;
    const protocol = satype === "ESP" ? "esp" : "ah";
    const key = keyOf({
      protocol,
      spi: SA.spi,
      destination: ADDRESS_DST.address,
      source: ADDRESS_SRC.address,
      direction: "in",
    });
    const sa = this.#sas.get(key);
    if (!sa) return;
    const hard = extensions.LIFETIME_HARD !== undefined;
    if (hard) this.#sas.delete(key);
    this.events.expire(sa, hard);
  }

  /** Waits until everything asked for has been answered, then closes. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#retry !== undefined) clearTimeout(this.#retry);
    // The answer to the last request comes after all others'.
    await this.#attempt("finish", (client) => client.register("ESP"));
    this.#client?.close();
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    if (this.#retry !== undefined) clearTimeout(this.#retry);
    this.#client?.close();
  }
}

/** The selector that is one host. */
export function hostSelector(address: Address): ClientSelector {
  return { prefix: prefixOf(address, 8 * address.octets.length), protocol: 0, port: 0 };
}
