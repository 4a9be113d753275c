/**
 * The C library, opened on first use. Calls of the packet path take addresses as usize (`arena.base + BigInt(at | 0)`,
 * written inline in the call) and lengths as u32/i32, which Deno compiles to a direct call; everything else takes
 * buffers.
 *
 * @module
 */
import { addressOf } from "./address.ts";
import { SystemError } from "./errno.ts";
import { architecture, CPU_SET_OCTETS } from "./structs.ts";

const FD = "i32", INT = "i32", U32 = "u32", ADDRESS = "usize", BUFFER = "buffer", POINTER = "pointer";

const SYMBOLS = {
  // int open(const char *path, int flags, mode_t mode)
  open: { parameters: [BUFFER, INT, U32], result: FD },
  // int close(int fd)
  close: { parameters: [FD], result: INT },
  // int ioctl(int fd, unsigned long request, void *argument)
  ioctl: { parameters: [FD, "u64", BUFFER], result: INT },
  // int ioctl(int fd, unsigned long request, unsigned long argument)
  ioctlValue: { name: "ioctl", parameters: [FD, "u64", "u64"], result: INT },

  // ssize_t read(int fd, void *to, size_t octets)
  read: { parameters: [FD, ADDRESS, U32], result: INT },
  // ssize_t write(int fd, const void *from, size_t octets)
  write: { parameters: [FD, ADDRESS, U32], result: INT },
  // ssize_t writev(int fd, const struct iovec *iov, int count)
  writev: { parameters: [FD, ADDRESS, INT], result: INT },
  // ssize_t send(int fd, const void *from, size_t octets, int flags)
  send: { parameters: [FD, ADDRESS, U32, INT], result: INT },
  // ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
  sendmsg: { parameters: [FD, ADDRESS, INT], result: INT },
  // ssize_t recvmsg(int fd, struct msghdr *message, int flags)
  recvmsg: { parameters: [FD, ADDRESS, INT], result: INT },
  // int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
  sendmmsg: { parameters: [FD, ADDRESS, U32, INT], result: INT },
  // int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
  recvmmsg: { parameters: [FD, ADDRESS, U32, INT, ADDRESS], result: INT },
  // int poll(struct pollfd *fds, nfds_t count, int timeoutMs)
  poll: { parameters: [ADDRESS, U32, INT], result: INT },
  // int epoll_create1(int flags)
  epoll_create1: { parameters: [INT], result: FD },
  // int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
  epoll_ctl: { parameters: [FD, INT, FD, BUFFER], result: INT },
  // int epoll_wait(int epoll, struct epoll_event *events, int count, int timeoutMs)
  epoll_wait: { parameters: [FD, ADDRESS, INT, INT], result: INT },
  // int nanosleep(const struct timespec *time, struct timespec *left)
  nanosleep: { parameters: [ADDRESS, ADDRESS], result: INT },
  // int sched_yield(void)
  sched_yield: { parameters: [], result: INT },
  // poll on a thread of its own, for code that must return to its event loop; errno is that thread's, not ours.
  pollAsync: { name: "poll", parameters: [BUFFER, "u64", INT], result: INT, nonblocking: true },

  // The buffer forms of the calls above, for everything that is not the packet path.
  readBuffer: { name: "read", parameters: [FD, BUFFER, "usize"], result: INT },
  writeBuffer: { name: "write", parameters: [FD, BUFFER, "usize"], result: INT },
  sendBuffer: { name: "send", parameters: [FD, BUFFER, "usize", INT], result: INT },
  recvBuffer: { name: "recv", parameters: [FD, BUFFER, "usize", INT], result: INT },
  // ssize_t sendto(int fd, const void *from, size_t octets, int flags, const struct sockaddr *to, socklen_t toOctets)
  sendto: { parameters: [FD, BUFFER, "usize", INT, BUFFER, U32], result: INT },

  // int socket(int family, int type, int protocol)
  socket: { parameters: [INT, INT, INT], result: FD },
  // int socketpair(int family, int type, int protocol, int fds[2])
  socketpair: { parameters: [INT, INT, INT, BUFFER], result: INT },
  // int bind(int fd, const struct sockaddr *address, socklen_t octets)
  bind: { parameters: [FD, BUFFER, U32], result: INT },
  // int connect(int fd, const struct sockaddr *address, socklen_t octets)
  connect: { parameters: [FD, BUFFER, U32], result: INT },
  // int getsockname(int fd, struct sockaddr *address, socklen_t *octets)
  getsockname: { parameters: [FD, BUFFER, BUFFER], result: INT },
  // int setsockopt(int fd, int level, int name, const void *value, socklen_t octets)
  setsockopt: { parameters: [FD, INT, INT, BUFFER, U32], result: INT },

  // int eventfd(unsigned initial, int flags)
  eventfd: { parameters: [U32, INT], result: FD },
  // int memfd_create(const char *name, unsigned flags)
  memfd_create: { parameters: [BUFFER, U32], result: FD },
  // int mkfifo(const char *path, mode_t mode)
  mkfifo: { parameters: [BUFFER, U32], result: INT },
  // mode_t umask(mode_t mask)
  umask: { parameters: [U32], result: U32 },
  // int sched_setaffinity(pid_t thread, size_t octets, const cpu_set_t *cpus)
  sched_setaffinity: { parameters: [INT, "usize", BUFFER], result: INT },
  // int sched_getaffinity(pid_t thread, size_t octets, cpu_set_t *cpus)
  sched_getaffinity: { parameters: [INT, "usize", BUFFER], result: INT },
  // int prctl(int option, unsigned long, unsigned long, unsigned long, unsigned long)
  prctl: { parameters: [INT, "u64", "u64", "u64", "u64"], result: INT },
  // int capget(struct __user_cap_header_struct *header, struct __user_cap_data_struct *data)
  capget: { parameters: [BUFFER, BUFFER], result: INT },
  // int capset(struct __user_cap_header_struct *header, const struct __user_cap_data_struct *data)
  capset: { parameters: [BUFFER, BUFFER], result: INT },
  // int execve(const char *path, char *const argv[], char *const envp[])
  execve: { parameters: [BUFFER, BUFFER, BUFFER], result: INT },
  // int setgroups(size_t count, const gid_t *groups)
  setgroups: { parameters: ["usize", BUFFER], result: INT },
  // int setresgid(gid_t real, gid_t effective, gid_t saved)
  setresgid: { parameters: [U32, U32, U32], result: INT },
  // int setresuid(uid_t real, uid_t effective, uid_t saved)
  setresuid: { parameters: [U32, U32, U32], result: INT },
  // int setrlimit(int resource, const struct rlimit *limit)
  setrlimit: { parameters: [INT, BUFFER], result: INT },
  // int malloc_trim(size_t keep); glibc alone has it
  malloc_trim: { parameters: ["usize"], result: INT, optional: true },
  // unsigned if_nametoindex(const char *name)
  if_nametoindex: { parameters: [BUFFER], result: U32 },
  // int *__errno_location(void)
  __errno_location: { parameters: [], result: POINTER },
} satisfies Deno.ForeignLibraryInterface;

