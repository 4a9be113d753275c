/** `ipsecbox check`: what is wrong with an isakmpd.conf, and whether two of them will agree. @module */
import { formatFault, parseIni } from "../config/ini.ts";
import { type IsakmpdConf, resolveIsakmpdConf } from "../config/isakmpd_conf.ts";
import { describeIsakmpdConf } from "../config/isakmpd_describe.ts";
import { checkConfigurations, type CheckSide, describeCheck } from "../ike/check.ts";
import { isAddress, parseAddress } from "../ip/address.ts";
import { openToOthers } from "../daemon/daemon_user.ts";
import { CommandError } from "./command.ts";
import { print } from "./commands.ts";
import { getopt, OptionError } from "./getopt.ts";

export const HELP = `usage: ipsecbox check [-v] FILE [OTHER-FILE]

With one isakmpd.conf: prints everything that is wrong with it, one line each, "FILE:LINE:
[SECTION] TAG: what was found, what is allowed". With -v also what the file means. Nothing is
started. The exit status is 1 when isakmpd would not start with it; warnings alone are 0.

With two, those of the two ends: lets them negotiate in memory, each connection begun from either
side, and prints the SAs they would have, or where they first part, with the lines of both files
that decide it. The exit status is 0 when every connection comes up. Policies, certificates and
keys of signatures are not looked at.

  ipsecbox check VPN-east.conf VPN-west.conf
`;

function read(path: string): IsakmpdConf {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound ? "it does not exist" : (error as Error).message;
    throw new CommandError(`cannot read ${path}: ${why}`);
  }
  const { tree, faults } = parseIni(text, path);
  return resolveIsakmpdConf(tree, path, {}, faults);
}

/** Prints the faults; answers whether an error is among them. */
function tellFaults(conf: IsakmpdConf, alsoWarnings: boolean): boolean {
  for (const fault of conf.faults) {
    if (alsoWarnings || fault.severity === "error") print(`${formatFault(fault)}\n`, Deno.stderr);
  }
  return conf.faults.some(({ severity }) => severity === "error");
}

/** isakmpd refuses a file that others can read; here that is only said. */
function warnMode(path: string): void {
  const info = Deno.statSync(path);
  if (openToOthers(info)) {
    const mode = info.mode ?? 0;
    print(`${path}: warning: mode ${(mode & 0o777).toString(8).padStart(4, "0")}: isakmpd wants 0600\n`, Deno.stderr);
  }
}

const side = (path: string, { configuration, settings }: IsakmpdConf): CheckSide => ({
  name: path,
  configuration,
  addresses: settings.listenOn?.filter(isAddress).map(parseAddress),
});

function checkOne(path: string, isVerbose: boolean): number {
  const conf = read(path);
  warnMode(path);
  const isBroken = tellFaults(conf, true);
  if (isVerbose) print(describeIsakmpdConf(conf));
  const warnings = conf.faults.length;
  if (!isBroken) {
    print(`${path}: ${warnings ? `${warnings} warning${warnings === 1 ? "" : "s"}` : "nothing to object to"}\n`);
  }
  return isBroken ? 1 : 0;
}

function checkTwo(paths: readonly [string, string]): number {
  const confs = paths.map(read);
  if (confs.map((conf) => tellFaults(conf, false)).some(Boolean)) return 1;
  const results = checkConfigurations(side(paths[0], confs[0]), side(paths[1], confs[1]));
  if (results.length === 0) {
    print(`no connection of either file has its peer at the other's address (Address, Listen-on, Local-address)\n`);
    return 1;
  }
  for (const result of results) for (const line of describeCheck(result)) print(`${line}\n`);
  return results.every(({ agreed }) => agreed) ? 0 : 1;
}

export function run(args: string[]): number {
  try {
    const { options, rest } = getopt(args, "v");
    const [first, second, ...more] = rest;
    if (first === undefined || more.length) throw new OptionError("one or two files are needed");
    return second === undefined ? checkOne(first, options.length > 0) : checkTwo([first, second]);
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    throw new CommandError(`${error.message}\n${HELP.slice(0, HELP.indexOf("\n"))}`, 2);
  }
}
