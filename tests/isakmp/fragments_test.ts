import { assert, assertEquals, assertThrows } from "@std/assert";
import { IsakmpError } from "../../lib/isakmp/error.ts";
import { fragment, Reassembly } from "../../lib/isakmp/fragments.ts";
import { decodeHeader, decodePayloads } from "../../lib/isakmp/message.ts";
import { EXCHANGE, PAYLOAD } from "../../lib/isakmp/numbers.ts";
import { FRAGMENT_LAYOUT } from "../../lib/isakmp/payloads.ts";

const HEADER = {
  initiatorCookie: new Uint8Array(8).fill(1),
  responderCookie: new Uint8Array(8).fill(2),
  nextPayload: PAYLOAD.ID,
  exchange: EXCHANGE.QUICK_MODE,
  flags: 1,
  messageId: 77,
};
const MESSAGE = Uint8Array.from({ length: 3000 }, (_, i) => i);

const bodies = (most = 1248) =>
  fragment(MESSAGE, HEADER, most).map((octets) => {
    const { header, body } = decodeHeader(octets);
    assert(octets.length <= most);
    assertEquals([header.nextPayload, header.flags, header.messageId], [PAYLOAD.FRAGMENT, 0, 0]);
    return decodePayloads(header.nextPayload, body).payloads[0].body;
  });

Deno.test("a message in fragments is the same in any order, copies ignored", () => {
  const pieces = bodies();
  assertEquals(pieces.length, 3);
  for (const order of [[0, 1, 2], [2, 1, 0], [1, 1, 2, 2, 0]]) {
    const reassembly = new Reassembly();
    const results = order.map((i) => reassembly.add(pieces[i]));
    assertEquals(results.at(-1), MESSAGE);
    assertEquals(results.slice(0, -1).some(Boolean), false);
  }
});

Deno.test("fragments of another message, or that contradict, begin anew", () => {
  const pieces = bodies();
  const reassembly = new Reassembly();
  reassembly.add(pieces[0]);
  const other = FRAGMENT_LAYOUT.encode({ ...FRAGMENT_LAYOUT.decode(pieces[1]), piece: new Uint8Array(5) });
  reassembly.add(pieces[1]);
  assertEquals(reassembly.add(other), undefined);
  assertEquals(reassembly.add(pieces[2]), undefined, "the first piece is forgotten");
  const again = new Reassembly();
  assertEquals(pieces.map((piece) => again.add(piece)).at(-1), MESSAGE);
});

Deno.test("fragment numbers are bounded", () => {
  const piece = FRAGMENT_LAYOUT.decode(bodies()[0]);
  for (const number of [0, 33, 255]) {
    assertThrows(
      () => new Reassembly().add(FRAGMENT_LAYOUT.encode({ ...piece, number })),
      IsakmpError,
      "fragment number",
    );
  }
});
