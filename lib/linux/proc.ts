/** Who holds what: processes found through /proc, so that an error can name them. @module */
import { cString, libc } from "../ffi/libc.ts";

export interface Holder {
  readonly pid: number;
  /** The command's name as the kernel has it (15 characters at most). */
  readonly command: string;
}

function text(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

function link(path: string): string | undefined {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return undefined;
  }
}

function names(path: string): string[] {
  try {
    return Array.from(Deno.readDirSync(path), ({ name }) => name);
  } catch {
    return [];
  }
}

/** The first process of this network namespace one of whose descriptors satisfies `holds`; processes may end meanwhile. */
function findHolder(holds: (pid: string, fd: string) => boolean): Holder | undefined {
  const ours = link("/proc/self/ns/net");
  for (const pid of names("/proc")) {
    if (!/^\d+$/.test(pid) || link(`/proc/${pid}/ns/net`) !== ours) continue;
    if (names(`/proc/${pid}/fd`).some((fd) => holds(pid, fd))) {
      return { pid: Number(pid), command: text(`/proc/${pid}/comm`)?.trim() ?? "?" };
    }
  }
  return undefined;
}

/** Environment of a daemon that has given up the right to look into other processes (confine.ts): what it saw before. */
const SEEN = "IPSECBOX_HOLDERS";

/** What this process saw before it gave up its rights. */
function seenBefore(key: string): Holder | undefined {
  try {
    return JSON.parse(Deno.env.get(SEEN) ?? "{}")[key];
  } catch {
    return undefined;
  }
}

/**
 * Who stands in the way of a daemon that is about to give up the right to find out.
 *
 * @returns environment for the program that begins anew; empty when nobody does
 */
export function holdersInTheWay(
  { udpPorts, tun }: { udpPorts: readonly number[]; tun?: string },
): Record<string, string> {
  const found: Record<string, Holder> = {};
  for (const port of udpPorts) {
    const holder = holderOfUdpPort(port);
    if (holder) found[`udp ${port}`] = holder;
  }
  // Looking for a device's holder takes a look at every descriptor: only where there is such a device.
  const holder = tun !== undefined && libc().if_nametoindex(cString(tun)) > 0 ? holderOfTun(tun) : undefined;
  if (holder) found[`tun ${tun}`] = holder;
  return Object.keys(found).length ? { [SEEN]: JSON.stringify(found) } : {};
}

/** The process that holds TUN interface `name` of this network namespace, if there is one that we may or might see. */
export function holderOfTun(name: string): Holder | undefined {
  return seenBefore(`tun ${name}`) ?? findHolder((pid, fd) =>
    link(`/proc/${pid}/fd/${fd}`) === "/dev/net/tun" &&
    new RegExp(`^iff:\\s*${RegExp.escape(name)}$`, "m").test(text(`/proc/${pid}/fdinfo/${fd}`) ?? "")
  );
}

/** The process that has UDP port `port` open, IPv4 or IPv6, if there is one that we may or might see. */
export function holderOfUdpPort(port: number): Holder | undefined {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  const inodes = new Set<string>();
  for (const table of ["/proc/thread-self/net/udp", "/proc/thread-self/net/udp6"]) {
    for (const line of text(table)?.split("\n").slice(1) ?? []) {
      const fields = line.trim().split(/\s+/);
      if (fields[1]?.endsWith(`:${hex}`)) inodes.add(`socket:[${fields[9]}]`);
    }
  }
  if (inodes.size === 0) return undefined;
  return seenBefore(`udp ${port}`) ?? findHolder((pid, fd) => inodes.has(link(`/proc/${pid}/fd/${fd}`) ?? ""));
}
