/** Reaching the engine from a subcommand. @module */
import { EngineUnreachableError, PfkeyClient } from "../daemon/pfkey_client.ts";
import { CommandError } from "./command.ts";

/** Connects, does `work` and closes. @throws {CommandError} one line when there is no engine */
export async function withEngine<T>(work: (client: PfkeyClient) => Promise<T>): Promise<T> {
  try {
    using client = await PfkeyClient.connect();
    return await work(client);
  } catch (error) {
    if (error instanceof EngineUnreachableError) throw new CommandError(error.message);
    throw error;
  }
}
