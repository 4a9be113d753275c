/** What `ipsecbox dump` asks the engine: SAs, with keys if wanted, and flows; and hears of their changes. @module */
import { authenticatorByPfkey, cipherByPfkey } from "../../crypto/algorithms.ts";
import { fetchStatistics } from "../../daemon/engine_views.ts";
import { EngineUnreachableError, PfkeyClient } from "../../daemon/pfkey_client.ts";
import { EncNamer, type NamedSa } from "../../dump/enc_namer.ts";
import type { KnownSas } from "../../dump/secured.ts";
import type { Flow, SaIdentity } from "../../ipsec/types.ts";
import { readFlow } from "../../pfkey/flow_message.ts";
import type { Message } from "../../pfkey/message.ts";
import { protocolOf } from "../../pfkey/nouns.ts";
import { type MessageType, PfkeyError, SA_STATES } from "../../pfkey/numbers.ts";
import { readSa } from "../../pfkey/sa_message.ts";

/** Messages after which what we know is out of date. */
const CHANGES: readonly MessageType[] = ["ADD", "UPDATE", "DELETE", "FLUSH", "X_ADDFLOW", "X_DELFLOW", "EXPIRE"];
/** An SPI that is not known makes us ask again, but not more often than this. */
const ASK_AGAIN_MS = 1000;

/** A view of the engine that follows its changes. */
export class WatchedEngine implements Disposable {
  readonly #client: PfkeyClient;
  readonly #keyed: KnownSas | undefined;
  #stale = true;
  #askedAt = -Infinity;
  #namer = new EncNamer([], []);
  /** Index of the engine's interface; 0: not told. */
  interfaceIndex = 0;

  private constructor(client: PfkeyClient, keyed: KnownSas | undefined) {
    this.#client = client;
    this.#keyed = keyed;
    client.onMessage((message) => {
      if (message && CHANGES.includes(message.type)) this.#stale = true;
    });
  }

  /**
   * Connects and asks for everything.
   *
   * @param keyed gets the SAs with their keys
   * @throws {EngineUnreachableError}
   */
  static async connect(keyed?: KnownSas): Promise<WatchedEngine> {
    const engine = new WatchedEngine(await PfkeyClient.connect(), keyed);
    engine.interfaceIndex = (await fetchStatistics(engine.#client)).engine?.interfaceIndex ?? 0;
    await engine.refresh();
    return engine;
  }

  get namer(): EncNamer {
    return this.#namer;
  }

  /** Asks again when something has changed, or, for `unknownSpi`, when that was some time ago. */
  async refresh(unknownSpi = false): Promise<void> {
    if (!this.#stale && !(unknownSpi && performance.now() - this.#askedAt > ASK_AGAIN_MS)) return;
    this.#stale = false;
    this.#askedAt = performance.now();
    try {
      const messages: Message[] = [];
      await this.#client.dump("DUMP", "UNSPEC", (message) => messages.push(message));
      const flows: Flow[] = [];
      await this.#client.dump("X_SPDDUMP", "UNSPEC", (row) => flows.push(readFlow(row.satype, row.extensions)));
      const known = messages.filter(({ extensions }) => extensions.SA!.state !== SA_STATES.LARVAL);
      this.#namer = new EncNamer(flows, known.map(namedSa));
      if (this.#keyed) await this.#fetchKeys(known);
    } catch (error) {
      // The engine has ended; what was known stays.
      if (!(error instanceof EngineUnreachableError)) throw error;
    }
  }

  async #fetchKeys(messages: readonly Message[]): Promise<void> {
    const identities = messages.map(({ satype, extensions }): SaIdentity => ({
      protocol: protocolOf(satype),
      spi: extensions.SA!.spi,
      destination: extensions.ADDRESS_DST!.address,
    }));
    const answers = await Promise.allSettled(
      identities.filter(({ protocol }) => protocol !== 4).map((identity) => this.#client.fetchSa(identity)),
    );
    for (const answer of answers) {
      if (answer.status === "rejected") {
        // Gone between the two questions.
        if (answer.reason instanceof PfkeyError) continue;
        throw answer.reason;
      }
      this.#keyed!.add(readSa(answer.value.satype, answer.value.extensions));
    }
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

/** An SA of a DUMP, which holds no keys. */
function namedSa({ satype, extensions }: Message): NamedSa {
  const { auth, encrypt, state, spi } = extensions.SA!;
  return {
    protocol: protocolOf(satype),
    spi,
    source: extensions.ADDRESS_SRC!.address,
    destination: extensions.ADDRESS_DST!.address,
    encryption: encrypt ? cipherByPfkey(encrypt)?.name : undefined,
    authentication: auth ? authenticatorByPfkey(auth)?.name : undefined,
    usable: state === SA_STATES.MATURE || state === SA_STATES.DYING,
  };
}
