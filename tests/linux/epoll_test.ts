import { assertEquals } from "@std/assert";
import { addressOf, check, libc } from "../../lib/ffi/libc.ts";
import { Epoll } from "../../lib/linux/epoll.ts";
import { createArena } from "../../lib/octets/arena.ts";

Deno.test("epoll names the descriptors that are readable by their place, and waits no longer than told", () => {
  const { eventfd, writeBuffer, readBuffer, close } = libc();
  const one = new Uint8Array(new BigUint64Array([1n]).buffer);
  const fds = [0, 1, 2].map(() => check(eventfd(0, 0o4000), "open an eventfd"));
  {
    using epoll = new Epoll(createArena(65536, addressOf), fds);
    const readable = (timeoutMs: number) =>
      Array.from({ length: epoll.wait(timeoutMs) }, (_, i) => epoll.ready(i)).sort();
    assertEquals(readable(0), []);
    const start = performance.now();
    assertEquals(readable(20), []);
    assertEquals(performance.now() - start >= 15, true);
    for (const i of [2, 0]) writeBuffer(fds[i], one, 8n);
    assertEquals(readable(-1), [0, 2]);
    readBuffer(fds[0], new Uint8Array(8), 8n);
    assertEquals(readable(0), [2], "what was not read is told again");
  }
  for (const fd of fds) close(fd);
});
