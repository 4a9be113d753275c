/** `ipsecadm monitor`: PF_KEY messages as they pass. @module */
import { describeMessage, describeOctets } from "../../pfkey/describe.ts";
import type { Message } from "../../pfkey/message.ts";
import { print } from "../commands.ts";
import { withEngine } from "../engine.ts";

/** Runs until the engine ends or the program is interrupted. */
export async function monitor(write: (text: string) => void = print): Promise<number> {
  return await withEngine(async (client) => {
    client.onMessage((message) => message && write(`${describeHeard(message)}\n`));
    await client.request("X_PROMISC", "AH"); // the number 1 switches it on
    await client.closed;
    return 1;
  });
}

/** A message in words; what a promiscuous socket overheard is unwrapped and marked as a request (`<`) or an answer (`>`). */
export function describeHeard(message: Message): string {
  if (message.type !== "X_PROMISC" || !message.wrapped) return `> ${describeMessage(message)}`;
  return `${message.seq ? "<" : ">"} ${describeOctets(message.wrapped)}`;
}
