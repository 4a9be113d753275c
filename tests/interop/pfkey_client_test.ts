// A PF_KEY client that shares no code with ours speaks to a running engine: answers, broadcasts, EXPIRE, ACQUIRE, errno of
// malformed messages, rubbish.
import { assert, assertEquals } from "@std/assert";
import { startEngine } from "../netns/engine.ts";
import { topology, twoHosts } from "../netns/topology.ts";

const PYTHON = "/usr/bin/python3";
const SCRIPT = new URL("./pfkey_client.py", import.meta.url).pathname;

Deno.test("an independent PF_KEY client finds RFC 2367 and OpenBSD's rules kept, and cannot disturb the engine", async () => {
  using net = await topology("pfkey", twoHosts());
  const west = net.host("west");
  const engine = await startEngine(west);
  const socket = `${west.environment.IPSECBOX_RUN}/pfkey.sock`;
  const { code, stdout, stderr } = await west.exec([PYTHON, SCRIPT, socket, "192.168.5.1", "192.168.25.9"], {
    check: false,
  });
  assertEquals([code, stderr], [0, ""], stdout);
  assert(/^\d+ checks, 0 failed\n$/.test(stdout), stdout);
  assertEquals(engine.ended(), false, engine.output());
  assertEquals((await west.ipsecbox(["ipsecadm", "show"])).stdout, "");
  assertEquals((await west.exec("nft list tables")).stdout, "", "the last flow is gone, and the table stays");
  assertEquals(await engine.stop(), 0, engine.output());
});
