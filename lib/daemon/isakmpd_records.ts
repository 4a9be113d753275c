/**
 * What isakmpd writes down of its negotiations when asked to: the packet log (`-l`, `p on`) and Wireshark's tables (`-W`).
 *
 * @module
 */
import type { Effect, NegotiatedSa } from "../ike/events.ts";
import type { Log } from "./log.ts";
import { PacketLog } from "./packet_log.ts";
import { WiresharkSecrets } from "./wireshark.ts";

/** The records of one daemon; what is not asked for is not written. */
export class Records implements Disposable {
  #packets: PacketLog | undefined;
  #secrets: WiresharkSecrets | undefined;

  constructor(readonly log: Log) {}

  /** What the core is to tell for them. */
  get wanted(): { readonly messages: boolean; readonly secrets: boolean } {
    return { messages: this.#packets !== undefined, secrets: this.#secrets !== undefined };
  }

  /** Begins a packet log, in place of one under way. @throws when the file cannot be written */
  startPackets(path: string): void {
    this.stopPackets();
    this.#packets = new PacketLog(path);
  }

  stopPackets(): void {
    this.#packets?.[Symbol.dispose]();
    this.#packets = undefined;
  }

  /** Begins Wireshark's tables in a directory. @throws when they cannot be written */
  startSecrets(directory: string): void {
    this.#secrets = new WiresharkSecrets(directory);
  }

  packet({ local, remote, sent, octets }: Extract<Effect, { type: "capture" }>): void {
    try {
      this.#packets?.write(sent ? local : remote, sent ? remote : local, octets);
    } catch (error) {
      this.log.error(`the packet log ends: ${(error as Error).message}`);
      this.stopPackets();
    }
  }

  esp(sa: NegotiatedSa): void {
    this.#secrets?.esp(sa);
  }

  ike({ initiatorCookie, encryptionKey }: Extract<Effect, { type: "secrets" }>): void {
    this.#secrets?.ike(initiatorCookie, encryptionKey);
  }

  [Symbol.dispose](): void {
    this.stopPackets();
  }
}
