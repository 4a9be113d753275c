/** What the doctor finds. @module */

/** One thing that stops packets, and what to do about it. */
export interface Finding {
  /** A short name that does not change: `firewall`, `key-mismatch`. */
  readonly id: string;
  /** One sentence: what is wrong, with addresses, SPIs, names. */
  readonly problem: string;
  /** Commands that put it right, or sentences where there is no command. */
  readonly remedies: readonly string[];
}

/** A finding as lines. */
export function formatFinding({ problem, remedies }: Finding, number: number): string {
  return [`${number}. ${problem}`, ...remedies.map((remedy) => `     ${remedy}`)].map((line) => `${line}\n`).join("");
}
