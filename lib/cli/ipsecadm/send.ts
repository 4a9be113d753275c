/** Carrying out requests, and wording the engine's refusals. @module */
import type { PfkeyClient } from "../../daemon/pfkey_client.ts";
import { ERRNO, PfkeyError } from "../../pfkey/numbers.ts";
import { CommandError } from "../command.ts";
import type { Order } from "./orders.ts";

const ENABLE = { 50: "net.inet.esp.enable", 51: "net.inet.ah.enable", 4: undefined } as const;

/** The engine's refusal of an order, in words that say what to do. */
export function refusal({ type, what, protocol }: Order, { errno }: PfkeyError): string {
  const knob = protocol && ENABLE[protocol];
  if (errno === "EOPNOTSUPP" && knob) {
    return `pfkey: ${protocol === 50 ? "ESP" : "AH"} is switched off: "ipsecbox sysctl -w ${knob}=1" switches it on`;
  }
  if (errno === "EEXIST") return `pfkey: ${what} exists already: "ipsecadm delspi" deletes it`;
  if (errno === "ESRCH") return `pfkey: there is no ${what}`;
  if (errno === "EINVAL") return `pfkey: the engine refuses ${what} as invalid`;
  return `pfkey: ${type.toLowerCase()} of ${what}: ${ERRNO[errno][1]}`;
}

/** Sends one order and waits for the answer. @throws {CommandError} with the engine's refusal */
export async function carryOut(client: PfkeyClient, order: Order): Promise<void> {
  try {
    await client.request(order.type, order.satype, order.extensions);
  } catch (error) {
    if (error instanceof PfkeyError) throw new CommandError(refusal(order, error));
    throw error;
  }
}

/** So many requests may be on their way at once. */
const IN_FLIGHT = 256;

/**
 * Sends many orders over one connection without waiting for each.
 *
 * @param refused is told of each order that the engine refuses; the others still count
 */
export async function carryOutAll<T extends { readonly order: Order }>(
  client: PfkeyClient,
  items: readonly T[],
  refused: (item: T, message: string) => void,
): Promise<void> {
  for (let at = 0; at < items.length; at += IN_FLIGHT) {
    await Promise.all(
      items.slice(at, at + IN_FLIGHT).map(async (item) => {
        try {
          await carryOut(client, item.order);
        } catch (error) {
          if (!(error instanceof CommandError)) throw error;
          refused(item, error.message);
        }
      }),
    );
  }
}
