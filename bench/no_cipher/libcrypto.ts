/**
 * The engine's crypto with an AEAD that does nothing: what the datapath moves without its cipher. An import map
 * (engine.ts beside this file) puts it in the place of lib/crypto/libcrypto.ts; the program itself has no such switch.
 *
 * @module
 */
import { choosePacketCrypto as choose } from "../../lib/crypto/libcrypto.ts";
import type { Aead, PacketCrypto } from "../../lib/crypto/packet.ts";
import type { Arena } from "../../lib/octets/arena.ts";

// A name that is exported here hides the one of `export *`.
export * from "../../lib/crypto/libcrypto.ts";

const NOTHING: Aead = { seal() {}, open: () => true, [Symbol.dispose]() {} };

/** The backend that the engine would choose, but AEADs leave data as it is and find every tag right. */
export function choosePacketCrypto(arena: Arena, prefer?: PacketCrypto["name"]): PacketCrypto {
  return { ...choose(arena, prefer), aead: () => NOTHING };
}
