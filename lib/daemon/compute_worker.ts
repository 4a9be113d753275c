// A Worker of the pool in compute_pool.ts: takes one calculation after the other and answers with its number.
import { keepCapabilities } from "../linux/privileges.ts";
import { calculate, type Calculation } from "./compute.ts";

declare const self: DedicatedWorkerGlobalScope;

keepCapabilities([]);

self.onmessage = ({ data }: MessageEvent<{ id: number; calculation: Calculation }>) => {
  const { id, calculation } = data;
  const from = performance.now();
  try {
    const value = calculate(calculation);
    self.postMessage({ id, ok: true, value, ms: performance.now() - from });
  } catch (error) {
    self.postMessage({ id, ok: false, error: (error as Error).message, ms: performance.now() - from });
  }
};
