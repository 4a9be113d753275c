/** isakmpd's files: the configuration and the policy, read together. @module */
import { type Fault, formatFault, parseIni, type Tree } from "../config/ini.ts";
import { type IsakmpdConf, resolveIsakmpdConf } from "../config/isakmpd_conf.ts";
import { decodeText } from "../octets/bytes.ts";
import { type Policy, readPolicy } from "./isakmpd_policy.ts";
import { readPrivateFile } from "./private_file.ts";

/** What the command line says about the files. */
export interface FileOptions {
  readonly configurationFile: string;
  /** `-T`: off. */
  readonly natTraversal: boolean;
  /** `-K`: off. */
  readonly policy: boolean;
}

/** The files as they are now. */
export interface Files {
  /** For FIFO commands to edit. */
  readonly tree: Tree;
  readonly conf: IsakmpdConf;
  /** Undefined: nobody asks for one. */
  readonly policy: Policy | undefined;
}

/** Faults that keep the daemon from using its files; the message has one line each. */
export class FilesError extends Error {
  override name = "FilesError";
  constructor(readonly faults: readonly Fault[]) {
    super(faults.map(formatFault).join("\n"));
  }
}

/** Reads and resolves the configuration; its faults are in it. @throws {PrivateFileError} */
export function readConf(path: string, natTraversal = true): { tree: Tree; conf: IsakmpdConf } {
  const text = decodeText(readPrivateFile(path, "configuration file"));
  const { tree, faults } = parseIni(text, path);
  return { tree, conf: resolveIsakmpdConf(tree, path, { natTraversal }, faults) };
}

/**
 * Reads everything.
 *
 * @throws {PrivateFileError} when a file is missing or others can read it
 * @throws {FilesError} with all faults of the configuration when one of them is an error
 */
export function readFiles({ configurationFile, natTraversal, policy }: FileOptions): Files {
  const { tree, conf } = readConf(configurationFile, natTraversal);
  if (conf.faults.some(({ severity }) => severity === "error")) throw new FilesError(conf.faults);
  const wanted = policy && conf.settings.useKeynote;
  return { tree, conf, policy: wanted ? readPolicy(conf.settings.policyFile) : undefined };
}
