import { assertEquals } from "@std/assert";
import { monitor } from "../../lib/cli/ipsecadm/monitor.ts";
import { EngineProcess } from "../daemon/pfkey_engine.ts";
import { espSa } from "../engine/harness.ts";

Deno.test("monitor shows requests, answers and the engine's own messages, and no key", async () => {
  const process = await EngineProcess.start();
  const before = Deno.env.get("IPSECBOX_RUN");
  Deno.env.set("IPSECBOX_RUN", process.directory);
  try {
    let text = "";
    const done = monitor((piece) => text += piece);
    using client = await process.connect(4711);
    while (!text) await client.request("X_STATISTICS", "UNSPEC"); // until the monitor hears
    text = "";
    const hard = { allocations: 0, bytes: 0, addSeconds: 60, useSeconds: 0 };
    await client.addSa(espSa({ hard }));
    process.perform(process.engine.onTick(Date.now() + 61_000));
    await client.request("FLUSH", "ESP");
    while (!text.includes("> flush")) await new Promise((resolve) => setTimeout(resolve, 5));
    const heads = text.split("\n").filter((line) => /^[<>]/.test(line)).map((line) => line.replace(/ seq \d+/, ""));
    assertEquals(heads, [
      "< add esp pid 4711",
      "> add esp pid 4711",
      "> expire esp engine",
      "< flush esp pid 4711",
      "> flush esp pid 4711",
    ]);
    assertEquals(text.includes("\tkey_encrypt: 192 bits\n"), true);
    assertEquals(text.includes("01080f16"), false); // the key's first octets
    await process[Symbol.asyncDispose]();
    assertEquals(await done, 1);
  } finally {
    if (before === undefined) Deno.env.delete("IPSECBOX_RUN");
    else Deno.env.set("IPSECBOX_RUN", before);
  }
});