/** The functions of the C library. */
export type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

/** The C library's file, by the names it has with glibc and with musl. */
const FILES = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];

let symbols: Libc | undefined;
let errnoCell: Int32Array | undefined;

/**
 * The C library of this thread.
 *
 * @throws {Error} on another system or architecture, or where the library cannot be loaded.
 */
export function libc(): Libc {
  if (symbols) return symbols;
  architecture();
  const reasons: string[] = [];
  for (const file of FILES) {
    try {
      return symbols = Deno.dlopen(file, SYMBOLS).symbols;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      if (error instanceof Deno.errors.NotCapable) throw error;
      reasons.push(error.message);
    }
  }
  throw new Error(`Cannot load the C library: ${reasons[0]}`);
}

/** The errno of this thread's last failed call. Read it before any other call of the C library. */
export function errno(): number {
  return errnoView()[0];
}

/** This thread's errno itself, for the packet path: `errnoView()` once, then element 0 after a failed call. */
export function errnoView(): Int32Array {
  if (errnoCell) return errnoCell;
  const location = libc().__errno_location();
  if (location === null) throw new Error("Cannot find errno: the C library names no place for it");
  return errnoCell = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(location, 4));
}

/**
 * `result`, if it is not negative.
 *
 * @param call words for the error: `bind UDP port 4500`
 * @throws {SystemError} with this thread's errno
 */
export function check(result: number, call: string, hint?: string): number {
  if (result < 0) throw new SystemError(call, errno(), hint);
  return result;
}

/** `text` as C wants it: UTF-8 with a zero at the end. @throws {RangeError} when it holds a zero itself. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  if (text.includes("\0")) throw new RangeError("Cannot pass text with a zero octet to the C library");
  return new TextEncoder().encode(text + "\0");
}

/** An `int` in memory. */
export function cInt(value: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new Int32Array([value]).buffer);
}

/** Runs the calling thread on the given processors only. @throws {SystemError} */
export function runOn(processors: readonly number[]): void {
  const mask = new Uint8Array(CPU_SET_OCTETS);
  for (const processor of processors) mask[processor >> 3] |= 1 << (processor & 7);
  check(libc().sched_setaffinity(0, BigInt(mask.length), mask), `run on processors ${processors.join(", ")}`);
}

export { addressOf };
