/** PF_KEY messages in words, for `ipsecadm monitor` and logs; no key and no authentication data is ever among them. @module */
import { EXTENSION_NAMES, EXTENSIONS } from "./extensions.ts";
import type { Codec } from "./layout.ts";
import { decodeMessage, type Message } from "./message.ts";
import { ERRNO, PfkeyError } from "./numbers.ts";

/** `X_SRC_FLOW` -> `src_flow`. */
const label = (name: string) => name.toLowerCase().replace(/^x_/, "");

/** A message as lines: what it is, then each extension, indented by a tab. */
export function describeMessage(message: Message): string {
  const { type, satype, errno, seq, pid, extensions, wrapped } = message;
  const who = pid ? `pid ${pid}` : "engine";
  const failure = errno ? `: ${ERRNO[errno][1]} (${errno})` : "";
  const lines = [`${label(type)} ${satype.toLowerCase()} seq ${seq} ${who}${failure}`];
  for (const name of EXTENSION_NAMES) {
    const value = extensions[name];
    if (value === undefined) continue;
    lines.push(`\t${label(name)}: ${(EXTENSIONS[name].codec as Codec<unknown>).describe(value)}`);
  }
  if (wrapped) lines.push(`\twrapped: ${wrapped.length} octets`);
  return lines.join("\n");
}

/** The same for octets that may be anything. */
export function describeOctets(octets: Uint8Array): string {
  try {
    return describeMessage(decodeMessage(octets));
  } catch (error) {
    if (error instanceof PfkeyError) return `malformed message of ${octets.length} octets: ${error.message}`;
    throw error;
  }
}
