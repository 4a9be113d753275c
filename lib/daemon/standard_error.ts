/** Writing to standard error, where a message is best effort. @module */

const encoder = new TextEncoder();

/**
 * Writes `text` to standard error. A pipe that nobody reads any longer or a full disk must not end a daemon whose log goes
 * there, so what cannot be written is lost.
 */
export function tellStandardError(text: string): void {
  let octets = encoder.encode(text);
  try {
    while (octets.length) octets = octets.subarray(Deno.stderr.writeSync(octets));
  } catch {
    // There is nobody left who could be told.
  }
}
