/** Errno numbers of Linux (asm-generic: x86_64 and aarch64 alike), their names, and the error they make. @module */

/** Number -> [name, words], for every error that a call of lib/ffi can return. */
const ERRORS: Readonly<Record<number, readonly [name: string, words: string]>> = {
  1: ["EPERM", "operation not permitted"],
  2: ["ENOENT", "no such file or directory"],
  3: ["ESRCH", "no such process"],
  4: ["EINTR", "interrupted"],
  5: ["EIO", "input/output error"],
  6: ["ENXIO", "no such device or address"],
  7: ["E2BIG", "argument list too long"],
  9: ["EBADF", "bad file descriptor"],
  11: ["EAGAIN", "resource temporarily unavailable"],
  12: ["ENOMEM", "cannot allocate memory"],
  13: ["EACCES", "permission denied"],
  14: ["EFAULT", "bad address"],
  16: ["EBUSY", "device or resource busy"],
  17: ["EEXIST", "file exists"],
  19: ["ENODEV", "no such device"],
  20: ["ENOTDIR", "not a directory"],
  21: ["EISDIR", "is a directory"],
  22: ["EINVAL", "invalid argument"],
  23: ["ENFILE", "too many open files in system"],
  24: ["EMFILE", "too many open files"],
  25: ["ENOTTY", "inappropriate ioctl for device"],
  27: ["EFBIG", "file too large"],
  28: ["ENOSPC", "no space left on device"],
  30: ["EROFS", "read-only file system"],
  32: ["EPIPE", "broken pipe"],
  34: ["ERANGE", "numerical result out of range"],
  36: ["ENAMETOOLONG", "file name too long"],
  38: ["ENOSYS", "function not implemented"],
  40: ["ELOOP", "too many levels of symbolic links"],
  71: ["EPROTO", "protocol error"],
  74: ["EBADMSG", "bad message"],
  75: ["EOVERFLOW", "value too large for defined data type"],
  77: ["EBADFD", "file descriptor in bad state"],
  88: ["ENOTSOCK", "socket operation on non-socket"],
  89: ["EDESTADDRREQ", "destination address required"],
  90: ["EMSGSIZE", "message too long"],
  91: ["EPROTOTYPE", "protocol wrong type for socket"],
  92: ["ENOPROTOOPT", "protocol not available"],
  93: ["EPROTONOSUPPORT", "protocol not supported"],
  94: ["ESOCKTNOSUPPORT", "socket type not supported"],
  95: ["EOPNOTSUPP", "operation not supported"],
  97: ["EAFNOSUPPORT", "address family not supported by protocol"],
  98: ["EADDRINUSE", "address already in use"],
  99: ["EADDRNOTAVAIL", "cannot assign requested address"],
  100: ["ENETDOWN", "network is down"],
  101: ["ENETUNREACH", "network is unreachable"],
  103: ["ECONNABORTED", "software caused connection abort"],
  104: ["ECONNRESET", "connection reset by peer"],
  105: ["ENOBUFS", "no buffer space available"],
  106: ["EISCONN", "transport endpoint is already connected"],
  107: ["ENOTCONN", "transport endpoint is not connected"],
  110: ["ETIMEDOUT", "connection timed out"],
  111: ["ECONNREFUSED", "connection refused"],
  112: ["EHOSTDOWN", "host is down"],
  113: ["EHOSTUNREACH", "no route to host"],
  114: ["EALREADY", "operation already in progress"],
  115: ["EINPROGRESS", "operation now in progress"],
};

/** Name -> number: `ERRNO.EAGAIN`. */
export const ERRNO = Object.fromEntries(
  Object.entries(ERRORS).map(([number, [name]]) => [name, Number(number)]),
) as Readonly<Record<string, number>>;

/** "EPERM"; "errno 133" for one not in the table. */
export function errnoName(number: number): string {
  return ERRORS[number]?.[0] ?? `errno ${number}`;
}

/** "operation not permitted"; "unknown error 133" for one not in the table. */
export function errnoWords(number: number): string {
  return ERRORS[number]?.[1] ?? `unknown error ${number}`;
}

/** A call of the system that failed: which, why, and, where it is known, what to do. */
export class SystemError extends Error {
  override name = "SystemError";

  /**
   * @param call what was called, with its object: `open /dev/net/tun`
   * @param errno the number the call left in errno
   * @param hint what is missing or must be done, if that is known
   */
  constructor(readonly call: string, readonly errno: number, readonly hint?: string) {
    super(`Cannot ${call}: ${errnoWords(errno)} (${errnoName(errno)})${hint ? `: ${hint}` : ""}`);
  }

  /** The errno's name: "EBUSY". */
  get code(): string {
    return errnoName(this.errno);
  }
}
