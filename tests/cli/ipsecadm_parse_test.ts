import { assert, assertEquals, assertThrows } from "@std/assert";
import { CommandError } from "../../lib/cli/command.ts";
import { IPSECADM_COMMANDS } from "../../lib/cli/ipsecadm/commands.ts";
import { helpText, OVERVIEW } from "../../lib/cli/ipsecadm/help.ts";
import { modifierByName, MODIFIERS } from "../../lib/cli/ipsecadm/modifiers.ts";
import type { Order } from "../../lib/cli/ipsecadm/orders.ts";
import { type ParseContext, parseLine } from "../../lib/cli/ipsecadm/parse.ts";
import { builtInNames } from "../../lib/cli/names.ts";
import { formatHex, parseHex } from "../../lib/octets/hex.ts";
import { describeMessage } from "../../lib/pfkey/describe.ts";
import { encodeMessage, type Message } from "../../lib/pfkey/message.ts";
import { decodeRequest } from "../../lib/pfkey/validate.ts";
import { readSa } from "../../lib/pfkey/sa_message.ts";
import { readFlow } from "../../lib/pfkey/flow_message.ts";
import { parseCommandLines } from "../../lib/config/command_lines.ts";
import { AUTHENTICATORS, ESP_CIPHERS } from "../../lib/crypto/algorithms.ts";
import { checkGolden } from "../golden/golden.ts";

const KEY_FILES: Record<string, string> = {
  "/etc/esp-enc-key": "0123456789abcdef23456789abcdef01456789abcdef0123",
  "/etc/esp-auth-key": "000102030405060708090a0b0c0d0e0f10111213",
  "/etc/ah-key": "000102030405060708090a0b0c0d0e0f10111213",
};

const CONTEXT: ParseContext = {
  names: builtInNames,
  readKeyFile(path) {
    if (!(path in KEY_FILES)) throw new CommandError(`${path}: no such file`);
    return parseHex(KEY_FILES[path]);
  },
};

const parse = (line: string) => parseLine(line.split(" "), CONTEXT);
const messageOf = ({ type, satype, extensions }: Order): Message => ({
  type,
  satype,
  seq: 1,
  pid: 2112,
  extensions,
});

Deno.test("command lines become the PF_KEY messages of the golden file", () => {
  checkGolden(new URL("../golden/ipsecadm/orders.txt", import.meta.url), (line) => {
    const { orders, warnings, command } = parse(line);
    const messages = orders.map(messageOf);
    const hex = messages.map((message) => formatHex(encodeMessage(message)).match(/.{1,96}/g)!.join("\n"));
    const words = messages.map((message, i) => `${describeMessage(message).replaceAll("\t", "  ")}\n${hex[i]}`);
    const what = orders.length ? words : [`(${command.name} changes nothing)`];
    return [...warnings.map((warning) => `warning: ${warning}`), ...what].join("\n");
  });
});

Deno.test("wrong command lines are refused in the words of the golden file", () => {
  checkGolden(
    new URL("../golden/ipsecadm/errors.txt", import.meta.url),
    (line) => assertThrows(() => parse(line), CommandError).message,
  );
});

Deno.test("no message about a wrong line repeats a key", () => {
  const key = "0123456789abcdef0123456789abcdef";
  for (
    const [before, after] of [["-key", ""], ["-key", "g"], ["-key", "0"], ["-authkey", "zz"], ["", ""], ["-enc", ""]]
  ) {
    const words = ["new", "esp", ...(before ? [before] : []), key + after, "-spi", "1000"];
    const { message } = assertThrows(() => parseLine(words, CONTEXT), CommandError);
    if (before !== "-enc") assert(!message.includes("0123456789"), message);
  }
});

Deno.test("every message of the golden file passes the engine's checks", () => {
  const lines = Deno.readTextFileSync(new URL("../golden/ipsecadm/orders.txt", import.meta.url)).split("\n");
  for (const line of lines.filter((line) => line.startsWith("$ "))) {
    for (const order of parse(line.slice(2)).orders) {
      const message = decodeRequest(encodeMessage(messageOf(order)));
      if (message.type === "ADD") readSa(message.satype, message.extensions);
      if (message.type === "X_ADDFLOW") readFlow(message.satype, message.extensions);
    }
  }
});

Deno.test("every algorithm of the tables makes an SA that says the same when read back", () => {
  const ends = "-src 10.1.1.1 -dst 10.1.1.2 -spi 1000";
  const key = (octets: number) =>
    Array.from({ length: octets }, (_, i) => (17 * i + 2).toString(16).padStart(2, "0").slice(-2)).join("");
  const read = (line: string) => {
    const [order] = parse(line).orders;
    return readSa(order.satype, decodeRequest(encodeMessage(messageOf(order))).extensions);
  };
  for (const row of ESP_CIPHERS) {
    for (let octets = row.key.min; octets <= row.key.max; octets += row.key.step) {
      const hash = row.aead ? "" : ` -auth sha1 -authkey ${key(20)}`;
      const cipherKey = octets ? ` -key ${key(octets + row.saltOctets)}` : "";
      const sa = read(`new esp ${ends} -enc ${row.name}${cipherKey}${hash}`);
      assertEquals([sa.encryption, sa.encryptionKey?.length ?? 0], [row.name, octets && octets + row.saltOctets]);
    }
  }
  for (const row of AUTHENTICATORS) {
    for (const use of row.uses) {
      const command = use === "esp" ? "new esp" : use === "old ah" ? "old ah" : "new ah";
      const length = row.key.recommended + row.saltOctets;
      const sa = read(`${command} ${ends} -auth ${row.name} ${use === "esp" ? "-authkey" : "-key"} ${key(length)}`);
      assertEquals([sa.authentication, sa.authenticationKey!.length, sa.oldHeader], [
        row.name,
        length,
        use === "old ah",
      ]);
    }
  }
});

Deno.test("every modifier of a command exists, and every modifier belongs to a command", () => {
  for (const { modifiers } of IPSECADM_COMMANDS) for (const name of modifiers) assert(modifierByName(name), name);
  for (const { name } of MODIFIERS) assert(IPSECADM_COMMANDS.some(({ modifiers }) => modifiers.includes(name)), name);
});

Deno.test("the examples that help shows are right", () => {
  for (const { examples } of IPSECADM_COMMANDS) {
    for (const example of examples) {
      const [{ words }] = parseCommandLines(example, "help").lines;
      assertEquals(words[0], "ipsecadm");
      parseLine(words.slice(1), CONTEXT);
    }
  }
});

Deno.test("help is there for every command, word by word and as a whole", () => {
  for (const { name, summary } of IPSECADM_COMMANDS) {
    assert(helpText(name.split(" ")).startsWith(`usage: ipsecadm ${name}`));
    assert(OVERVIEW.includes(summary));
  }
  assert(helpText(["new"]).includes("usage: ipsecadm new esp") && helpText(["new"]).includes("usage: ipsecadm new ah"));
  assertEquals(helpText(["tcpmd5"]), "the TCP MD5 signature option is not supported.\n");
  assertThrows(() => helpText(["flw"]), CommandError, 'did you mean "flow"?');
  for (const line of helpText(["flow"]).split("\n")) assert(line.length <= 120, line);
});
