/** News of interfaces and addresses, as the kernel tells them. @module */
import { ERRNO, SystemError } from "../ffi/errno.ts";
import { DecodeError } from "../octets/reader.ts";
import { decodeMessages, type Message, Netlink } from "./netlink.ts";
import { decodeAddress, decodeLink, type InterfaceAddress, type Link, RTM, RTNLGRP } from "./rtnetlink.ts";
import { Readiness } from "./readiness.ts";

export type NetworkEvent =
  | { readonly type: "link"; readonly link: Link; readonly gone: boolean }
  | { readonly type: "address"; readonly address: InterfaceAddress; readonly gone: boolean }
  /** News were lost, because they came faster than they were read: read everything again. */
  | { readonly type: "lost" };

/** The news in a message; undefined for one that is none. @throws {DecodeError} */
export function decodeEvent(message: Message): NetworkEvent | undefined {
  switch (message.type) {
    case RTM.NEWLINK:
    case RTM.DELLINK:
      return { type: "link", link: decodeLink(message), gone: message.type === RTM.DELLINK };
    case RTM.NEWADDR:
    case RTM.DELADDR: {
      const address = decodeAddress(message);
      return address && { type: "address", address, gone: message.type === RTM.DELADDR };
    }
    default:
      return undefined;
  }
}

/** Listens until it is disposed of. */
export class NetworkMonitor implements Disposable {
  readonly #netlink = new Netlink([RTNLGRP.LINK, RTNLGRP.IPV4_ADDRESS, RTNLGRP.IPV6_ADDRESS]);
  readonly #readiness: Readiness;
  /** Resolves when the listening has ended. */
  readonly ended: Promise<void>;

  /** @param onEvents called with all news that came together, on the event loop */
  constructor(onEvents: (events: NetworkEvent[]) => void) {
    this.#readiness = new Readiness(this.#netlink.fd);
    this.ended = this.#listen(onEvents);
  }

  async #listen(onEvents: (events: NetworkEvent[]) => void): Promise<void> {
    try {
      while (await this.#readiness.wait()) {
        const events = this.#read();
        if (events.length) onEvents(events);
      }
    } finally {
      this.#netlink[Symbol.dispose]();
    }
  }

  #read(): NetworkEvent[] {
    const events: NetworkEvent[] = [];
    for (;;) {
      try {
        const octets = this.#netlink.receive();
        if (!octets) return events;
        for (const message of decodeMessages(octets)) {
          const event = decodeEvent(message);
          if (event) events.push(event);
        }
      } catch (error) {
        if (error instanceof SystemError && error.errno !== ERRNO.ENOBUFS) throw error;
        if (!(error instanceof SystemError || error instanceof DecodeError)) throw error;
        events.push({ type: "lost" });
      }
    }
  }

  [Symbol.dispose](): void {
    this.#readiness[Symbol.dispose]();
  }
}
