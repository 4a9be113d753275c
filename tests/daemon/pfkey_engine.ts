/** An engine without a datapath behind a PF_KEY socket in a temporary run directory. */
import type { Effect } from "../../lib/engine/effects.ts";
import { KeyEngine } from "../../lib/engine/key_engine.ts";
import type { EngineOptions } from "../../lib/engine/state.ts";
import { PfkeyServer } from "../../lib/daemon/pfkey_server.ts";
import { PfkeyClient } from "../../lib/daemon/pfkey_client.ts";

/** Engine and socket; `effects` gathers what a datapath would have been told. */
export class EngineProcess implements AsyncDisposable {
  readonly effects: Effect[] = [];
  readonly logged: string[] = [];

  private constructor(readonly directory: string, readonly engine: KeyEngine, readonly server: PfkeyServer) {}

  static async start(options: Partial<EngineOptions> = {}): Promise<EngineProcess> {
    const directory = Deno.makeTempDirSync({ prefix: "ipsecbox-pfkey-" });
    const engine = new KeyEngine({ random: (octets) => crypto.getRandomValues(new Uint8Array(octets)), ...options });
    let self: EngineProcess | undefined = undefined;
    const server = await PfkeyServer.listen({
      connected: (client) => engine.connect(client),
      message: (client, octets) => self!.perform(engine.onMessage(client, octets, Date.now())),
      disconnected: (client) => engine.disconnect(client),
      log: (text) => self!.logged.push(text),
    }, directory);
    self = new EngineProcess(directory, engine, server);
    return self;
  }

  perform(effects: Effect[]): void {
    for (const effect of effects) {
      if (effect.kind === "send") this.server.send(effect.to, effect.message);
      else if (effect.kind === "dump") this.server.dump(effect.to, effect.messages);
      else if (effect.kind !== "log") this.effects.push(effect);
    }
  }

  connect(pid?: number): Promise<PfkeyClient> {
    return PfkeyClient.connect(this.server.path, pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close();
    Deno.removeSync(this.directory, { recursive: true });
  }
}
