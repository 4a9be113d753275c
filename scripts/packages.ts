/** Installs the Debian packages that demo, tests and benchmarks use; the program itself needs none. @module */

/** What each task needs besides Deno: the commands to look for and the packages that bring them. */
export const PACKAGES = {
  demo: { commands: ["ping", "tcpdump", "nft", "ip"], packages: ["iputils-ping", "tcpdump", "nftables", "iproute2"] },
  test: {
    commands: [
      "ping",
      "tcpdump",
      "nft",
      "ip",
      "iperf3",
      "tshark",
      "ike-scan",
      "scapy3",
      "swanctl",
      "vpnc",
      "openssl",
      "mandoc",
      "systemd-analyze",
      "faketime",
      "zsh",
      "fish",
    ],
    packages: [
      "iputils-ping",
      "tcpdump",
      "nftables",
      "iproute2",
      "iperf3",
      "tshark",
      "ike-scan",
      "python3-scapy",
      "python3-cryptography",
      "openssl",
      "mandoc",
      "systemd",
      "faketime",
      "zsh",
      "fish",
      "strongswan",
      "strongswan-swanctl",
      "libcharon-extra-plugins",
      "libcharon-extauth-plugins",
      "libstrongswan-extra-plugins",
      "libstrongswan-standard-plugins",
      "strongswan-pki",
      "vpnc",
    ],
  },
  bench: {
    commands: ["ping", "tcpdump", "nft", "ip", "iperf3", "swanctl", "wireguard-go", "wg", "openvpn", "openssl"],
    packages: [
      "iputils-ping",
      "tcpdump",
      "nftables",
      "iproute2",
      "iperf3",
      "strongswan",
      "strongswan-swanctl",
      "libcharon-extra-plugins",
      "libcharon-extauth-plugins",
      "libstrongswan-extra-plugins",
      "libstrongswan-standard-plugins",
      "wireguard-go",
      "wireguard-tools",
      "openvpn",
      "openssl",
    ],
  },
} as const;

function onPath(command: string): boolean {
  return `${Deno.env.get("PATH")}:/usr/sbin:/usr/lib/ipsec`.split(":").some((folder) => {
    try {
      return Deno.statSync(`${folder}/${command}`).isFile;
    } catch {
      return false;
    }
  });
}

/** Installs the task's packages unless all its commands are there. @throws {Error} with apt's words when that fails. */
export async function ensurePackages(task: keyof typeof PACKAGES): Promise<void> {
  const { commands, packages } = PACKAGES[task];
  const missing = commands.filter((command) => !onPath(command));
  if (missing.length === 0) return;
  console.log(`Installing Debian packages for ${missing.join(", ")}`);
  const apt = (...args: string[]) =>
    new Deno.Command("apt-get", {
      args,
      env: { DEBIAN_FRONTEND: "noninteractive" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
  await apt("update");
  const { success, stderr } = await apt("install", "-y", "--no-install-recommends", ...packages);
  if (!success) throw new Error(`Cannot install ${packages.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

if (import.meta.main) await ensurePackages(Deno.args[0] === "demo" ? "demo" : "test");
