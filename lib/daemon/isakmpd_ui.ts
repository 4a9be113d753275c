/** What isakmpd's FIFO commands do. @module */
import { join } from "node:path";
import {
  addToList,
  copyTree,
  formatFault,
  removeFromList,
  removeSection,
  removeValue,
  setValue,
  type Tree,
} from "../config/ini.ts";
import { resolveIsakmpdConf } from "../config/isakmpd_conf.ts";
import { ConfReader } from "../config/isakmpd_reader.ts";
import type { FifoCommand } from "./fifo_commands.ts";
import type { Isakmpd } from "./isakmpd.ts";
import { readPolicy } from "./isakmpd_policy.ts";
import { PrivateFileError } from "./private_file.ts";

const FIFO = { file: "fifo", line: 0 } as const;
/** Edits come in bunches, and a section makes sense only when it is whole. */
const SETTLE_MS = 5000;

/** Executes commands; edits of the configuration are put into use when they have settled, or when another command comes. */
export class IsakmpdUi {
  #edited: Tree | undefined;
  #settle: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly daemon: Isakmpd, readonly directory: string) {}

  execute(command: FifoCommand): void {
    const { daemon } = this;
    const { log } = daemon;
    if (this.#edit(command)) return;
    if (command.do !== "get") this.#settleNow();
    switch (command.do) {
      case "get":
        return this.#get(command.section, command.tag);
      case "connect":
        return daemon.connect(command.name);
      case "teardown":
        return daemon.teardown(command.phase, command.name);
      case "teardown all":
        return daemon.teardownAll();
      case "delete SA":
        return daemon.deleteSa(command.cookies, command.messageId);
      case "debug level":
        return log.setLevel(command.name, command.level);
      case "debug toggle":
        return log.toggle();
      case "capture":
        return this.#capture(command.on, command.path);
      case "report":
        for (const line of daemon.report().split("\n")) log.notice(line);
        return;
      case "reload":
        return daemon.reload();
      case "quit":
        return void daemon.stop();
      case "list SAs":
        return daemon.writeResult(daemon.sas());
      case "mode":
        return daemon.setActive(command.active);
    }
  }

  /** Whether the command was an edit. */
  #edit(command: FifoCommand): boolean {
    const tree = this.#edited ?? copyTree(this.daemon.tree);
    switch (command.do) {
      case "set":
        setValue(tree, command.section, command.tag, command.value, command.override, FIFO);
        break;
      case "remove tag":
        removeValue(tree, command.section, command.tag);
        break;
      case "remove section":
        removeSection(tree, command.section);
        break;
      case "add to list":
        addToList(tree, command.section, command.tag, command.value, FIFO);
        break;
      case "remove from list":
        removeFromList(tree, command.section, command.tag, command.value, FIFO);
        break;
      default:
        return false;
    }
    this.#edited = tree;
    this.#settle ??= setTimeout(() => this.#settleNow(), SETTLE_MS);
    return true;
  }

  /** Puts edits into use. What is faulty in them is told and left out; the rest holds. */
  #settleNow(): void {
    const tree = this.#edited;
    this.discard();
    if (!tree) return;
    const { daemon } = this;
    const { configurationFile, natTraversal, policy: wanted } = daemon.options;
    const conf = resolveIsakmpdConf(tree, configurationFile, { natTraversal });
    const before = new Set(daemon.current.conf.faults.map(formatFault));
    for (const fault of conf.faults) {
      const line = formatFault(fault);
      if (!before.has(line)) daemon.log.warn(line);
    }
    let { policy } = daemon.current;
    const { policyFile, useKeynote } = conf.settings;
    if (policyFile !== daemon.current.conf.settings.policyFile || !useKeynote !== !policy) {
      try {
        policy = wanted && useKeynote ? readPolicy(policyFile) : undefined;
      } catch (error) {
        if (!(error instanceof PrivateFileError)) throw error;
        daemon.log.error(`${error.message}; the policy in use stays`);
      }
    }
    daemon.apply({ tree, conf, policy });
  }

  /** Forgets edits that are not in use yet: the file was read again. */
  discard(): void {
    clearTimeout(this.#settle);
    this.#settle = undefined;
    this.#edited = undefined;
  }

  #get(section: string, tag: string): void {
    const { daemon } = this;
    const reader = new ConfReader(this.#edited ?? daemon.tree, daemon.options.configurationFile);
    const view = reader.view(section, "General");
    const value = view && reader.get(view, tag);
    daemon.writeResult(value ? `${value.text}\n` : "");
  }

  #capture(on: boolean, path = join(this.directory, "isakmpd.pcap")): void {
    if (!on) return this.daemon.stopCapture();
    try {
      this.daemon.startCapture(path);
    } catch (error) {
      this.daemon.log.error(`cannot write the packet log: ${(error as Error).message}`);
    }
  }
}
