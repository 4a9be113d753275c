// Fails when an import in lib/ points to a layer its folder may not know (docs/design.md, "Layers"), or when a folder
// other than lib/ffi opens a dynamic library.
import { dirname, join, normalize } from "node:path";

/** Folder of lib/ -> the folders it may import besides itself. */
export const LAYERS: Record<string, readonly string[] | "all"> = {
  std: [],
  octets: [],
  ffi: ["octets"],
  crypto: ["octets", "ffi"],
  ip: ["octets"],
  ipsec: ["octets", "crypto", "ip"],
  datapath: ["ipsec", "ip", "octets", "crypto"],
  pfkey: ["ipsec", "octets", "ip", "crypto"],
  engine: ["pfkey", "ipsec", "octets", "ip", "crypto"],
  isakmp: ["octets", "ip", "crypto", "x509"],
  ike: ["isakmp", "crypto", "ip", "octets"],
  photuris: ["crypto", "ip", "octets"],
  keynote: ["crypto", "octets"],
  x509: ["crypto", "octets"],
  config: ["ip", "ipsec", "crypto", "isakmp", "ike", "photuris", "keynote", "x509", "octets"],
  dump: ["isakmp", "ike", "photuris", "ipsec", "pfkey", "ip", "crypto", "octets"],
  linux: ["ffi", "ip", "octets"],
  daemon: "all",
  cli: "all",
};

const IMPORT = /(?:\bfrom|\bimport|\bimport\(|new URL\()\s*["']([^"']+)["']/g;

/** The complaints about one file of lib/, given its path from the repository's root and its text. */
export function complaints(path: string, text: string): string[] {
  const layer = path.split("/")[1];
  const allowed = LAYERS[layer];
  if (allowed === undefined) return [`${path}: lib/${layer} is in no row of the layer table`];
  const found: string[] = [];
  for (const [, target] of text.matchAll(IMPORT)) {
    if (!target.startsWith(".")) continue;
    const to = normalize(join(dirname(path), target)).split("/");
    // Manual pages are text that the program carries along.
    if (to[0] === "docs" && to[1] === "man") continue;
    if (to[0] !== "lib") found.push(`${path}: imports ${target}, outside lib/`);
    else if (to[1] !== layer && to[1] !== "std" && allowed !== "all" && !allowed.includes(to[1])) {
      found.push(`${path}: ${layer}/ may not import ${to[1]}/ (${target})`);
    } else if (to[1] === "cli" && layer === "daemon") found.push(`${path}: daemon/ may not import cli/`);
    else if (layer === "crypto" && to[1] === "ffi" && !/\/libcrypto(_\w+)?\.ts$/.test(path)) {
      found.push(`${path}: in lib/crypto only libcrypto*.ts may import ffi/`);
    }
  }
  if (layer !== "ffi" && text.includes("Deno.dlopen")) found.push(`${path}: Deno.dlopen outside lib/ffi`);
  return found;
}

/** The complaints about every file below `root`/lib. */
export function checkTree(root: string): string[] {
  const found: string[] = [];
  const walk = (folder: string) => {
    for (const entry of Deno.readDirSync(join(root, folder))) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory) walk(path);
      else if (path.endsWith(".ts")) found.push(...complaints(path, Deno.readTextFileSync(join(root, path))));
    }
  };
  walk("lib");
  return found;
}

if (import.meta.main) {
  const found = checkTree(".");
  for (const line of found) console.error(line);
  Deno.exit(found.length ? 1 : 0);
}
