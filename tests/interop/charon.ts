// strongSwan's charon on a host of a test network: kernel-libipsec as its datapath (ESP in UDP only), vici for control.
import { join } from "node:path";
import { type Background, type ExecResult, type Host, waitFor } from "../netns/topology.ts";

/** Plugins in the order in which they are asked; openssl before aes for speed, kernel-libipsec before kernel-netlink. */
const PLUGINS =
  "random nonce openssl aes des blowfish sha1 sha2 md5 gmp hmac kdf gcm curve25519 drbg pem pkcs1 pkcs8 " +
  "x509 revocation constraints pubkey xcbc cmac kernel-libipsec kernel-netlink socket-default updown attr " +
  "xauth-generic unity vici";

/** What swanctl looks for; a folder that is missing is an error line. */
const FOLDERS = "x509 x509ca x509ocsp x509aa x509ac x509crl pubkey private rsa ecdsa bliss pkcs8 pkcs12".split(" ");
const CHARON = "/usr/lib/ipsec/charon";

/** Whether this machine has charon with the datapath that the tests use. */
export function hasCharon(): boolean {
  try {
    return Deno.statSync(CHARON).isFile &&
      Deno.statSync("/usr/lib/ipsec/plugins/libstrongswan-kernel-libipsec.so").isFile;
  } catch {
    return false;
  }
}

export interface CharonOptions {
  /** More lines of strongswan.conf's section `charon`. */
  readonly settings?: string;
  /** Files of the swanctl directory, by path in it: `pubkey/peer.pem`, `private/own.pem`, `x509ca/ca.pem`. */
  readonly files?: Readonly<Record<string, string>>;
  readonly plugins?: string;
  /** Level of the log; default 1, "-1" for none. */
  readonly log?: string;
}

/** A running charon. */
export class Charon {
  private constructor(readonly host: Host, readonly folder: string, readonly process: Background) {}

  /** Starts charon and loads a swanctl.conf. */
  static async start(
    host: Host,
    swanctl: string,
    { settings = "", files = {}, plugins = PLUGINS, log = "1" }: CharonOptions = {},
  ): Promise<Charon> {
    const folder = join(host.folder, "charon");
    for (const name of FOLDERS) Deno.mkdirSync(join(folder, name), { recursive: true });
    for (const [path, text] of Object.entries(files)) Deno.writeTextFileSync(join(folder, path), text, { mode: 0o600 });
    await Deno.writeTextFile(
      join(folder, "strongswan.conf"),
      `charon {
  load = ${plugins}
  dos_protection = no
  retransmit_tries = 3
  retransmit_timeout = 2
  i_dont_care_about_security_and_use_aggressive_mode_psk = yes
  filelog { log { path = ${folder}/charon.log
    default = ${log}
    ike = ${log === "1" ? "2" : log}
    flush_line = yes } }
  plugins { vici { socket = unix://${folder}/vici }
    kernel-libipsec { allow_peer_ts = yes }
    kernel-netlink { fwmark = !0x42 }
    socket-default { fwmark = 0x42 } }
  ${settings}
}
`,
    );
    await Deno.writeTextFile(join(folder, "swanctl.conf"), swanctl);
    const process = host.spawn([CHARON], { STRONGSWAN_CONF: join(folder, "strongswan.conf") });
    const charon = new Charon(host, folder, process);
    await waitFor(
      async () => {
        if (process.ended()) throw new Error(`charon ended: ${process.output()}`);
        return (await charon.swanctl(["--stats"], false)).code === 0;
      },
      "charon to answer on vici",
      15_000,
    );
    await charon.load();
    return charon;
  }

  /** Runs swanctl. */
  swanctl(args: readonly string[], check = true): Promise<ExecResult> {
    return this.host.exec(["swanctl", ...args, "--uri", `unix://${this.folder}/vici`], {
      check,
      env: { STRONGSWAN_CONF: join(this.folder, "strongswan.conf"), SWANCTL_DIR: this.folder },
    });
  }

  async load(): Promise<void> {
    const { stdout, stderr } = await this.swanctl([
      "--load-all",
      "--noprompt",
      "--file",
      join(this.folder, "swanctl.conf"),
    ]);
    if (/failed|error/i.test(stderr)) throw new Error(`swanctl: ${stderr}${stdout}`);
  }

  /** What charon logged. */
  log(): string {
    try {
      return Deno.readTextFileSync(join(this.folder, "charon.log"));
    } catch {
      return "";
    }
  }

  /** The SAs as swanctl lists them. */
  async sas(): Promise<string> {
    return (await this.swanctl(["--list-sas"])).stdout;
  }

  /** Brings up a child. */
  initiate(child: string, seconds = 20): Promise<ExecResult> {
    return this.swanctl(["--initiate", "--child", child, "--timeout", String(seconds)], false);
  }

  async stop(): Promise<void> {
    await this.process.stop("SIGTERM", 10_000);
    // The next one begins with a log of its own.
    Deno.writeTextFileSync(join(this.folder, "charon.log"), "");
  }
}
