// KeyNote credentials over the wire: the policy knows one key alone, and the peer brings what leads from it to its own.
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { parsePrivateKey, rsaNumbers } from "../../lib/crypto/signature.ts";
import { parseAssertions } from "../../lib/keynote/parse.ts";
import { formatPrincipal } from "../../lib/keynote/principal.ts";
import { signAssertion } from "../../lib/keynote/signature.ts";
import { Daemon, exampleConf, GATEWAYS, startEngine, writePrivate } from "./isakmpd_hosts.ts";
import { type Host, topology, waitFor } from "./topology.ts";

const VECTORS = new URL("../vectors/", import.meta.url);
const pem = (file: string) => Deno.readTextFileSync(new URL(file, VECTORS));
/** The administrator, a site that may license others, and the two gateways. */
const KEYS = {
  admin: pem("x509/ca.key"),
  site: pem("keynote/rsa.pem"),
  west: pem("x509/gw.key"),
  east: pem("x509/twin.key"),
};
type Who = keyof typeof KEYS;
const principal = (who: Who) => formatPrincipal(rsaNumbers(parsePrivateKey(KEYS[who])));

/** A signed credential. */
function credential(from: Who, to: Who, conditions: string): string {
  const text = (signature: string) =>
    `KeyNote-Version: 2\nComment: ${from} licenses ${to}\nAuthorizer: "${principal(from)}"\n` +
    `Licensees: "${principal(to)}"\nConditions: ${conditions};\nSignature: ${signature}\n`;
  const [unsigned] = parseAssertions(text(""), "credential").assertions;
  return text(`"${signAssertion(unsigned, "sig-rsa-sha1-hex:", parsePrivateKey(KEYS[from]))}"`);
}

const ESP = 'app_domain == "IPsec policy" && esp_present == "yes"';
const POLICY = `KeyNote-Version: 2\nAuthorizer: "POLICY"\nLicensees: "${principal("admin")}"\nConditions: ${ESP};\n`;
const ADDRESSES = { west: "10.1.0.1", east: "10.1.0.2" };

/** Starts isakmpd with a policy, a private key, and the credentials that it shows. */
function start(host: Host, credentials: readonly string[]): Promise<Daemon> {
  const side = host.name as "west" | "east";
  const folder = join(host.folder, "keynote", ADDRESSES[side]);
  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  Deno.writeTextFileSync(join(folder, "credentials"), credentials.join("\n"));
  Deno.writeTextFileSync(join(folder, "private_key"), KEYS[side], { mode: 0o600 });
  const policy = writePrivate(host, "isakmpd.policy", POLICY);
  const conf = exampleConf(side)
    .replace(/^Authentication=.*$/m, "ID=	Own-address")
    .replace("[General]", `[General]\nPolicy-file=	${policy}`)
    .replace("Transforms=		3DES-SHA\n", "Transforms=		3DES-SHA-RSA_SIG\n");
  const sections = `\n[Own-address]\nID-type=	IPV4_ADDR\nAddress=	${ADDRESSES[side]}\n` +
    `\n[KeyNote]\nCredential-directory=	${join(host.folder, "keynote")}/\n`;
  return Daemon.start(host, conf + sections, []);
}

Deno.test("credentials from the wire lead from the policy's key to the peer's, and what is missing in them is said", async () => {
  await using net = await topology("kncred", GATEWAYS);
  const [west, east] = [net.host("west"), net.host("east")];
  await Promise.all([startEngine(west), startEngine(east)]);
  const chain = [credential("admin", "site", ESP), credential("site", "west", 'esp_enc_alg == "3des"')];
  const responder = await start(east, [credential("admin", "east", "true")]);
  const first = await start(west, chain);
  await Promise.all([first.up(), responder.up()]);
  assertEquals((await net.host("westlan").ping("192.168.2.2", { count: 3 })).received, 3);
  await first.stop();

  // Without the administrator's word for the site; then with a credential that allows something else.
  const known = () => responder.output().length;
  for (
    const [credentials, words] of [
      [[chain[1]], /policy: .*licenses "rsa-hex:.*the requesters have no authority from them/],
      [
        [chain[0], credential("site", "west", 'esp_enc_alg == "aes"')],
        /policy: .*peer.s credentials:8: esp_enc_alg == "aes" should be true/,
      ],
    ] as const
  ) {
    const before = known();
    const daemon = await start(west, credentials);
    await waitFor(() => words.test(responder.output().slice(before)), `the responder to say ${words}`, 30_000)
      .catch((error) => {
        throw new Error(`${(error as Error).message}\n${responder.output().slice(before)}\n${daemon.output()}`);
      });
    assert(!/Established phase 2/.test(responder.output().slice(before)), responder.output());
    const said = responder.output().slice(before);
    assert(
      /; the action: .*no remote_id, because credentials prove a key/.test(said) && !/remote_id=/.test(said),
      said,
    );
    await daemon.says(/NO_PROPOSAL_CHOSEN/);
    await daemon.stop();
  }
});
