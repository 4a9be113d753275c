// Running code of the test process itself inside a host's network namespace: sockets opened there stay there.
import { check, cString, libc } from "../../lib/ffi/libc.ts";
import { OPEN } from "../../lib/ffi/structs.ts";
import type { Host } from "./topology.ts";

const CLONE_NEWNET = 0x40000000;

let setns: ((fd: number, type: number) => number) | undefined;

/** Moves this thread into the namespace whose file is open as `fd`. */
function move(fd: number): void {
  setns ??= Deno.dlopen("libc.so.6", { setns: { parameters: ["i32", "i32"], result: "i32" } }).symbols.setns;
  check(setns(fd, CLONE_NEWNET), "enter a network namespace");
}

function openNamespace(path: string): number {
  return check(libc().open(cString(path), OPEN.O_RDONLY | OPEN.O_CLOEXEC, 0), `open ${path}`);
}

/** Runs `work`, which must not be asynchronous, with this thread in the host's network namespace. */
export function inside<T>(host: Host, work: () => T): T {
  const home = openNamespace("/proc/thread-self/ns/net");
  const there = openNamespace(`/run/netns/${host.namespace}`);
  try {
    move(there);
    return work();
  } finally {
    move(home);
    libc().close(home);
    libc().close(there);
  }
}
