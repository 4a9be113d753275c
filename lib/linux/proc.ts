/** Who holds what: processes found through /proc, so that an error can name them. @module */

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

/** The process that holds TUN interface `name` of this network namespace, if there is one that we may see. */
export function holderOfTun(name: string): Holder | undefined {
  return findHolder((pid, fd) =>
    link(`/proc/${pid}/fd/${fd}`) === "/dev/net/tun" &&
    new RegExp(`^iff:\\s*${RegExp.escape(name)}$`, "m").test(text(`/proc/${pid}/fdinfo/${fd}`) ?? "")
  );
}

/** The process that has UDP port `port` open, IPv4 or IPv6, if there is one that we may see. */
export function holderOfUdpPort(port: number): Holder | undefined {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  const inodes = new Set<string>();
  for (const table of ["/proc/thread-self/net/udp", "/proc/thread-self/net/udp6"]) {
    for (const line of text(table)?.split("\n").slice(1) ?? []) {
      const fields = line.trim().split(/\s+/);
      if (fields[1]?.endsWith(`:${hex}`)) inodes.add(`socket:[${fields[9]}]`);
    }
  }
  return inodes.size ? findHolder((pid, fd) => inodes.has(link(`/proc/${pid}/fd/${fd}`) ?? "")) : undefined;
}
