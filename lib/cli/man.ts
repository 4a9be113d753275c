/** `ipsecbox man`: the manual pages, where no man(1) is. @module */
import { didYouMean } from "../octets/nearest.ts";
import { CommandError } from "./command.ts";
import { print } from "./commands.ts";
import { MAN_PAGES } from "./man_pages.ts";

export const HELP = `usage: ipsecbox man [NAME]

Prints the manual page of a command (enc, ipsecadm, isakmpd, ...) or of a file (isakmpd.conf,
isakmpd.policy, photuris.conf, sysctl.conf) as plain text. Without NAME, lists the pages.

example:
  ipsecbox man isakmpd.conf | less
`;

/** Words that mean a page of another name. */
const ALIASES: Readonly<Record<string, string>> = {
  vpn: "rc.vpn",
  "attributes.conf": "photuris.conf",
  "secrets.conf": "photuris.conf",
  "photuris.startup": "photuris.conf",
};

/** The file name of the page that `name` means: `enc`, `ipsecbox-enc`, `ipsecbox-enc.8`. */
export function findPage(name: string): string | undefined {
  const wanted = Object.hasOwn(ALIASES, name) ? ALIASES[name] : name;
  return Object.keys(MAN_PAGES).find((page) =>
    [page, page.replace(/\.\d$/, ""), page.replace(/^ipsecbox-|\.\d$/g, "")].includes(wanted)
  );
}

export function run(args: string[]): number {
  const [name, ...more] = args;
  const names = Object.keys(MAN_PAGES).map((page) => page.replace(/^ipsecbox-|\.\d$/g, ""));
  if (name === "--help") print(HELP);
  else if (name === undefined) print(`${names.join("\n")}\n`);
  else {
    if (more.length) throw new CommandError(`"${more[0]}" is one word too many ("ipsecbox help man")`, 2);
    const page = findPage(name);
    if (!page) throw new CommandError(`no page "${name}"${didYouMean(name, names)} ("ipsecbox man" lists them)`);
    print(MAN_PAGES[page].text);
  }
  return 0;
}
