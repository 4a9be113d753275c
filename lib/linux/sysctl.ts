/** Settings of the kernel below /proc/sys. @module */

/** OpenBSD's names of settings that are Linux's own, and Linux's names for them. */
export const SYSTEM_SETTINGS: Readonly<Record<string, string>> = {
  "net.inet.ip.forwarding": "net.ipv4.ip_forward",
  "net.inet6.ip6.forwarding": "net.ipv6.conf.all.forwarding",
};

/** Linux's name of a setting that OpenBSD calls `name`; undefined where Linux has none. */
export const systemSetting = (name: string): string | undefined =>
  Object.hasOwn(SYSTEM_SETTINGS, name) ? SYSTEM_SETTINGS[name] : undefined;

/** A setting that cannot be read or written. */
export class SysctlError extends Error {
  override name = "SysctlError";
}

/**
 * Path of a setting. Its parts are given one by one where one may hold a dot, as an interface's name may:
 * `["net", "ipv4", "conf", "eth0.5", "rp_filter"]`.
 */
function path(name: string | readonly string[]): string {
  const parts = typeof name === "string" ? name.split(".") : name;
  if (parts.some((part) => part === "" || part === "." || part === ".." || part.includes("/"))) {
    throw new SysctlError(`Cannot use "${parts.join(".")}" as the name of a setting`);
  }
  return `/proc/sys/${parts.join("/")}`;
}

function words(name: string | readonly string[]): string {
  return typeof name === "string" ? name : name.join(".");
}

/** The value of a setting, without the newline; undefined where this kernel has no such setting. */
export function readSysctl(name: string | readonly string[]): string | undefined {
  try {
    return Deno.readTextFileSync(path(name)).trim();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    if (error instanceof SysctlError) throw error;
    throw new SysctlError(`Cannot read ${words(name)}: ${(error as Error).message}`);
  }
}

/** Sets a setting. @throws {SysctlError} where there is none, the value is refused, or root is needed. */
export function writeSysctl(name: string | readonly string[], value: string | number): void {
  try {
    Deno.writeTextFileSync(path(name), `${value}\n`, { create: false });
  } catch (error) {
    if (error instanceof SysctlError) throw error;
    const reason = error instanceof Deno.errors.NotFound
      ? "this kernel has no such setting"
      : error instanceof Deno.errors.PermissionDenied
      ? "root is needed"
      : (error as Error).message;
    throw new SysctlError(`Cannot set ${words(name)} to ${value}: ${reason}`);
  }
}

/** Sets a setting that the kernel may lack or refuse (/proc/sys is read-only in some containers); tells whether it did. */
export function tryWriteSysctl(name: string | readonly string[], value: string | number): boolean {
  try {
    writeSysctl(name, value);
    return true;
  } catch (error) {
    if (error instanceof SysctlError) return false;
    throw error;
  }
}

/** A setting of one interface. */
export function interfaceSetting(family: 4 | 6, interfaceName: string, setting: string): string[] {
  return ["net", family === 4 ? "ipv4" : "ipv6", "conf", interfaceName, setting];
}
