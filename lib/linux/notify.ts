/** Tells the service manager how a daemon is doing (sd_notify(3)); without one nothing happens. @module */
import { libc } from "../ffi/libc.ts";
import { SOCKADDR_UN, SOCKET } from "../ffi/structs.ts";
import { encodeText } from "../octets/bytes.ts";

/** sizeof sun_path */
const PATH_OCTETS = SOCKADDR_UN.octets - SOCKADDR_UN.at.path;

/** struct sockaddr_un of a path or, with "@" before it, an abstract name; undefined for what is neither or too long. */
function sockaddrOf(name: string): Uint8Array<ArrayBuffer> | undefined {
  const path = encodeText(name);
  if (path.length >= PATH_OCTETS || (name[0] !== "/" && name[0] !== "@")) return undefined;
  const octets = new Uint8Array(SOCKADDR_UN.at.path + path.length);
  new DataView(octets.buffer).setUint16(0, SOCKET.AF_UNIX, true);
  octets.set(path, SOCKADDR_UN.at.path);
  if (name[0] === "@") octets[SOCKADDR_UN.at.path] = 0;
  return octets;
}

/** Sends lines such as `READY=1` to the socket that NOTIFY_SOCKET names. A manager that does not listen is no error. */
export function notifyService(...lines: readonly string[]): void {
  const name = Deno.env.get("NOTIFY_SOCKET");
  const to = name && sockaddrOf(name);
  if (!to) return;
  const { socket, sendto, close } = libc();
  const fd = socket(SOCKET.AF_UNIX, SOCKET.SOCK_DGRAM | SOCKET.SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  const text = encodeText(lines.join("\n"));
  sendto(fd, text, BigInt(text.length), 0, to, to.length);
  close(fd);
}

/** Says half as often as the manager demands (WATCHDOG_USEC) that the event loop runs. */
export function feedWatchdog(): Disposable {
  const microseconds = Number(Deno.env.get("WATCHDOG_USEC") ?? 0);
  const timer = microseconds > 0 ? setInterval(() => notifyService("WATCHDOG=1"), microseconds / 2000) : undefined;
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
