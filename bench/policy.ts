// Policy queries a second for files of 10, 1,000 and 100,000 assertions, and certificate paths verified a second:
//   deno run -A bench/policy.ts
// Run it on an idle machine.
import { explain } from "../lib/keynote/explain.ts";
import { parseAssertions } from "../lib/keynote/parse.ts";
import { addLocal, AssertionSet, query } from "../lib/keynote/query.ts";
import { parseCertificate } from "../lib/x509/certificate.ts";
import { validatePath } from "../lib/x509/path.ts";
import { certificate, crl, derOf, trust } from "../tests/x509/fixtures.ts";

const RUNS = 5;
const RUN_MS = 200;

/** Median calls a second. */
function perSecond(work: () => void): number {
  const runs = Array.from({ length: RUNS }, () => {
    const end = performance.now() + RUN_MS;
    let count = 0;
    const start = performance.now();
    while (performance.now() < end) {
      for (let i = 0; i < 10; i++) work();
      count += 10;
    }
    return count / (performance.now() - start) * 1000;
  });
  return runs.sort((a, b) => a - b)[RUNS >> 1];
}

const show = (name: string, value: number, unit: string) =>
  console.log(`${name.padEnd(64)} ${Math.round(value).toLocaleString("en").padStart(10)} ${unit}`);

const CONDITIONS = `app_domain == "IPsec policy" && esp_present == "yes" && esp_enc_alg != "null" &&
            remote_id_type == "User FQDN" && remote_id ~= "^.*@mysite\\\\.se$" -> "true";`;

/** Shapes of a policy for many users; each gives the text of user `i`'s assertion. */
const SHAPES: Record<string, { head: string; user(i: number): string; requester(i: number): string }> = {
  "users licensed one by one by POLICY": {
    head: "",
    user: (i) => `Authorizer: "POLICY"\nLicensees: "DN:/C=SE/O=MySite/CN=user${i}"\nConditions: ${CONDITIONS}\n`,
    requester: (i) => `DN:/C=SE/O=MySite/CN=user${i}`,
  },
  "POLICY licenses a CA, the CA each user": {
    head: `Authorizer: "POLICY"\nLicensees: "DN:/C=SE/O=MySite/CN=CA"\nConditions: ${CONDITIONS}\n\n`,
    user: (i) =>
      `Authorizer: "DN:/C=SE/O=MySite/CN=CA"\nLicensees: "DN:/C=SE/O=MySite/CN=user${i}"\n` +
      'Conditions: GMTTimeOfDay >= "20000101000000" && GMTTimeOfDay <= "20991231235959";\n',
    requester: (i) => `DN:/C=SE/O=MySite/CN=user${i}`,
  },
};

const attributes = new Map([
  ["app_domain", "IPsec policy"],
  ["esp_present", "yes"],
  ["esp_enc_alg", "3des"],
  ["remote_id_type", "User FQDN"],
  ["remote_id", "joe@mysite.se"],
  ["GMTTimeOfDay", "20300101000000"],
]);

for (const [shape, { head, user, requester }] of Object.entries(SHAPES)) {
  for (const count of [10, 1_000, 100_000]) {
    const text = head + Array.from({ length: count }, (_, i) => user(i)).join("\n");
    const start = performance.now();
    const { assertions } = parseAssertions(text, "bench");
    const set = new AssertionSet();
    addLocal(set, assertions);
    const loadMs = performance.now() - start;
    let next = 0;
    const question = (who: string) => ({ requesters: [who], attributes, values: ["false", "true"] });
    const ask = (who: string, expected: string) => {
      const { value } = query([set], question(who));
      if (value !== expected) throw new Error(`${who}: ${value}`);
    };
    console.log(`${shape}, ${count.toLocaleString("en")} users (read in ${loadMs.toFixed(0)} ms)`);
    show("  accepted", perSecond(() => ask(requester(next++ % count), "true")), "queries/s");
    show("  refused", perSecond(() => ask("DN:/CN=stranger", "false")), "queries/s");
    const refused = question("DN:/CN=stranger");
    show("  refused and explained", perSecond(() => void explain([set], refused, query([set], refused))), "queries/s");
  }
}

console.log("certificates (RSA 2048)");
const [gw, under] = [certificate("gw"), certificate("under-inter")];
const [alone, deep, listed] = [
  trust(["ca"]),
  trust(["ca"], ["inter"]),
  trust(["ca"], [], { revocationLists: [crl("ca")] }),
];
const der = derOf("gw");
const accept = (ok: boolean) => {
  if (!ok) throw new Error("a good certificate was refused");
};
show("  decoded", perSecond(() => void parseCertificate(der)), "/s");
show("  path of two verified", perSecond(() => accept(validatePath(gw, alone).ok)), "/s");
show("  path of three verified", perSecond(() => accept(validatePath(under, deep).ok)), "/s");
show("  path of two verified, with a CRL", perSecond(() => accept(validatePath(gw, listed).ok)), "/s");
show(
  "  decoded and verified, path of two",
  perSecond(() => accept(validatePath(parseCertificate(der), alone).ok)),
  "/s",
);
