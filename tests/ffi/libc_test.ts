import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { addressOf } from "../../lib/ffi/address.ts";
import { ERRNO, errnoName, errnoWords, SystemError } from "../../lib/ffi/errno.ts";
import { check, cInt, cString, errno, errnoView, libc, runOn } from "../../lib/ffi/libc.ts";
import { OPEN, POLLFD, SOCKET } from "../../lib/ffi/structs.ts";
import { createArena } from "../../lib/octets/arena.ts";
import { decodeText } from "../../lib/octets/bytes.ts";

Deno.test("a failed call throws its name, its errno and what to do", () => {
  const error = assertThrows(
    () => check(libc().open(cString("/nowhere/x"), OPEN.O_RDONLY, 0), "open /nowhere/x", "make the directory"),
    SystemError,
  );
  assertEquals(error.message, "Cannot open /nowhere/x: no such file or directory (ENOENT): make the directory");
  assertEquals([error.call, error.errno, error.code, error.hint], [
    "open /nowhere/x",
    ERRNO.ENOENT,
    "ENOENT",
    "make the directory",
  ]);
  assertEquals(check(7, "nothing"), 7);
});

Deno.test("errno numbers have names and words, and unknown ones are told by number", () => {
  assertEquals([ERRNO.EAGAIN, ERRNO.EMSGSIZE, ERRNO.EADDRINUSE], [11, 90, 98]);
  assertEquals([errnoName(1), errnoWords(1)], ["EPERM", "operation not permitted"]);
  assertEquals([errnoName(4000), errnoWords(4000)], ["errno 4000", "unknown error 4000"]);
});

Deno.test("each thread has its own errno", async () => {
  libc().close(-1);
  assertEquals(errno(), ERRNO.EBADF);
  const source = `
    import { errno, libc, cString } from "${new URL("../../lib/ffi/libc.ts", import.meta.url)}";
    libc().open(cString("/nowhere"), 0, 0);
    self.postMessage(errno());`;
  const worker = new Worker(`data:application/typescript,${encodeURIComponent(source)}`, { type: "module" });
  const theirs = await new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
  worker.terminate();
  assertEquals([theirs, errnoView()[0]], [ERRNO.ENOENT, ERRNO.EBADF]);
});

Deno.test("text goes to C with a zero at its end, and never with one inside", () => {
  assertEquals(cString("enc0"), new Uint8Array([101, 110, 99, 48, 0]));
  assertThrows(() => cString("a\0b"), RangeError);
  assertEquals(new DataView(cInt(-2).buffer).getInt32(0, true), -2);
});

Deno.test("calls with addresses read and write the arena", () => {
  const arena = createArena(65536, addressOf);
  const at = arena.reserve(64);
  const fd = check(libc().memfd_create(cString("test"), 0), "make a memfd");
  arena.u8.set([104, 101, 108, 108, 111], at);
  assertEquals(libc().write(fd, arena.base + BigInt(at), 5), 5);
  const file = `/proc/self/fd/${fd}`;
  assertEquals(decodeText(Deno.readFileSync(file)), "hello");
  Deno.writeTextFileSync(file, "HELLO", { append: true });
  assertEquals(libc().read(fd, arena.base + BigInt(at + 8), 32), 5);
  assertEquals(decodeText(arena.u8.subarray(at, at + 13)), "hello\0\0\0HELLO");
  libc().close(fd);
});

Deno.test("poll tells of an eventfd that was written, at once and on another thread", async () => {
  const { eventfd, poll, pollAsync, writeBuffer, readBuffer, close } = libc();
  const fd = check(eventfd(0, OPEN.O_NONBLOCK | OPEN.O_CLOEXEC), "open an eventfd");
  const polled = new Uint8Array(POLLFD.octets);
  const view = new DataView(polled.buffer);
  view.setInt32(POLLFD.at.fd, fd, true);
  view.setInt16(POLLFD.at.events, SOCKET.POLLIN, true);
  assertEquals(poll(addressOf(polled), 1, 0), 0);
  const waiting = pollAsync(polled, 1n, 10_000);
  const one = new Uint8Array(new BigUint64Array([1n]).buffer);
  assertEquals(writeBuffer(fd, one, 8n), 8);
  assertEquals([await waiting, view.getInt16(POLLFD.at.revents, true)], [1, SOCKET.POLLIN]);
  assertEquals(poll(addressOf(polled), 1, 0), 1);
  assertEquals(readBuffer(fd, one, 8n), 8);
  close(fd);
});

Deno.test("a thread runs on the processors that it was given", () => {
  const allowed = () => /^Cpus_allowed_list:\s*(.*)$/m.exec(Deno.readTextFileSync("/proc/thread-self/status"))![1];
  const before = new Uint8Array(128);
  check(libc().sched_getaffinity(0, 128n, before), "read the processors");
  const first = before.findIndex((octet) => octet !== 0) * 8 +
    Math.log2(before.find((octet) => octet !== 0)! & -before.find((octet) => octet !== 0)!);
  try {
    runOn([first]);
    assertEquals(allowed(), String(first));
    assertThrows(() => runOn([1000]), SystemError, "EINVAL");
  } finally {
    check(libc().sched_setaffinity(0, 128n, before), "restore the processors");
  }
});

Deno.test("a missing permission is told as such", async () => {
  const source = `import { libc } from "${new URL("../../lib/ffi/libc.ts", import.meta.url)}"; libc();`;
  const denied = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--config", new URL("../../deno.json", import.meta.url).pathname, "-"],
    stdin: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
  const writer = denied.stdin.getWriter();
  await writer.write(new TextEncoder().encode(source));
  await writer.close();
  const output = await denied.output();
  assertEquals(output.success, false);
  assertStringIncludes(decodeText(output.stderr), "ffi access");
});
