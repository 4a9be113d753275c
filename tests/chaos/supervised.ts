// A daemon as a supervisor keeps it, and its size.
import type { Background, Host } from "../netns/topology.ts";

/** So much may one process grow, from the first time that it was seen working: octets of memory, file descriptors. */
const GROWTH = { memory: 64 << 20, descriptors: 16 } as const;
const RESTART_MS = 200;

/** A daemon as a supervisor keeps it: started again whenever it has ended. */
export class Supervised {
  process!: Background;
  starts = 0;
  /** What the process had when it was first measured, and has had at most. */
  #first: Size | undefined;
  #most: Size | undefined;
  #open = true;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly host: Host, readonly args: readonly string[], readonly environment: Record<string, string>) {
    this.#start();
  }

  #start(): void {
    this.process = this.host.startIpsecbox(this.args, this.environment);
    this.starts++;
    this.#first = this.#most = undefined;
    const look = () => {
      if (!this.#open) return;
      if (this.process.ended()) this.#start();
      else this.#timer = setTimeout(look, RESTART_MS);
    };
    this.#timer = setTimeout(look, RESTART_MS);
  }

  kill(): void {
    this.process.signal("SIGKILL");
  }

  /**
   * Measures the process.
   *
   * @returns its growth in words
   * @throws {Error} when it has grown too much since it was first measured
   */
  measure(): string {
    const now = sizeOf(this.process.pid);
    if (!now) return "";
    this.#first ??= now;
    this.#most = {
      memory: Math.max(now.memory, this.#most?.memory ?? 0),
      descriptors: Math.max(now.descriptors, this.#most?.descriptors ?? 0),
    };
    const [first, most] = [this.#first, this.#most];
    const text = `${this.args[0]} of ${this.host.name}, start ${this.starts}: ` +
      `${first.memory >> 20} to at most ${
        most.memory >> 20
      } MiB, ${first.descriptors} to ${most.descriptors} descriptors`;
    if (now.memory - first.memory > GROWTH.memory || now.descriptors - first.descriptors > GROWTH.descriptors) {
      throw new Error(`grown: ${text}`);
    }
    return text;
  }

  close(): void {
    this.#open = false;
    clearTimeout(this.#timer);
  }
}

interface Size {
  readonly memory: number;
  readonly descriptors: number;
}

/** Octets resident and open file descriptors of a process; undefined while it is not there. */
function sizeOf(pid: number): Size | undefined {
  try {
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    return {
      memory: 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]),
      descriptors: [...Deno.readDirSync(`/proc/${pid}/fd`)].length,
    };
  } catch {
    return undefined;
  }
}
