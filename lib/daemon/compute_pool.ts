/**
 * Slow computations off the main loop. What is known to be quick is done at once, because handing it to a Worker costs
 * more than doing it; a computation whose cost is not known yet goes to a Worker, which tells.
 *
 * @module
 */
import { calculate, type Calculation, type CalculationValues, sizeOf } from "./compute.ts";
import { workerUrl } from "./worker_url.ts";

/** A computation that takes longer is a Worker's. */
const INLINE_MS = 1.5;
/** Computations that may wait; more are refused, so that a flood does not take the memory. */
const QUEUE_LIMIT = 10_000;
/** Workers end when there is nothing to do for so long. */
const IDLE_MS = 30_000;

interface Job {
  readonly id: number;
  readonly calculation: Calculation;
  readonly size: string;
  resolve(value: CalculationValues[Calculation["op"]]): void;
  reject(error: Error): void;
}

interface Helper {
  readonly worker: Worker;
  job?: Job;
}

export interface ComputePoolOptions {
  /** Default: one less than the processors, at least one. */
  readonly workers?: number;
  /** Default 1.5; 0 gives everything to Workers. */
  readonly inlineMs?: number;
}

/** A pool of Workers that start when they are needed. */
export class ComputePool implements Disposable {
  readonly #costMs = new Map<string, number>();
  readonly #queue: Job[] = [];
  readonly #helpers: Helper[] = [];
  readonly #most: number;
  readonly #inlineMs: number;
  #next = 1;
  #idle: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(
    { workers = Math.max(1, navigator.hardwareConcurrency - 1), inlineMs = INLINE_MS }: ComputePoolOptions = {},
  ) {
    this.#most = workers;
    this.#inlineMs = inlineMs;
  }

  /** Computations that wait or are being done by Workers. */
  get waiting(): number {
    return this.#queue.length + this.#helpers.filter(({ job }) => job).length;
  }

  /**
   * Calls `done` with the value, or with the words of what is wrong; at once when the computation is quick.
   */
  run<Op extends Calculation["op"]>(
    calculation: Extract<Calculation, { op: Op }>,
    done: (value: CalculationValues[Op] | undefined, error: string | undefined) => void,
  ): void {
    const size = sizeOf(calculation);
    if ((this.#costMs.get(size) ?? Infinity) < this.#inlineMs) {
      const from = performance.now();
      let value: CalculationValues[Op] | undefined;
      let error: string | undefined;
      try {
        value = calculate(calculation) as CalculationValues[Op];
      } catch (caught) {
        error = (caught as Error).message;
      }
      this.#learn(size, performance.now() - from);
      return done(value, error);
    }
    if (this.#closed || this.#queue.length >= QUEUE_LIMIT) return done(undefined, "too many computations are waiting");
    this.#queue.push({
      id: this.#next++,
      calculation,
      size,
      resolve: (value) => done(value as CalculationValues[Op], undefined),
      reject: (error) => done(undefined, error.message),
    });
    this.#dispatch();
  }

  /** The quickest run counts: the first ones load and compile, and one on a busy machine says nothing of the next. */
  #learn(size: string, ms: number): void {
    const before = this.#costMs.get(size) ?? Infinity;
    this.#costMs.set(size, ms <= before ? ms : 0.95 * before + 0.05 * Math.min(ms, 2 * before));
  }

  #dispatch(): void {
    if (this.#idle !== undefined) clearTimeout(this.#idle);
    this.#idle = undefined;
    while (this.#queue.length) {
      const helper = this.#helpers.find(({ job }) => !job) ??
        (this.#helpers.length < this.#most ? this.#start() : undefined);
      if (!helper) return;
      const job = helper.job = this.#queue.shift()!;
      helper.worker.postMessage({ id: job.id, calculation: job.calculation });
    }
    if (this.#helpers.length && this.#helpers.every(({ job }) => !job)) {
      this.#idle = setTimeout(() => this.#stopAll(), IDLE_MS);
      this.#idle.unref();
    }
  }

  #start(): Helper {
    const worker = new Worker(workerUrl("lib/daemon/compute_worker"), { type: "module" });
    const helper: Helper = { worker };
    worker.onmessage = ({ data }) => {
      const job = helper.job;
      helper.job = undefined;
      if (job && data.id === job.id) {
        this.#learn(job.size, data.ms);
        if (data.ok) job.resolve(data.value);
        else job.reject(new Error(data.error));
      }
      this.#dispatch();
    };
    worker.onerror = (event) => {
      event.preventDefault();
      const job = helper.job;
      this.#helpers.splice(this.#helpers.indexOf(helper), 1);
      worker.terminate();
      job?.reject(new Error(`the computation's thread ended: ${event.message}`));
      this.#dispatch();
    };
    this.#helpers.push(helper);
    return helper;
  }

  #stopAll(): void {
    this.#idle = undefined;
    for (const { worker } of this.#helpers.splice(0)) worker.terminate();
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    if (this.#idle !== undefined) clearTimeout(this.#idle);
    this.#stopAll();
    for (const job of this.#queue.splice(0)) job.reject(new Error("the daemon is ending"));
  }
}
