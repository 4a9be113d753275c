/** The knobs of the engine: OpenBSD's names, types and defaults. @module */
import { authenticatorByName, cipherByName } from "../crypto/algorithms.ts";
import { PfkeyError } from "../pfkey/numbers.ts";

/** One knob. */
export interface Knob {
  readonly name: string;
  readonly value: string;
  readonly type: "switch" | "number" | "cipher" | "authenticator";
  readonly text: string;
}

const ip = (name: string, value: number | string, text: string, type: Knob["type"] = "number"): Knob => ({
  name: `net.inet.ip.ipsec-${name}`,
  value: `${value}`,
  type,
  text,
});

/** Every knob with its default. AH is off until somebody switches it on: most set-ups never need it. */
export const KNOBS: readonly Knob[] = [
  { name: "net.inet.esp.enable", value: "1", type: "switch", text: "whether ESP packets are sent and accepted" },
  { name: "net.inet.ah.enable", value: "0", type: "switch", text: "whether AH packets are sent and accepted" },
  ip("expire-acquire", 30, "seconds before key management is asked again for the same SA"),
  ip("invalid-life", 60, "seconds that a reserved SPI is kept"),
  ip("pfs", 1, "whether an ACQUIRE asks for perfect forward secrecy", "switch"),
  ip("soft-allocs", 0, "flows, soft limit of an ACQUIRE's proposal"),
  ip("allocs", 0, "flows, hard limit of an ACQUIRE's proposal"),
  ip("soft-bytes", 0, "octets, soft limit of an ACQUIRE's proposal"),
  ip("bytes", 0, "octets, hard limit of an ACQUIRE's proposal"),
  ip("soft-timeout", 80000, "seconds, soft limit of an ACQUIRE's proposal"),
  ip("timeout", 86400, "seconds, hard limit of an ACQUIRE's proposal"),
  ip("soft-firstuse", 3600, "seconds after first use, soft limit of an ACQUIRE's proposal"),
  ip("firstuse", 7200, "seconds after first use, hard limit of an ACQUIRE's proposal"),
  ip("enc-alg", "aes", "cipher of an ACQUIRE's proposal", "cipher"),
  ip("auth-alg", "sha1", "authenticator of an ACQUIRE's proposal", "authenticator"),
];

const MAX_NUMBER = 0xffff_ffff;

/** Values of all knobs. */
export class Sysctl {
  readonly #values = new Map(KNOBS.map(({ name, value }) => [name, value]));

  /** @throws {PfkeyError} ENOENT when there is no such knob */
  get(name: string): string {
    const value = this.#values.get(name);
    if (value === undefined) throw new PfkeyError("ENOENT", `No sysctl ${name}`);
    return value;
  }

  number(name: string): number {
    return Number(this.get(name));
  }

  /** @throws {PfkeyError} ENOENT, or EINVAL when the knob cannot have that value */
  set(name: string, value: string): void {
    this.get(name);
    const wrong = knobComplaint(name, value);
    if (wrong) throw new PfkeyError("EINVAL", wrong);
    this.#values.set(name, value);
  }

  /** `NAME=VALUE` lines of every knob, or of one. @throws {PfkeyError} ENOENT */
  format(name?: string): string {
    const names = name === undefined ? KNOBS.map(({ name }) => name) : [name];
    return names.map((name) => `${name}=${this.get(name)}`).join("\n");
  }
}

/** What is wrong with `value` for the knob `name`, as one clause; undefined when nothing is. */
export function knobComplaint(name: string, value: string): string | undefined {
  const type = KNOBS.find((knob) => knob.name === name)?.type;
  if (type === undefined) return `there is no ${name}`;
  if (type === "switch") return value === "0" || value === "1" ? undefined : `${name} is 0 or 1, not "${value}"`;
  if (type === "number") {
    return /^\d{1,10}$/.test(value) && Number(value) <= MAX_NUMBER
      ? undefined
      : `${name} is a number from 0 to ${MAX_NUMBER}, not "${value}"`;
  }
  const known = type === "cipher" ? cipherByName(value) : authenticatorByName(value);
  return known ? undefined : `${name} is the name of an algorithm, not "${value}"`;
}
