// The module of a packet Worker; see packet_loop.ts.
import { PacketLoop } from "./packet_loop.ts";
import { keepCapabilities } from "../linux/privileges.ts";
import type { Report, WorkerStart } from "./packet_orders.ts";

const worker = self as unknown as {
  onmessage: (event: MessageEvent<WorkerStart>) => void;
  postMessage(report: Report): void;
  close(): void;
};

worker.onmessage = ({ data }) => {
  try {
    // Its sockets and the device are open already.
    keepCapabilities([]);
    new PacketLoop(data, (report) => worker.postMessage(report)).run();
  } catch (error) {
    const text = error instanceof Error ? error.stack ?? error.message : String(error);
    worker.postMessage({ report: "failed", text });
    worker.postMessage({ report: "stopped" });
  }
  worker.close();
};
