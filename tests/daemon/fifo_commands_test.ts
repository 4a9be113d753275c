import { assertEquals, assertThrows } from "@std/assert";
import { parseFifoCommand } from "../../lib/daemon/fifo_commands.ts";

Deno.test("each FIFO command of isakmpd(8) is read", () => {
  const cookies = "00112233445566778899aabbccddeeff";
  const ref = { section: "Phase 2", tag: "Connections" };
  const cases: [string, unknown][] = [
    ["c IPsec-east-west", { do: "connect", name: "IPsec-east-west" }],
    ["t IPsec-east-west", { do: "teardown", phase: 2, name: "IPsec-east-west" }],
    ["t main 10.0.0.1", { do: "teardown", phase: 1, name: "10.0.0.1" }],
    ["t quick a", { do: "teardown", phase: 2, name: "a" }],
    ["T", { do: "teardown all" }],
    ["C set [Phase 2]:Connections=a,b 1", { do: "set", ...ref, value: "a,b", override: true }],
    ["C SET [Phase 2]:Connections=a 0", { do: "set", ...ref, value: "a", override: false }],
    ["C set [Phase 2]:Connections = a b force", { do: "set", ...ref, value: "a b", override: true }],
    ["C set [Phase 2]:Connections=a", { do: "set", ...ref, value: "a", override: false }],
    ["C Rm [Phase 2]:Connections", { do: "remove tag", ...ref }],
    ["C rms [Phase 2]", { do: "remove section", section: "Phase 2" }],
    ["C add [Phase 2]:Connections=c", { do: "add to list", ...ref, value: "c" }],
    ["C rmv [Phase 2]:Connections=c", { do: "remove from list", ...ref, value: "c" }],
    ["C get [Phase 2]:Connections", { do: "get", ...ref }],
    [`d ${cookies} -`, { do: "delete SA", cookies: Uint8Array.fromHex(cookies), messageId: undefined }],
    [`d ${cookies} 89abcdef`, { do: "delete SA", cookies: Uint8Array.fromHex(cookies), messageId: 0x89abcdef }],
    ["D 8 99", { do: "debug level", name: "Negotiation", level: 99 }],
    ["D A 0", { do: "debug level", name: "all", level: 0 }],
    ["D T", { do: "debug toggle" }],
    ["p on", { do: "capture", on: true, path: undefined }],
    ["p on=/tmp/x.pcap", { do: "capture", on: true, path: "/tmp/x.pcap" }],
    ["p off", { do: "capture", on: false }],
    ["r", { do: "report" }],
    ["R", { do: "reload" }],
    ["Q", { do: "quit" }],
    ["S", { do: "list SAs" }],
    ["M passive", { do: "mode", active: false }],
    ["", undefined],
  ];
  for (const [line, command] of cases) assertEquals(parseFifoCommand(`${line} `), command as never, line);
});

Deno.test("a malformed FIFO command says what its form is", () => {
  const says = (line: string, words: string) => assertThrows(() => parseFifoCommand(line), SyntaxError, words);
  says("x", 'found command "x", allowed c, t, T, C, d, D, p, r, R, Q, S, M');
  says("c", 'found "c", allowed c NAME');
  says(`c ${"n".repeat(81)}`, "allowed c NAME");
  says("C set Phase:x=1 1", "allowed C set [SECTION]:TAG=VALUE 0|1|force");
  says("d 0011 -", "allowed d COOKIES MESSAGE-ID");
  says("D 11 5", 'found debug class "11", allowed A (all), 0 Misc');
  says("M x", "allowed M active|passive");
  says("constructor", "allowed c NAME");
});
