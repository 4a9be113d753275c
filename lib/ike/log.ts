/** Effects that tell: log lines, counters, captures. @module */
import { formatAddress } from "../ip/address.ts";
import { encodeMessage, type Header, type Payload } from "../isakmp/message.ts";
import { FLAG } from "../isakmp/numbers.ts";
import type { Endpoint, LogClass } from "./events.ts";
import type { Core, Phase1Sa } from "./state.ts";

/** Logs a line; `text` is not even made when nobody wants it. Level 0 is always wanted. */
export function log(core: Core, logClass: LogClass, level: number, text: () => string): void {
  if (level > 0 && !core.environment.wantsLog?.(logClass, level)) return;
  core.effects.push({ type: "log", class: logClass, level, text: text() });
}

/** Counts a message that is dropped, and says why at a high level. */
export function drop(core: Core, reason: string, from: Endpoint, detail = ""): void {
  count(core, reason);
  log(core, "Message", 40, () => `Dropped message from ${endpointText(from)}: ${reason}${detail && `: ${detail}`}`);
}

export function count(core: Core, what: string): void {
  core.counters[what] = (core.counters[what] ?? 0) + 1;
}

/** `192.0.2.1:500`, `[2001:db8::1]:500` */
export function endpointText({ address, port }: Endpoint): string {
  const text = formatAddress(address);
  return address.family === 4 ? `${text}:${port}` : `[${text}]:${port}`;
}

/** Gives a message in clear to the packet log. */
export function capture(core: Core, sa: Phase1Sa, header: Header, payloads: readonly Payload[], sent: boolean): void {
  if (!core.environment.capture?.messages) return;
  const octets = encodeMessage({ ...header, flags: header.flags & ~FLAG.ENCRYPTION }, payloads);
  core.effects.push({ type: "capture", local: sa.local, remote: sa.remote, sent, octets });
}
