/** The engine's packet Workers from the main thread's side: starting, ordering, counting. @module */
import { check, libc } from "../ffi/libc.ts";
import { OPEN } from "../ffi/structs.ts";
import type { SaUsage } from "../engine/effects.ts";
import { Counters } from "../ipsec/packet.ts";
import { COUNTER, COUNTER_OCTETS } from "../ipsec/sa.ts";
import { Mailbox } from "./mailbox.ts";
import type { Order, Report, Role, WorkerStart } from "./packet_orders.ts";
import { workerUrl } from "./worker_url.ts";

/** SAs whose counters fit the shared memory; only touched pages take room. */
const MAX_SAS = 1 << 18;
const CELLS = COUNTER_OCTETS / 8;
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
  readonly #usage = new SharedArrayBuffer(MAX_SAS * COUNTER_OCTETS);
  readonly #cells = new Float64Array(this.#usage);
  readonly #hands: Hand[] = [];
  readonly #slots = new Map<number, number>();
  readonly #freeSlots: number[] = [];
  /** By slot: the SA that has it (0: none), and how many packets it had at the last look. */
  readonly #idOfSlot = new Float64Array(MAX_SAS);
  readonly #seenPackets = new Float64Array(MAX_SAS);
  #nextSlot = 0;
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
        { ...common, role, wakeFd, orders: mailbox.buffer, counters, usage: this.#usage } satisfies WorkerStart,
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

  /** A row of counters for the SA `id`. @throws {RangeError} when there are too many SAs */
  assignSlot(id: number): number {
    const slot = this.#freeSlots.pop() ?? this.#nextSlot++;
    if (slot >= MAX_SAS) throw new RangeError(`Cannot install another SA: ${MAX_SAS} is the most`);
    this.#slots.set(id, slot);
    this.#idOfSlot[slot] = id;
    this.#seenPackets[slot] = 0;
    this.#cells.fill(0, slot * CELLS, (slot + 1) * CELLS);
    return slot;
  }

  releaseSlot(id: number): void {
    const slot = this.#slots.get(id);
    if (slot === undefined) return;
    this.#slots.delete(id);
    this.#idOfSlot[slot] = 0;
    this.#freeSlots.push(slot);
  }

  /** What packets have done to the SA `id` so far; undefined when it has no row. */
  usage(id: number): SaUsage | undefined {
    const slot = this.#slots.get(id);
    return slot === undefined ? undefined : this.#usageOf(slot);
  }

  #usageOf(slot: number): SaUsage {
    const cell = (column: number) => this.#cells[slot * CELLS + column];
    return {
      packets: cell(COUNTER.PACKETS),
      bytes: cell(COUNTER.BYTES),
      allocations: cell(COUNTER.ALLOCATIONS),
      drops: cell(COUNTER.DROPS),
      sequence: cell(COUNTER.SEQUENCE),
      firstUsedSeconds: cell(COUNTER.FIRST_USED),
      lastUsedSeconds: cell(COUNTER.LAST_USED),
    };
  }

  /** What has changed since the last call, by SA. */
  changes(): [id: number, usage: SaUsage][] {
    const changed: [number, SaUsage][] = [];
    for (let slot = 0; slot < this.#nextSlot; slot++) {
      const packets = this.#cells[slot * CELLS + COUNTER.PACKETS];
      if (packets === this.#seenPackets[slot]) continue;
      this.#seenPackets[slot] = packets;
      if (packets > 0 && this.#idOfSlot[slot] !== 0) changed.push([this.#idOfSlot[slot], this.#usageOf(slot)]);
    }
    return changed;
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
