// Each NAME.conf of tests/golden/isakmpd resolves to NAME.txt: its faults, then what it means. Run with UPDATE_GOLDEN=1
// to write the texts anew, and read the difference before believing it.
import { assertEquals } from "@std/assert";
import { formatFault, parseIni } from "../../lib/config/ini.ts";
import { resolveIsakmpdConf } from "../../lib/config/isakmpd_conf.ts";
import { describeIsakmpdConf } from "../../lib/config/isakmpd_describe.ts";

const folder = new URL("./isakmpd/", import.meta.url);
const examples = new URL("../../examples/", import.meta.url);

const files = [
  ...Array.from(Deno.readDirSync(folder), ({ name }) => name)
    .filter((name) => name.endsWith(".conf"))
    .map((name) => ({ name, from: new URL(name, folder) })),
  { name: "VPN-east.conf", from: new URL("isakmpd-east-west/VPN-east.conf", examples) },
  { name: "VPN-west.conf", from: new URL("isakmpd-east-west/VPN-west.conf", examples) },
].toSorted((a, b) => a.name.localeCompare(b.name));

for (const { name, from } of files) {
  Deno.test(`${name} has these faults and this meaning`, () => {
    const { tree, faults } = parseIni(Deno.readTextFileSync(from), name);
    const conf = resolveIsakmpdConf(tree, name, {}, faults);
    const text = [...conf.faults.map((fault) => `${formatFault(fault)}\n`), "\n", describeIsakmpdConf(conf)].join("");
    const golden = new URL(name.replace(/\.conf$/, ".txt"), folder);
    if (Deno.env.get("UPDATE_GOLDEN")) Deno.writeTextFileSync(golden, text);
    assertEquals(text, Deno.readTextFileSync(golden));
  });
}
