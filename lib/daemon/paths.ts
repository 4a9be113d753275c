/** Where sockets and configuration lie (docs/design.md, "Parts"). @module */
import { join } from "node:path";

/** The run directory: `/run/ipsecbox`, or what IPSECBOX_RUN says. */
export const runDirectory = (): string => Deno.env.get("IPSECBOX_RUN") || "/run/ipsecbox";

/** The configuration directory: `/etc/ipsecbox`, or what IPSECBOX_ETC says. */
export const configurationDirectory = (): string => Deno.env.get("IPSECBOX_ETC") || "/etc/ipsecbox";

/** The engine's PF_KEY socket. */
export const pfkeySocketPath = (directory = runDirectory()): string => join(directory, "pfkey.sock");

/** The file that an engine holds locked while it runs; its text is the engine's process id. */
export const engineLockPath = (directory = runDirectory()): string => join(directory, "enc.pid");

/** The ipsecadm lines that the engine begins with. */
export const rcConfPath = (directory = configurationDirectory()): string => join(directory, "rc.conf");

/** What `ipsecbox sysctl -w` keeps. */
export const sysctlConfPath = (directory = configurationDirectory()): string => join(directory, "sysctl.conf");
