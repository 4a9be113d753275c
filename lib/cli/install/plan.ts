/** What `ipsecbox install` puts where, as values. @module */
import { join } from "node:path";
import procd from "./files/ipsecbox.init" with { type: "text" };
import sysusers from "./files/ipsecbox.sysusers" with { type: "text" };
import tmpfiles from "./files/ipsecbox.tmpfiles" with { type: "text" };
import encUnit from "./files/ipsecbox-enc.service" with { type: "text" };
import isakmpdUnit from "./files/ipsecbox-isakmpd.service" with { type: "text" };
import photurisdUnit from "./files/ipsecbox-photurisd.service" with { type: "text" };
import rcConf from "./files/rc.conf" with { type: "text" };
import sysctlConf from "./files/sysctl.conf" with { type: "text" };

/** The names under which OpenBSD has what one file is here. */
export const LINK_NAMES = ["ipsecadm", "isakmpd", "photurisd", "startkey", "certpatch", "keynote", "rc.vpn"] as const;

/** One thing to put in place. Paths are those of the running system: a root directory comes before them. */
export type Item =
  | { readonly kind: "file"; readonly path: string; readonly mode: number; readonly text: string }
  | { readonly kind: "program"; readonly path: string; readonly mode: number }
  | { readonly kind: "link"; readonly path: string; readonly target: string }
  | { readonly kind: "directory"; readonly path: string; readonly mode: number };

export interface Texts {
  /** By file name with section: `isakmpd.8`. */
  readonly pages: Readonly<Record<string, string>>;
  readonly completions: Readonly<Record<"bash" | "zsh" | "fish", string>>;
}

export interface Places {
  /** `/usr/local`, or `/usr` in a package. */
  readonly prefix: string;
  /** Directory of the links; absent: beside the program. */
  readonly links?: string;
  /** Who starts services. */
  readonly services: "systemd" | "procd";
}

/** The file that remembers what was installed. */
export const manifestPath = ({ prefix }: Pick<Places, "prefix">): string => join(prefix, "share/ipsecbox/installed");

export const programPath = ({ prefix }: Pick<Places, "prefix">): string => join(prefix, "sbin/ipsecbox");

const UNITS = {
  "ipsecbox-enc.service": encUnit,
  "ipsecbox-isakmpd.service": isakmpdUnit,
  "ipsecbox-photurisd.service": photurisdUnit,
};

/** Everything that is installed. */
export function plan(places: Places, texts: Texts): Item[] {
  const { prefix, links, services } = places;
  const program = programPath(places);
  const file = (path: string, text: string, mode = 0o644): Item => ({ kind: "file", path, mode, text });
  const withProgram = (text: string) => text.replaceAll("@PROGRAM@", program);
  const share = join(prefix, "share");
  const bash = join(share, "bash-completion/completions");
  const zsh = join(share, prefix === "/usr" ? "zsh/vendor-completions" : "zsh/site-functions");
  return [
    { kind: "program", path: program, mode: 0o755 },
    ...LINK_NAMES.map((name): Item =>
      links
        ? { kind: "link", path: join(links, name), target: program }
        : { kind: "link", path: join(prefix, "sbin", name), target: "ipsecbox" }
    ),
    { kind: "directory", path: "/etc/ipsecbox", mode: 0o700 },
    ...(services === "systemd"
      ? [
        ...Object.entries(UNITS).map(([name, text]) =>
          file(join(prefix, "lib/systemd/system", name), withProgram(text))
        ),
        file(join(prefix, "lib/tmpfiles.d/ipsecbox.conf"), tmpfiles),
        file(join(prefix, "lib/sysusers.d/ipsecbox.conf"), sysusers),
      ]
      : [file("/etc/init.d/ipsecbox", withProgram(procd), 0o755)]),
    file(join(share, "ipsecbox/examples/rc.conf"), rcConf, 0o600),
    file(join(share, "ipsecbox/examples/sysctl.conf"), sysctlConf),
    ...Object.entries(texts.pages).map(([name, text]) => file(join(share, `man/man${name.at(-1)}`, name), text)),
    file(join(bash, "ipsecbox"), texts.completions.bash),
    ...LINK_NAMES.map((name): Item => ({ kind: "link", path: join(bash, name), target: "ipsecbox" })),
    file(join(zsh, "_ipsecbox"), texts.completions.zsh),
    file(join(share, "fish/vendor_completions.d/ipsecbox.fish"), texts.completions.fish),
  ];
}
