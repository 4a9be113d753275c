/** The TUN interface through which packets enter and leave the engine. @module */
import { ERRNO, SystemError } from "../ffi/errno.ts";
import { check, cString, errno, libc } from "../ffi/libc.ts";
import { IFREQ, IOCTL, OPEN, TUN, VNET_HEADER } from "../ffi/structs.ts";
import { holderOfTun } from "./proc.ts";

export interface TunOptions {
  /** Ask for checksum and segmentation offload (IFF_VNET_HDR); default yes. */
  readonly offload?: boolean;
  /** Allow {@linkcode Tun.openQueue}; default no. */
  readonly multiQueue?: boolean;
  /** read() returns EAGAIN instead of waiting; default yes. */
  readonly nonBlocking?: boolean;
}

/** One queue of a TUN interface. The interface goes away when its last queue is closed. */
export interface Tun extends Disposable {
  readonly fd: number;
  /** The interface's name. */
  readonly name: string;
  /** Octets of the virtio_net_hdr (VNET_HEADER) before every packet: 10, or 0 without offload. */
  readonly vnetHeaderOctets: number;
  /** What the kernel may hand us in one piece: TCP segments, and (since Linux 6.2) UDP segments. */
  readonly offload: { readonly tcp: boolean; readonly udp: boolean };
  /** Another queue of the same interface. @throws {SystemError} without `multiQueue`. */
  openQueue(): Tun;
  close(): void;
}

const DEVICE = "/dev/net/tun";

const OFFLOADS = [
  { tcp: true, udp: true, flags: TUN.TUN_F_CSUM | TUN.TUN_F_TSO4 | TUN.TUN_F_TSO6 | TUN.TUN_F_USO4 | TUN.TUN_F_USO6 },
  { tcp: true, udp: false, flags: TUN.TUN_F_CSUM | TUN.TUN_F_TSO4 | TUN.TUN_F_TSO6 },
  { tcp: false, udp: false, flags: 0 },
] as const;

function openHint(error: number): string | undefined {
  if (error === ERRNO.ENOENT || error === ERRNO.ENODEV || error === ERRNO.ENXIO) {
    return `the kernel's TUN driver is missing: run "modprobe tun", or give the container the device`;
  }
  if (error === ERRNO.EPERM || error === ERRNO.EACCES) return "root or CAP_NET_ADMIN is needed";
  return undefined;
}

function attachHint(error: number, name: string): string | undefined {
  if (error === ERRNO.EPERM) return "root or CAP_NET_ADMIN is needed";
  if (error !== ERRNO.EBUSY && error !== ERRNO.EINVAL) return undefined;
  const holder = holderOfTun(name);
  if (holder) return `interface ${name} belongs to process ${holder.pid} (${holder.command})`;
  return libc().if_nametoindex(cString(name)) > 0 ? `an interface ${name} that is not ours exists already` : undefined;
}

/**
 * Makes the TUN interface `name` and opens its first queue. The interface is never made persistent, so that it goes
 * away with its process, however that ends; an interface that exists already is never taken over.
 *
 * @throws {SystemError} saying what is missing: the device, the privilege, or who has the name.
 */
export function openTun(name: string, options: TunOptions = {}): Tun {
  if (!/^[^\s/:]{1,15}$/.test(name)) {
    throw new RangeError(
      `Cannot name an interface "${name}": 1 to 15 characters without blanks, "/" or ":" are allowed`,
    );
  }
  return openQueue(name, { offload: true, multiQueue: false, nonBlocking: true, ...options }, TUN.IFF_TUN_EXCL);
}

function openQueue(name: string, options: Required<TunOptions>, extraFlags: number): Tun {
  const { open, close, ioctl } = libc();
  const flags = OPEN.O_RDWR | OPEN.O_CLOEXEC | (options.nonBlocking ? OPEN.O_NONBLOCK : 0);
  const fd = open(cString(DEVICE), flags, 0);
  if (fd < 0) throw new SystemError(`open ${DEVICE}`, errno(), openHint(errno()));
  try {
    const request = new Uint8Array(IFREQ.octets);
    request.set(cString(name), IFREQ.at.name);
    new DataView(request.buffer).setUint16(
      IFREQ.at.flags,
      TUN.IFF_TUN | TUN.IFF_NO_PI | (options.offload ? TUN.IFF_VNET_HDR : 0) |
        (options.multiQueue ? TUN.IFF_MULTI_QUEUE : 0) | extraFlags,
      true,
    );
    if (ioctl(fd, BigInt(IOCTL.TUNSETIFF), request) < 0) {
      throw new SystemError(`make TUN interface ${name}`, errno(), attachHint(errno(), name));
    }
    const offload = options.offload ? setOffload(fd, name) : OFFLOADS[2];
    let isOpen = true;
    const closeOnce = () => {
      if (isOpen) close(fd);
      isOpen = false;
    };
    return {
      fd,
      name,
      vnetHeaderOctets: options.offload ? VNET_HEADER.octets : 0,
      offload: { tcp: offload.tcp, udp: offload.udp },
      openQueue: () => openQueue(name, options, 0),
      close: closeOnce,
      [Symbol.dispose]: closeOnce,
    };
  } catch (error) {
    close(fd);
    throw error;
  }
}

/** The most offload that this kernel knows. */
function setOffload(fd: number, name: string): typeof OFFLOADS[number] {
  for (const offload of OFFLOADS) {
    if (libc().ioctlValue(fd, BigInt(IOCTL.TUNSETOFFLOAD), BigInt(offload.flags)) >= 0) return offload;
    if (errno() !== ERRNO.EINVAL) check(-1, `set the offload of ${name}`);
  }
  return OFFLOADS[2];
}
