/** /etc/ipsecbox/sysctl.conf as the engine finds it at its start. @module */
import { formatFault } from "../config/ini.ts";
import { parseSysctlConf } from "../config/sysctl_conf.ts";
import { knobComplaint, KNOBS } from "../engine/sysctl.ts";
import { SysctlError, SYSTEM_SETTINGS, writeSysctl } from "../linux/sysctl.ts";
import { sysctlConfPath } from "./paths.ts";

/** The file's text; empty when there is none. */
export function readSysctlConf(path = sysctlConfPath()): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

/**
 * Sets Linux's own settings that the file holds (forwarding), as a boot would, and answers those of the engine.
 *
 * @param warn is given a line for what is wrong in the file; the rest of the file still counts
 */
export function loadSysctlConf(
  warn: (line: string) => void = console.error,
  path = sysctlConfPath(),
): (readonly [name: string, value: string])[] {
  const { settings, faults } = parseSysctlConf(readSysctlConf(path), path);
  for (const fault of faults) warn(formatFault(fault));
  const knobs: (readonly [string, string])[] = [];
  for (const { name, value, file, line } of settings) {
    const system = SYSTEM_SETTINGS[name];
    try {
      if (system) writeSysctl(system, value);
      else if (KNOBS.some((knob) => knob.name === name)) {
        const wrong = knobComplaint(name, value);
        if (wrong) warn(`${file}:${line}: ${wrong}`);
        else knobs.push([name, value]);
      } else warn(`${file}:${line}: ipsecbox has no ${name}; ignored`);
    } catch (error) {
      if (!(error instanceof SysctlError)) throw error;
      warn(`${file}:${line}: ${error.message}`);
    }
  }
  return knobs;
}
