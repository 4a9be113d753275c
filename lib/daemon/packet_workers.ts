/** The engine's packet Workers from the main thread's side: starting, ordering, counting. @module */
import { check, libc } from "../ffi/libc.ts";
import { OPEN } from "../ffi/structs.ts";
import { Counters } from "../ipsec/packet.ts";
import { Mailbox } from "./mailbox.ts";
import type { Order, Report, Role, WorkerStart } from "./packet_orders.ts";
import { SaRows } from "./sa_rows.ts";
import { workerUrl } from "./worker_url.ts";

const ONE = new Uint8Array(new BigUint64Array([1n]).buffer);
/** How often orders that found a full mailbox are tried again. */
const RETRY_MS = 2;

/** One Worker. */
interface Hand {
  readonly worker: Worker;
  readonly mailbox: Mailbox;
  readonly wakeFd: number;
  readonly counters: Counters;
  readonly stopped: Promise<void>;
}

/** All Workers of the engine; every order goes to each of them. */
export class PacketWorkers {
  /** What packets have done to each SA. */
  readonly rows = new SaRows();
  readonly #hands: Hand[] = [];
  #backlog: Order[][] = [];
  #retry: ReturnType<typeof setTimeout> | undefined;

  /**
   * Starts one Worker for each role.
   *
   * @param onReport called for everything a Worker says
   * @returns when all are moving packets. @throws {Error} when one cannot start
   */
  async start(
    roles: readonly Role[],
    common: Omit<WorkerStart, "role" | "wakeFd" | "orders" | "counters" | "usage">,
    onReport: (report: Report) => void,
  ): Promise<void> {
    await Promise.all(roles.map((role) => this.#startOne(role, common, onReport)));
  }

  #startOne(
    role: Role,
    common: Omit<WorkerStart, "role" | "wakeFd" | "orders" | "counters" | "usage">,
    onReport: (report: Report) => void,
  ): Promise<void> {
    const mailbox = new Mailbox();
    const counters = new SharedArrayBuffer(Counters.OCTETS);
    const wakeFd = check(libc().eventfd(0, OPEN.O_CLOEXEC | OPEN.O_NONBLOCK), "open an eventfd");
    const worker = new Worker(workerUrl("lib/daemon/packet_worker"), { type: "module", name: `packets ${role}` });
    return new Promise((resolve, reject) => {
      const stopped = new Promise<void>((done) => {
        worker.onmessage = ({ data }: MessageEvent<Report>) => {
          if (data.report === "ready") resolve();
          if (data.report === "failed") reject(new Error(data.text));
          if (data.report === "stopped") done();
          onReport(data);
        };
        worker.onerror = (event) => {
          event.preventDefault();
          reject(new Error(event.message));
          onReport({ report: "failed", text: event.message });
          done();
        };
      });
      this.#hands.push({ worker, mailbox, wakeFd, counters: new Counters(counters), stopped });
      this.#backlog.push([]);
      worker.postMessage(
        { ...common, role, wakeFd, orders: mailbox.buffer, counters, usage: this.rows.memory } satisfies WorkerStart,
      );
    });
  }

  /** Gives an order to every Worker, in order. */
  order(order: Order): void {
    this.#hands.forEach((hand, i) => {
      const backlog = this.#backlog[i];
      if (backlog.length || !hand.mailbox.put(order)) backlog.push(order);
      libc().writeBuffer(hand.wakeFd, ONE, 8n);
    });
    if (this.#retry === undefined && this.#hasBacklog) this.#scheduleRetry();
  }

  /** Whether a Worker has orders that it has not taken yet. */
  get isBehind(): boolean {
    return this.#hasBacklog || this.#hands.some(({ mailbox }) => mailbox.pending > 0);
  }

  /** Orders wait here because a mailbox was full. */
  get #hasBacklog(): boolean {
    return this.#backlog.some((backlog) => backlog.length > 0);
  }

  #scheduleRetry(): void {
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#hands.forEach((hand, i) => {
        const backlog = this.#backlog[i];
        let given = 0;
        while (given < backlog.length && hand.mailbox.put(backlog[given])) given++;
        backlog.splice(0, given);
        if (given) libc().writeBuffer(hand.wakeFd, ONE, 8n);
      });
      if (this.#hasBacklog) this.#scheduleRetry();
    }, RETRY_MS);
  }

  /** Totals and drop reasons of one protocol (50, 51, 4; 0: none) over all Workers. */
  statistics(protocol: number): Record<string, number> {
    const sum: Record<string, number> = {};
    for (const { counters } of this.#hands) {
      for (const [name, value] of Object.entries(counters.read(protocol))) sum[name] = (sum[name] ?? 0) + value;
    }
    return sum;
  }

  /** Ends all Workers. Keys are erased by them. */
  async stop(): Promise<void> {
    clearTimeout(this.#retry);
    this.order({ order: "stop" });
    clearTimeout(this.#retry);
    const late = new Promise<void>((resolve) => setTimeout(resolve, 1000));
    await Promise.race([Promise.all(this.#hands.map(({ stopped }) => stopped)), late]);
    for (const { worker, wakeFd } of this.#hands) {
      worker.terminate();
      libc().close(wakeFd);
    }
    this.#hands.length = 0;
  }
}
