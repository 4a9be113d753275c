// The module of a packet Worker; see packet_loop.ts.
import { createPacketTools, PacketLoop } from "./packet_loop.ts";
import { keepCapabilities } from "../linux/privileges.ts";
import { Rehearsal } from "./rehearsal.ts";
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
    const tools = createPacketTools(data.libcrypto);
    using rehearsal = new Rehearsal(data, (start) => new PacketLoop(start, () => {}, tools));
    new PacketLoop(data, (report) => worker.postMessage(report), tools).run(rehearsal);
  } catch (error) {
    const text = error instanceof Error ? error.stack ?? error.message : String(error);
    worker.postMessage({ report: "failed", text });
    worker.postMessage({ report: "stopped" });
  }
  worker.close();
};
