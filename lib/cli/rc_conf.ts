/** /etc/ipsecbox/rc.conf: the ipsecadm lines that the engine begins with. @module */
import { rcConfPath } from "../daemon/paths.ts";
import { CommandError } from "./command.ts";
import { withEngine } from "./engine.ts";
import { systemContext } from "./ipsecadm.ts";
import { parseBatch } from "./ipsecadm/batch.ts";
import type { Order } from "./ipsecadm/orders.ts";
import { carryOutAll } from "./ipsecadm/send.ts";

/**
 * What may stand in the file, in the order in which it is carried out: first the flows, so that what they demand is held
 * back before anything can go out; an engine that begins has nothing to delete.
 */
const ORDER = ["X_ADDFLOW", "ADD", "X_GRPSPIS", "X_BINDSA"];

const OTHERS = 0o077;

/** The file's orders and every complaint about it, each with file:line. */
export function readRcConf(path = rcConfPath()): { orders: { order: Order; place: string }[]; complaints: string[] } {
  let text: string;
  let mode: number;
  try {
    text = Deno.readTextFileSync(path);
    mode = Deno.statSync(path).mode ?? 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { orders: [], complaints: [] };
    return { orders: [], complaints: [`${path}: ${error instanceof Error ? error.message : error}`] };
  }
  const { orders, complaints } = parseBatch(text, path, systemContext());
  if (mode & OTHERS && /\s-(auth)?key\s/.test(text)) {
    complaints.push(`${path}: it holds keys and others may read it: chmod 600 ${path}, or use -keyfile`);
  }
  const fitting = orders.filter(({ order, place }) => {
    if (ORDER.includes(order.type)) return true;
    complaints.push(`${place}: only new, ip4, flow, group and bind may stand here: the engine begins with nothing`);
    return false;
  });
  fitting.sort((a, b) => ORDER.indexOf(a.order.type) - ORDER.indexOf(b.order.type));
  return { orders: fitting, complaints };
}

/**
 * Gives the running engine what the file says.
 *
 * @param tell is given a line for what is wrong in the file or refused by the engine; the rest still counts
 * @returns how many lines' orders the engine has taken
 */
export async function applyRcConf(tell: (line: string) => void, path = rcConfPath()): Promise<number> {
  const { orders, complaints } = readRcConf(path);
  complaints.forEach(tell);
  let refused = 0;
  try {
    if (orders.length) {
      await withEngine((client) =>
        carryOutAll(client, orders, ({ place }, message) => {
          refused++;
          tell(`${place}: ${message}`);
        })
      );
    }
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    tell(`${path}: ${error.message}`);
    return 0;
  }
  return orders.length - refused;
}
