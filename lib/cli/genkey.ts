/** `ipsecbox genkey`: a key from the system's random source. @module */
import { erase } from "../octets/bytes.ts";
import { formatHex } from "../octets/hex.ts";
import { CommandError } from "./command.ts";
import { print } from "./commands.ts";

export const HELP = `usage: ipsecbox genkey BITS

Prints BITS random bits from the system's random source as hexadecimal digits, the form that
ipsecadm's key files have. BITS is a multiple of 8: 64 for des, 192 for 3des, 160 for blf,
sha1 and rmd160, 128 for cast and md5, 128, 192 or 256 for aes; "ipsecadm help new esp" has
the whole table (in octets of 8 bits).

example:
  (umask 077; ipsecbox genkey 192 > /etc/esp-enc-key; ipsecbox genkey 160 > /etc/esp-auth-key)
`;

const MOST_BITS = 4096;

export function run(args: string[]): number {
  const [word] = args;
  if (word === "help" || word === "--help") {
    print(HELP);
    return 0;
  }
  const bits = Number(word);
  if (args.length !== 1 || !/^\d{1,4}$/.test(word) || bits < 8 || bits > MOST_BITS || bits % 8) {
    throw new CommandError(`the number of bits is needed: a multiple of 8 from 8 to ${MOST_BITS}`);
  }
  const key = crypto.getRandomValues(new Uint8Array(bits / 8));
  print(`${formatHex(key)}\n`);
  erase(key);
  return 0;
}
