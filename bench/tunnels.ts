/** The tunnels that are measured side by side: how each comes up between two hosts, and goes down again. @module */
import { Charon } from "../tests/interop/charon.ts";
import { ipsecadm, ipsecadmAll, key, protect, startEngine } from "../tests/netns/engine.ts";
import { type Background, type Host, waitFor } from "../tests/netns/topology.ts";
import { A, B, workerPid } from "./measure.ts";
import { startEngineWithoutCipher } from "./no_cipher/engine.ts";

/** Addresses inside the tunnel, on the hosts' loopback interfaces. */
export const INNER = { a: "10.98.0.1", b: "10.98.0.2" } as const;
/** Addresses of the link between the hosts. */
const OUTER = { a: A, b: B } as const;

export interface Ends {
  readonly a: Host;
  readonly b: Host;
}

/** A tunnel that is up. */
export interface Tunnel {
  /** The processes that carry it, of both ends. */
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

/** Brings a tunnel up. */
export type Start = (ends: Ends) => Promise<Tunnel>;

const PSK = "a secret for a benchmark";

const stopAll = async (processes: readonly Background[]) => {
  for (const process of processes) await process.stop();
};

/** No tunnel at all. */
export const plain: Start = async ({ a, b }) => {
  await a.exec(`ip route add ${INNER.b}/32 via ${OUTER.b} src ${INNER.a}`);
  await b.exec(`ip route add ${INNER.a}/32 via ${OUTER.a} src ${INNER.b}`);
  return {
    pids: [],
    stop: async () => {
      await a.exec(`ip route del ${INNER.b}/32`);
      await b.exec(`ip route del ${INNER.a}/32`);
    },
  };
};

/** strongSwan with its datapath in userspace; `esp` as swanctl.conf calls the proposal. */
export const libipsec = (esp: string): Start => async ({ a, b }) => {
  const conf = (own: "a" | "b", peer: "a" | "b") =>
    `connections { gw { version = 2
  local_addrs = ${OUTER[own]}
  remote_addrs = ${OUTER[peer]}
  proposals = aes128-sha256-modp2048
  local { auth = psk }
  remote { auth = psk }
  children { tunnel {
    local_ts = ${INNER[own]}/32
    remote_ts = ${INNER[peer]}/32
    esp_proposals = ${esp} } } } }
secrets { ike-1 { secret = "${PSK}" } }
`;
  const charons = [await Charon.start(a, conf("a", "b")), await Charon.start(b, conf("b", "a"))];
  await charons[0].swanctl(["--initiate", "--child", "tunnel"]);
  return {
    pids: charons.map(({ process }) => workerPid(process.pid)),
    stop: async () => {
      for (const charon of charons) await charon.stop();
    },
  };
};

/** wireguard-go: ChaCha20-Poly1305. */
export const wireguard: Start = async ({ a, b }) => {
  const keys = await Promise.all([a, b].map(async (host) => {
    const secret = (await host.exec("wg genkey")).stdout.trim();
    const open = (await host.exec("wg pubkey", { input: secret })).stdout.trim();
    Deno.writeTextFileSync(`${host.folder}/wg.key`, secret, { mode: 0o600 });
    return open;
  }));
  const processes: Background[] = [];
  for (const [host, peerKey, own, peer] of [[a, keys[1], "a", "b"], [b, keys[0], "b", "a"]] as const) {
    processes.push(host.spawn(["wireguard-go", "-f", "wg0"]));
    await waitFor(async () => (await host.exec("ip link show wg0", { check: false })).code === 0, "wg0");
    await host.exec(
      `wg set wg0 listen-port 51820 private-key ${host.folder}/wg.key peer ${peerKey} ` +
        `endpoint ${OUTER[peer]}:51820 allowed-ips ${INNER[peer]}/32 && ip link set wg0 up && ` +
        `ip route add ${INNER[peer]}/32 dev wg0 src ${INNER[own]}`,
    );
  }
  return { pids: processes.map(({ pid }) => workerPid(pid)), stop: () => stopAll(processes) };
};

/** OpenVPN peer to peer over UDP, without its kernel module; each end knows the other's certificate. */
export const openvpn = (cipher: string): Start => async ({ a, b }) => {
  const fingerprints = await Promise.all([a, b].map(async (host) => {
    const files = `-keyout ${host.folder}/vpn.key -out ${host.folder}/vpn.pem`;
    await host.exec(
      `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=${host.name} ${files}`,
    );
    const { stdout } = await host.exec(`openssl x509 -in ${host.folder}/vpn.pem -noout -fingerprint -sha256`);
    return stdout.trim().replace(/^.*=/, "");
  }));
  const processes = ([[a, "a", "b", fingerprints[1]], [b, "b", "a", fingerprints[0]]] as const).map(
    ([host, own, peer, fingerprint]) =>
      host.spawn([
        ...["openvpn", "--dev", "tun0", "--disable-dco", "--proto", "udp4", "--port", "1194"],
        ...["--local", OUTER[own], "--remote", OUTER[peer], own === "a" ? "--tls-client" : "--tls-server"],
        ...(own === "a" ? [] : ["--dh", "none"]),
        ...["--cert", `${host.folder}/vpn.pem`, "--key", `${host.folder}/vpn.key`, "--peer-fingerprint", fingerprint],
        ...["--data-ciphers", cipher, "--ifconfig", INNER[own].replace("98", "97"), INNER[peer].replace("98", "97")],
      ]),
  );
  for (const [i, process] of processes.entries()) {
    await waitFor(
      () => {
        if (process.ended()) throw new Error(`openvpn ended: ${process.output()}`);
        return process.output().includes("Initialization Sequence Completed");
      },
      "openvpn to come up",
      20_000,
    );
    const [host, own, peer] = i === 0 ? [a, "a", "b"] as const : [b, "b", "a"] as const;
    await host.exec(`ip route add ${INNER[peer]}/32 dev tun0 src ${INNER[own]}`);
  }
  return { pids: processes.map(({ pid }) => workerPid(pid)), stop: () => stopAll(processes) };
};

const ends = ({ a, b }: Ends) => [{ host: a, address: OUTER.a }, { host: b, address: OUTER.b }] as const;

const running = (hosts: Ends, engines: readonly Background[]): Tunnel => ({
  pids: engines.map(({ pid }) => workerPid(pid)),
  stop: async () => {
    await Promise.all([hosts.a, hosts.b].map((host) => ipsecadm(host, "flush")));
    await stopAll(engines);
  },
});

/** Ours, with keys by hand: `sa` in ipsecadm's words. */
export const ours = (sa: string, start: (host: Host) => Promise<Background> = startEngine): Start => async (hosts) => {
  const engines = await Promise.all([start(hosts.a), start(hosts.b)]);
  const isAh = sa.startsWith("new ah");
  if (isAh) { for (const host of [hosts.a, hosts.b]) await host.ipsecbox(["sysctl", "net.inet.ah.enable=1"]); }
  await protect(ends(hosts), sa, [[`${INNER.a}/32`, `${INNER.b}/32`]], `-proto ${isAh ? "ah" : "esp"}`);
  return running(hosts, engines);
};

/** The same with an AEAD that does nothing. */
export const withoutCipher = (sa: string): Start => ours(sa, startEngineWithoutCipher);

/** Ours: IP AH IP ESP, an ESP tunnel with an AH around it. */
export const bundle = (esp: string, ah: string): Start => async (hosts) => {
  const engines = await Promise.all([startEngine(hosts.a), startEngine(hosts.b)]);
  const lines = [
    `new ah -src ${OUTER.a} -dst ${OUTER.b} -spi 2000 ${ah}`,
    `new ah -src ${OUTER.b} -dst ${OUTER.a} -spi 2001 ${ah}`,
    `group -dst ${OUTER.b} -spi 1000 -proto esp -dst2 ${OUTER.b} -spi2 2000 -proto2 ah`,
    `group -dst ${OUTER.a} -spi 1001 -proto esp -dst2 ${OUTER.a} -spi2 2001 -proto2 ah`,
  ];
  for (const host of [hosts.a, hosts.b]) await host.ipsecbox(["sysctl", "net.inet.ah.enable=1"]);
  await protect(ends(hosts), `new esp -forcetunnel ${esp}`, [[`${INNER.a}/32`, `${INNER.b}/32`]]);
  for (const host of [hosts.a, hosts.b]) await ipsecadmAll(host, lines);
  return running(hosts, engines);
};

const GCM = `-enc aes-gcm -key ${key(20)}`;
const IN_UDP = "new esp -forcetunnel -udpencap 4500";

/** What is measured of a tunnel besides one TCP stream. */
export interface Way {
  readonly name: string;
  readonly start: Start;
  /** The way that it is compared with. */
  readonly peer?: string;
  /** What of `ipsecbox bench` its end computes for each packet; absent where the tunnel is not ours. */
  readonly crypto?: readonly string[];
  /** Also four streams at once, and both directions at once. */
  readonly streams?: boolean;
  /** Also small packets. */
  readonly packets?: boolean;
}

/** Every way in the order in which a round takes them. */
export const WAYS: readonly Way[] = [
  { name: "veth alone", start: plain, streams: true, packets: true },
  { name: "libipsec aes128gcm16", start: libipsec("aes128gcm16"), streams: true, packets: true },
  { name: "wireguard-go", start: wireguard, peer: "libipsec aes128gcm16", packets: true },
  { name: "OpenVPN aes-128-gcm", start: openvpn("AES-128-GCM"), peer: "libipsec aes128gcm16", packets: true },
  {
    name: "ESP-UDP aes-128-gcm",
    crypto: ["aes-gcm-128"],
    start: ours(`${IN_UDP} ${GCM}`),
    peer: "libipsec aes128gcm16",
    streams: true,
    packets: true,
  },
  { name: "ESP-UDP without cipher", start: withoutCipher(`${IN_UDP} ${GCM}`), peer: "libipsec aes128gcm16" },
  {
    name: "raw ESP aes-128-gcm",
    crypto: ["aes-gcm-128"],
    start: ours(`new esp -forcetunnel ${GCM}`),
    peer: "libipsec aes128gcm16",
    packets: true,
  },
  {
    name: "AH aes-gmac",
    crypto: ["aes-gmac-128"],
    start: ours(`new ah -forcetunnel -auth aes-gmac -key ${key(20)}`),
    peer: "libipsec aes128gcm16",
  },
  { name: "libipsec aes128-sha1", start: libipsec("aes128-sha1") },
  {
    name: "ESP-UDP aes-128 sha1",
    crypto: ["aes-128", "sha1"],
    start: ours(`${IN_UDP} -enc aes -key ${key(16)} -auth sha1 -authkey ${key(20)}`),
    peer: "libipsec aes128-sha1",
  },
  {
    name: "AH sha1",
    crypto: ["sha1"],
    start: ours(`new ah -forcetunnel -auth sha1 -key ${key(20)}`),
    peer: "libipsec aes128-sha1",
  },
  {
    name: "AH sha1 around ESP aes-128",
    crypto: ["aes-128", "sha1"],
    start: bundle(`-enc aes -key ${key(16)}`, `-auth sha1 -key ${key(20)}`),
    peer: "libipsec aes128-sha1",
  },
  { name: "libipsec aes128-sha256", start: libipsec("aes128-sha256") },
  {
    name: "ESP-UDP aes-128 sha-256",
    crypto: ["aes-128", "sha2-256"],
    start: ours(`${IN_UDP} -enc aes -key ${key(16)} -auth sha2-256 -authkey ${key(32)}`),
    peer: "libipsec aes128-sha256",
  },
  { name: "libipsec 3des-sha1", start: libipsec("3des-sha1") },
  {
    name: "ESP-UDP 3des sha1",
    crypto: ["3des", "sha1"],
    start: ours(`${IN_UDP} -enc 3des -key ${key(24)} -auth sha1 -authkey ${key(20)}`),
    peer: "libipsec 3des-sha1",
  },
];
