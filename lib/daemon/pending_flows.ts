/** Flows whose change the kernel's tables have yet to be told. @module */
import type { Flow } from "../ipsec/types.ts";
import { selectorKey } from "../linux/flow_tables.ts";

/** A flow's selector as text, direction included: two flows with the same are one. */
export const directedSelectorKey = ({ selector }: Flow) => `${selector.direction} ${selectorKey(selector)}`;

interface PendingFlow {
  readonly flow: Flow;
  readonly wanted: boolean;
}

/** What one table is to be told. */
export interface FlowChanges {
  readonly add: Flow[];
  readonly remove: Flow[];
}

/** Collects changes; the last word about a flow counts. */
export class PendingFlows {
  readonly #flows = new Map<string, PendingFlow>();

  /** @param wanted whether the table shall, or shall no longer, know the flow */
  set(flow: Flow, wanted: boolean): void {
    this.#flows.set(directedSelectorKey(flow), { flow, wanted });
  }

  clear(): void {
    this.#flows.clear();
  }

  /** Takes all changes; undefined when there are none. */
  take(): FlowChanges | undefined {
    if (this.#flows.size === 0) return undefined;
    const rows = [...this.#flows.values()];
    this.#flows.clear();
    return {
      add: rows.filter(({ wanted }) => wanted).map(({ flow }) => flow),
      remove: rows.filter(({ wanted }) => !wanted).map(({ flow }) => flow),
    };
  }
}
