/** /etc/ipsecbox/sysctl.conf as the engine finds it at its start. @module */
import { formatFault } from "../config/ini.ts";
import { parseSysctlConf } from "../config/sysctl_conf.ts";
import { knobComplaint, KNOBS } from "../engine/sysctl.ts";
import { SysctlError, systemSetting, writeSysctl } from "../linux/sysctl.ts";
import { sysctlConfPath } from "./paths.ts";
import { tellStandardError } from "./standard_error.ts";

/** The file's text; empty when there is none. @throws {SysctlError} when it cannot be read */
export function readSysctlConf(path = sysctlConfPath()): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw new SysctlError(`${path}: ${(error as Error).message}`);
  }
}

/**
 * Answers the engine's settings that the file holds, and sets Linux's own (forwarding), as a boot would.
 *
 * @param warn is given a line for what is wrong in the file; the rest of the file still counts
 * @param set whether Linux's own are set, or only looked at
 * @throws {SysctlError} when the file cannot be read
 */
export function loadSysctlConf(
  warn: (line: string) => void = (line) => tellStandardError(`${line}\n`),
  path = sysctlConfPath(),
  set = true,
): (readonly [name: string, value: string])[] {
  const { settings, faults } = parseSysctlConf(readSysctlConf(path), path);
  for (const fault of faults) warn(formatFault(fault));
  const knobs: (readonly [string, string])[] = [];
  for (const { name, value, file, line } of settings) {
    const system = systemSetting(name);
    try {
      if (system) {
        if (set) writeSysctl(system, value);
      } else if (KNOBS.some((knob) => knob.name === name)) {
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
