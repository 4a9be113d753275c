import { assert, assertEquals, assertRejects } from "@std/assert";
import { EngineUnreachableError, PfkeyClient } from "../../lib/daemon/pfkey_client.ts";
import { MOST_QUEUED_OCTETS, PfkeyServer } from "../../lib/daemon/pfkey_server.ts";
import { encodeMessage, Framer, type Message, readHeader } from "../../lib/pfkey/message.ts";
import { saExtensions } from "../../lib/pfkey/sa_message.ts";
import { EAST, espSa, flow, PACKET, WEST } from "../engine/harness.ts";
import { EngineProcess } from "./pfkey_engine.ts";

/** Waits until `ready`, at most 5 s. */
async function until(ready: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !ready(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert(ready());
}

Deno.test("a key daemon's whole part: register, acquire, getspi, update, add, delete", async () => {
  await using process = await EngineProcess.start();
  using isakmpd = await process.connect(4711);
  const supported = await isakmpd.register("ESP");
  assert(supported.encryption.some(({ id }) => id === 12));
  const messages = isakmpd.messages();
  const next = messages.next();
  process.perform(process.engine.onPacketNeedsSa(flow(), PACKET, Date.now()));
  const acquire = (await next).value as Message;
  assertEquals([acquire.type, acquire.extensions.ADDRESS_DST!.address], ["ACQUIRE", EAST]);
  const { selector } = await isakmpd.askPolicy(acquire.seq);
  assertEquals(selector, flow().selector);
  const spi = await isakmpd.allocateSpi("ESP", EAST, WEST, acquire.seq);
  await isakmpd.updateSa(espSa({ spi, source: EAST, destination: WEST, replayWindow: 64 }), acquire.seq);
  await isakmpd.addSa(espSa({ replayWindow: 4096 }), acquire.seq);
  const installed = process.effects.map((effect) => effect.kind === "installSa" && effect.sa.replayWindow);
  assertEquals(installed, [64, 4096]);
  await isakmpd.addFlow(flow({ static: false }));
  await isakmpd.deleteFlow(flow({ static: false }));
  assertEquals((await isakmpd.fetchSa(espSa())).extensions.X_REPLAY_WINDOW, { packets: 4096 });
  await isakmpd.deleteSa(espSa());
  await assertRejects(() => isakmpd.deleteSa(espSa()), Error, "no such SA or flow");
  isakmpd.acquireFailed("ESP", acquire.seq);
  const failure = (await messages.next()).value as Message;
  assertEquals([failure.type, failure.errno], ["ACQUIRE", "ETIMEDOUT"]);
});

Deno.test("many requests at once are each answered, and a dump shows their SAs", async () => {
  await using process = await EngineProcess.start();
  using client = await process.connect();
  using other = await process.connect(99);
  const adds: Message[] = [];
  other.onMessage((message) => message && adds.push(message));
  const sas = Array.from({ length: 500 }, (_, i) => espSa({ spi: 0x1000 + i }));
  await Promise.all(sas.map((sa) => client.addSa(sa)));
  const again = await Promise.allSettled(sas.map((sa) => client.addSa(sa)));
  assert(again.every(({ status }) => status === "rejected"));
  const spis: number[] = [];
  await client.dump("DUMP", "ESP", ({ extensions }) => spis.push(extensions.SA!.spi));
  assertEquals(spis, sas.map(({ spi }) => spi));
  await until(() => adds.length === 500);
});

Deno.test("no engine, and no permission, are one line each that says what to do", async () => {
  const directory = Deno.makeTempDirSync();
  try {
    const path = `${directory}/pfkey.sock`;
    await assertRejects(
      () => PfkeyClient.connect(path),
      Error,
      `cannot reach the IPsec engine at ${path}: start it with`,
    );
    // A socket whose engine died.
    Deno.listen({ transport: "unix", path }).close();
    await assertRejects(() => PfkeyClient.connect(path), Error, "start it with");
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("the socket is for root alone, and a second engine refuses and names the first", async () => {
  await using process = await EngineProcess.start();
  assertEquals(Deno.statSync(process.server.path).mode! & 0o777, 0o600);
  const handlers = { connected() {}, message() {}, disconnected() {} };
  await assertRejects(
    () => PfkeyServer.listen(handlers, process.directory),
    Error,
    `an IPsec engine runs already as process ${Deno.pid} in ${process.directory}`,
  );
  using client = await process.connect();
  await client.request("FLUSH", "UNSPEC");
});

Deno.test("what a crashed engine left is taken over, and a clean end leaves nothing", async () => {
  const directory = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(`${directory}/enc.pid`, "99999\n");
    Deno.listen({ transport: "unix", path: `${directory}/pfkey.sock` }).close();
    Deno.writeTextFileSync(`${directory}/pfkey.sock.other`, "");
    const handlers = { connected() {}, message() {}, disconnected() {} };
    const server = await PfkeyServer.listen(handlers, directory);
    assertEquals(Deno.readTextFileSync(`${directory}/enc.pid`), `${Deno.pid}\n`);
    await server.close();
    assertEquals([...Deno.readDirSync(directory)].map(({ name }) => name), ["pfkey.sock.other"]);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("a client that sends rubbish gets EINVAL and is closed; the others do not notice", async () => {
  await using process = await EngineProcess.start();
  using client = await process.connect();
  const rubbish = await Deno.connect({ transport: "unix", path: process.server.path });
  await rubbish.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
  const answer = new Uint8Array(64);
  assertEquals(await rubbish.read(answer), 16);
  assertEquals([answer[0], answer[2]], [2, 22]);
  assertEquals(await rubbish.read(answer), null);
  rubbish.close();
  assertEquals((await client.request("FLUSH", "UNSPEC")).errno, undefined);
  // Well framed, but wrong inside: EINVAL, and the connection lives on.
  await assertRejects(() => client.request("GETSPI", "ESP"), Error, "invalid argument");
  assertEquals((await client.request("FLUSH", "UNSPEC")).errno, undefined);
});

Deno.test("a client that never reads is dropped; the others get everything", async () => {
  await using process = await EngineProcess.start();
  const deaf = await Deno.connect({ transport: "unix", path: process.server.path });
  using client = await process.connect();
  await until(() => process.server.clientCount === 2);
  const big = encodeMessage({
    type: "EXPIRE",
    satype: "ESP",
    seq: 1,
    pid: Deno.pid,
    extensions: saExtensions(espSa(), false),
  });
  let heard = 0;
  client.onMessage(() => heard++);
  const rounds = Math.ceil(MOST_QUEUED_OCTETS / big.length) + 40_000;
  for (let i = 0; i < rounds; i++) {
    process.server.send([1, 2], big);
    if (i % 2000 === 0) await until(() => heard >= i - 4000);
  }
  await until(() => heard === rounds);
  assertEquals(process.server.clientCount, 1);
  deaf.close();
});

Deno.test("a client that asks without reading is made to wait, and all its answers come when it reads", async () => {
  await using process = await EngineProcess.start();
  using loader = await process.connect();
  await Promise.all(Array.from({ length: 3000 }, (_, i) => loader.addSa(espSa({ spi: 0x1000 + i }))));
  const asker = await Deno.connect({ transport: "unix", path: process.server.path });
  const question = encodeMessage({ type: "DUMP", satype: "ESP", seq: 7, pid: 1234, extensions: {} });
  for (let i = 0; i < 10; i++) await asker.write(question);
  assertEquals((await loader.request("FLUSH", "AH")).errno, undefined);
  const chunk = new Uint8Array(65536);
  let ends = 0;
  const framer = new Framer();
  while (ends < 10) {
    const count = await asker.read(chunk);
    if (count === null) throw new Error("the connection ended early");
    for (const octets of framer.push(chunk.subarray(0, count))) {
      const { type, seq } = readHeader(octets);
      if (type === 10 && seq === 0) ends++;
    }
  }
  asker.close();
});

Deno.test("the connection's end ends requests and message streams with a reason", async () => {
  const process = await EngineProcess.start();
  using client = await process.connect();
  const stream = client.messages();
  const next = stream.next();
  const pending = client.request("FLUSH", "UNSPEC");
  await pending;
  await process[Symbol.asyncDispose]();
  assertEquals((await next).done, true);
  await client.closed;
  await assertRejects(() => client.request("FLUSH", "UNSPEC"), Error, "closed the connection");
});

Deno.test("programs that connect before the engine is ready wait, and are then served", async () => {
  const directory = Deno.makeTempDirSync();
  const ready = Promise.withResolvers<void>();
  let connected = 0;
  const handlers = { connected: () => void connected++, message() {}, disconnected() {}, ready: ready.promise };
  const server = await PfkeyServer.listen(handlers, directory);
  using _client = await PfkeyClient.connect(server.path);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals(connected, 0);
  ready.resolve();
  await until(() => connected === 1);
  await server.close();
  // One that never becomes ready can be closed as well.
  const never = await PfkeyServer.listen({ ...handlers, ready: new Promise(() => {}) }, directory);
  await never.close();
  Deno.removeSync(directory, { recursive: true });
});

Deno.test("an engine that does not answer in time counts as gone, and the error says what it left unanswered", async () => {
  const directory = Deno.makeTempDirSync();
  try {
    using listener = Deno.listen({ transport: "unix", path: `${directory}/pfkey.sock` });
    const accepted = listener.accept();
    using client = await PfkeyClient.connect(`${directory}/pfkey.sock`);
    using _silent = await accepted;
    client.answerLimitMs = 50;
    await assertRejects(
      () => client.register("ESP"),
      EngineUnreachableError,
      "the IPsec engine has not answered REGISTER for 0.05 seconds",
    );
    await client.closed;
    await assertRejects(() => client.register("ESP"), EngineUnreachableError);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});
