/** What is wrong with a message, and the notify that answers it. @module */
import { DecodeError } from "../octets/reader.ts";
import type { NotifyName } from "./numbers.ts";

/** A message that breaks the rules. The text names payload and field, what was found, what is allowed. */
export class IsakmpError extends Error {
  override name = "IsakmpError";
  /** The notify that answers it (RFC 2408 3.14.1). */
  readonly notify: NotifyName;

  constructor(notify: NotifyName, message: string) {
    super(message);
    this.notify = notify;
  }
}

/** Runs a decoder; octets that are too few or too many become PAYLOAD_MALFORMED. @throws {IsakmpError} */
export function decoding<T>(what: string, decode: () => T, notify: NotifyName = "PAYLOAD_MALFORMED"): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof DecodeError) throw new IsakmpError(notify, `${what}: ${error.message}`);
    throw error;
  }
}
