/** What an engine needs of the system, and whether it runs. @module */
import { loadLibcrypto } from "../../crypto/libcrypto.ts";
import { commandOf } from "../../daemon/key_daemons.ts";
import { runDirectory } from "../../daemon/paths.ts";
import { askNft, NFT_TABLE } from "../../linux/nft.ts";
import { holderOfUdpPort } from "../../linux/proc.ts";
import { IFF } from "../../linux/rtnetlink.ts";
import { type Context, isProtecting } from "./context.ts";
import type { Finding } from "./finding.ts";

const TUN = "/dev/net/tun";
/** Bits of CapEff (linux/capability.h). */
const CAPABILITIES = [["CAP_NET_ADMIN", 12], ["CAP_NET_RAW", 13]] as const;

/** Capabilities that are needed and that this process lacks. */
export function missingCapabilities(): string[] {
  const status = Deno.readTextFileSync("/proc/self/status");
  const bits = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
  return CAPABILITIES.filter(([, bit]) => !(bits >> BigInt(bit) & 1n)).map(([name]) => name);
}

export function checkCapabilities(): Finding[] {
  const missing = missingCapabilities();
  if (!missing.length) return [];
  return [{
    id: "privilege",
    problem: `This process lacks ${missing.join(" and ")}: neither an engine nor the doctor can work without`,
    remedies: [
      `be root; in a container, add the capabilities: docker run ${
        missing.map((name) => `--cap-add ${name.slice(4)}`).join(" ")
      }`,
    ],
  }];
}

export function checkTun({ engine }: Context): Finding[] {
  if (engine) return [];
  try {
    if (Deno.statSync(TUN).isCharDevice) return [];
  } catch {
    // It is missing: that is the finding.
  }
  return [{
    id: "tun",
    problem: `${TUN} is missing: the engine's interface cannot be made`,
    remedies: [
      "modprobe tun",
      `mkdir -p /dev/net && mknod ${TUN} c 10 200 && chmod 666 ${TUN}`,
      `in a container: docker run --device ${TUN}`,
    ],
  }];
}

/** A table that holds cleartext back stays when an engine is killed. */
function checkLeftoverTable(): Finding[] {
  if (!askNft(["list", "table", ...NFT_TABLE.split(" ")]).length) return [];
  return [{
    id: "held-back",
    problem: "An engine that is no more has left its filter: what its flows protect is held back",
    remedies: ["ipsecbox enc &   # and give its flows again", "ipsecbox enc --open   # or let everything go in clear"],
  }];
}

export function checkEngine({ engine, unreachable }: Context): Finding[] {
  if (!engine) {
    return [
      { id: "engine", problem: `No engine answers: ${unreachable}`, remedies: ["ipsecbox enc &"] },
      ...checkLeftoverTable(),
    ];
  }
  const { link } = engine;
  if (!link) {
    return [{
      id: "interface",
      problem: "The engine's interface is not in this network namespace",
      remedies: ["restart the engine: ipsecbox enc"],
    }];
  }
  if (link.flags & IFF.UP) return [];
  return [{
    id: "interface",
    problem: `The engine's interface ${link.name} is down`,
    remedies: [`ip link set ${link.name} up`],
  }];
}

export function checkKnobs({ engine, flows, sas }: Context): Finding[] {
  if (!engine) return [];
  const used = new Set([...flows.filter(isProtecting), ...sas].map(({ protocol }) => protocol));
  return (["esp", "ah"] as const).flatMap((protocol) => {
    const name = `net.inet.${protocol}.enable`;
    if (!used.has(protocol) || engine.knobs.get(name) !== "0") return [];
    return [{
      id: "sysctl",
      problem: `${name} is 0: every ${protocol.toUpperCase()} packet is dropped, though SAs or flows need them`,
      remedies: [`ipsecbox sysctl ${name}=1`],
    }];
  });
}

/** UDP port -> which of our commands has it, and for what. */
const PORTS = [
  { port: 500, owners: ["isakmpd"], what: "IKE" },
  { port: 4500, owners: ["enc", "isakmpd"], what: "ESP in UDP and IKE behind NAT" },
  { port: 468, owners: ["photurisd"], what: "Photuris" },
] as const;

export function checkPorts({ engine, isakmpd, photurisd }: Context): Finding[] {
  const ours = [engine?.after.engine.process, isakmpd?.process, photurisd?.process];
  return PORTS.flatMap(({ port, owners, what }) => {
    const holder = holderOfUdpPort(port);
    if (!holder || ours.includes(holder.pid)) return [];
    const command = commandOf(holder.pid);
    if ((owners as readonly (string | undefined)[]).includes(command)) return [];
    return [{
      id: "port",
      problem: `UDP port ${port} (${what}) belongs to another program: process ${holder.pid} (${holder.command})`,
      remedies: [
        `systemctl disable --now UNIT   # its unit: systemctl status ${holder.pid}`,
        `kill ${holder.pid}`,
      ],
    }];
  });
}

export function checkLibcrypto({ engine }: Context): Finding[] {
  const isSlow = engine ? engine.after.engine.crypto !== "libcrypto" : loadLibcrypto() === undefined;
  if (!isSlow) return [];
  return [{
    id: "libcrypto",
    problem:
      "Packets go the slow way, through Deno's own cryptography: libcrypto.so.3 was not found or is switched off",
    remedies: ["apt-get install libssl3   # and restart the engine, without IPSECBOX_LIBCRYPTO=off in its environment"],
  }];
}

export function checkNft({ flows }: Context): Finding[] {
  const demanding = flows.find(({ type }) => type === "require" || type === "deny" || type === "dontacq");
  if (!demanding || worksNft()) return [];
  return [{
    id: "nft",
    problem: "nft is missing or does not work: cleartext that -require flows forbid is not dropped",
    remedies: ["apt-get install nftables"],
  }];
}

function worksNft(): boolean {
  return ["nft", "/usr/sbin/nft", "/sbin/nft"].some((program) => {
    try {
      return new Deno.Command(program, { args: ["list", "tables"], stdin: "null", stdout: "null", stderr: "null" })
        .outputSync().success;
    } catch {
      return false;
    }
  });
}

const OTHERS_WRITE = 0o022;

export function checkRunDirectory(): Finding[] {
  const path = runDirectory();
  try {
    const { mode } = Deno.statSync(path);
    if (!(mode! & OTHERS_WRITE)) return [];
    return [{
      id: "permissions",
      problem: `Others may write the run directory ${path}: they could put a socket of theirs in the engine's place`,
      remedies: [`chmod go-w ${path}`],
    }];
  } catch {
    return [];
  }
}
