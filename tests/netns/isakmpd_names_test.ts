// Gateways that know each other by the names of their certificates (ID-type ASN1_DN).
import { assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { Daemon, GATEWAYS } from "./isakmpd_hosts.ts";
import { topology } from "./topology.ts";

Deno.test("with ASN1_DN each gateway knows the other by the name of its certificate, however it is spelled", async () => {
  await using net = await topology("isakmpd", GATEWAYS);
  const host = net.host("west");
  const at = (...parts: string[]) => join(host.folder, ...parts);
  for (const folder of ["ca", "west", "east"]) Deno.mkdirSync(at(folder));
  const pki = (...args: string[]) => host.ipsecbox(["pki", ...args]);
  await pki("ca", "-b", "256", "-s", "/C=SE/CN=CA", "-o", at("ca", "ca.crt"), "-k", at("ca.key"));
  await Promise.all((["west", "east"] as const).map((side) =>
    pki(
      ...[
        "cert",
        "-b",
        "256",
        "-s",
        `/C=SE/O=My Site/CN=${side}`,
        "-i",
        `${side}.example.org`,
        "-c",
        at("ca", "ca.crt"),
      ],
      ...["-k", at("ca.key"), "-o", at(side, "own.crt"), "-n", at(`${side}.key`)],
    )
  ));
  const dn = (await pki("dn", at("east", "own.crt"))).stdout.trim();
  assertEquals(dn, '"DN:/C=SE/O=My Site/CN=east"');

  const conf = (side: "west" | "east", own: string, peer: string, name: string) =>
    `[General]
Listen-on=${own}
[Phase 1]
${peer}=peer
[Phase 2]
${side === "west" ? "Connections" : "Passive-connections"}=hosts
[X509-certificates]
CA-directory=${at("ca")}
Cert-directory=${at(side)}
Private-key=${at(`${side}.key`)}
[peer]
Phase=1
Address=${peer}
Configuration=main
ID=own
Remote-ID=other
[own]
ID-type=ASN1_DN
Name=/C=SE/O=My Site/CN=${side}
[other]
ID-type=ASN1_DN
Name=${name}
[main]
EXCHANGE_TYPE=ID_PROT
Transforms=transform
[transform]
ENCRYPTION_ALGORITHM=AES_CBC
KEY_LENGTH=128
HASH_ALGORITHM=SHA2_256
AUTHENTICATION_METHOD=ECDSA_256
GROUP_DESCRIPTION=ECP_256
[hosts]
Phase=2
ISAKMP-peer=peer
Configuration=quick
[quick]
EXCHANGE_TYPE=QUICK_MODE
Suites=QM-ESP-TRP-AES-128-SHA2-256-SUITE
`;
  const east = await Daemon.start(net.host("east"), conf("east", "10.1.0.2", "10.1.0.1", "/C=se/O=my site/CN=West"), [
    "-n",
    "-K",
  ]);
  const west = await Daemon.start(host, conf("west", "10.1.0.1", "10.1.0.2", dn), ["-n", "-K"]);
  await Promise.all([west.up(), east.up()]);
  assertMatch(west.output(), /as DER_ASN1_DN \/C=SE\/O=My Site\/CN=east: /);
});
