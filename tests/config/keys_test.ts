import { assert, assertEquals, assertThrows } from "@std/assert";
import { keyFileComplaint, parseKeyText } from "../../lib/config/keys.ts";
import { formatHex } from "../../lib/octets/hex.ts";

Deno.test("a key file is hexadecimal text; blanks and newlines do not count", () => {
  assertEquals(formatHex(parseKeyText("0123456789ABCDEF\n")), "0123456789abcdef");
  assertEquals(formatHex(parseKeyText("01 23\n45\r\n67")), "01234567");
});

Deno.test("what is no key is refused without a word of it", () => {
  for (
    const [text, wrong] of [
      ["", "holds no key"],
      [" \n", "holds no key"],
      ["01234567g", "not a hexadecimal digit"],
      ["0123456", "an even number is needed"],
      ["0x012345", "not a hexadecimal digit"],
      ["00".repeat(513), "1024 are the most"],
    ]
  ) {
    const { message } = assertThrows(() => parseKeyText(text), SyntaxError, wrong);
    assert(!message.includes("01234"));
  }
});

Deno.test("a key file that others can read or change is refused with its mode", () => {
  assertEquals(keyFileComplaint(0o100600), undefined);
  assertEquals(keyFileComplaint(0o100400), undefined);
  for (const mode of [0o640, 0o604, 0o660, 0o602, 0o644]) {
    assert(keyFileComplaint(0o100000 | mode)!.includes(`mode 0${mode.toString(8)}`));
  }
});
