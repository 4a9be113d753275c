import { assertEquals, assertThrows } from "@std/assert";
import type { ExtensionName, Extensions } from "../../lib/pfkey/extensions.ts";
import { encodeMessage, type Message } from "../../lib/pfkey/message.ts";
import { PfkeyError } from "../../lib/pfkey/numbers.ts";
import { flowExtensions } from "../../lib/pfkey/flow_message.ts";
import { pairExtensions } from "../../lib/pfkey/pair_message.ts";
import { identityExtensions, saExtensions } from "../../lib/pfkey/sa_message.ts";
import { decodeRequest, EXTENSION_SETS } from "../../lib/pfkey/validate.ts";
import { espSa, flow, WEST } from "../engine/harness.ts";
import { EVERY } from "./every.ts";

/** A right request of each type that has one with extensions. */
const RIGHT: Partial<Record<Message["type"], Extensions>> = {
  GETSPI: { ADDRESS_SRC: EVERY.ADDRESS_SRC, ADDRESS_DST: EVERY.ADDRESS_SRC, SPIRANGE: EVERY.SPIRANGE },
  ADD: saExtensions(espSa(), true),
  UPDATE: saExtensions(espSa(), true),
  DELETE: identityExtensions(espSa()),
  GET: identityExtensions(espSa(), WEST),
  ACQUIRE: { ADDRESS_SRC: EVERY.ADDRESS_SRC, ADDRESS_DST: EVERY.ADDRESS_SRC },
  REGISTER: {},
  EXPIRE: identityExtensions(espSa(), WEST),
  FLUSH: {},
  DUMP: {},
  X_PROMISC: {},
  X_ADDFLOW: flowExtensions(flow()),
  X_DELFLOW: flowExtensions(flow(), "delete"),
  X_GRPSPIS: pairExtensions(espSa(), espSa({ spi: 0x2000 })),
  X_ASKPOLICY: { X_POLICY: EVERY.X_POLICY },
  X_SPDDUMP: {},
  X_BINDSA: pairExtensions(espSa(), espSa({ spi: 0x2000 })),
  X_SYSCTL: { X_TEXT: "net.inet.esp.enable" },
  X_STATISTICS: {},
};

const octets = (type: Message["type"], extensions: Extensions, more: Partial<Message> = {}) =>
  encodeMessage({ type, satype: "UNSPEC", seq: 1, pid: 2, extensions, ...more });

Deno.test("each message type passes with what it needs, and not without any one part of it", () => {
  for (const [type, right] of Object.entries(RIGHT) as [Message["type"], Extensions][]) {
    assertEquals(decodeRequest(octets(type, right)).type, type);
    for (const name of EXTENSION_SETS[type].in!.required) {
      assertThrows(
        () => decodeRequest(octets(type, { ...right, [name]: undefined })),
        PfkeyError,
        `${name} is missing`,
      );
    }
  }
});

Deno.test("each message type refuses every extension that is not its own", () => {
  for (const [type, right] of Object.entries(RIGHT) as [Message["type"], Extensions][]) {
    if (type === "X_PROMISC") continue; // what follows its header is another message
    for (const name of Object.keys(EVERY) as ExtensionName[]) {
      if (EXTENSION_SETS[type].in!.allowed.includes(name)) continue;
      assertThrows(
        () => decodeRequest(octets(type, { ...right, [name]: EVERY[name] })),
        PfkeyError,
        `${name} is not allowed`,
      );
    }
  }
});

Deno.test("only mature SAs may be submitted, and none may be made dead", () => {
  const withState = (state: number) => ({ ...RIGHT.ADD, SA: { ...RIGHT.ADD!.SA!, state } });
  for (const state of [0, 2]) {
    assertThrows(() => decodeRequest(octets("ADD", withState(state))), PfkeyError, "only a mature SA");
    assertThrows(() => decodeRequest(octets("UPDATE", withState(state))), PfkeyError, "only a mature SA");
  }
  assertThrows(() => decodeRequest(octets("ADD", withState(3))), PfkeyError, "cannot be made dead");
});

Deno.test("an SA's flow set is whole or absent", () => {
  const whole = { ...RIGHT.ADD, ...saExtensions(espSa({ selector: flow().selector }), true) };
  assertEquals(decodeRequest(octets("ADD", whole)).type, "ADD");
  for (const name of ["X_SRC_MASK", "X_DST_MASK", "X_SRC_FLOW", "X_DST_FLOW", "X_FLOW_TYPE"] as const) {
    assertThrows(() => decodeRequest(octets("ADD", { ...whole, [name]: undefined })), PfkeyError, `without ${name}`);
  }
});

Deno.test("an errno is for a failed ACQUIRE: the header alone", () => {
  assertEquals(decodeRequest(octets("ACQUIRE", {}, { errno: "ETIMEDOUT" })).errno, "ETIMEDOUT");
  assertThrows(() => decodeRequest(octets("ACQUIRE", RIGHT.ACQUIRE!, { errno: "ETIMEDOUT" })), PfkeyError, "errno");
  assertThrows(() => decodeRequest(octets("ACQUIRE", {})), PfkeyError, "ADDRESS_DST is missing");
  for (const type of ["ADD", "FLUSH", "X_PROMISC", "DUMP"] as const) {
    assertThrows(() => decodeRequest(octets(type, {}, { errno: "ETIMEDOUT" })), PfkeyError, "an errno in a request");
  }
});
