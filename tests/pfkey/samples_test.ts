// Messages as ipsecadm of 2004 writes them (BSD sockaddrs, extensions in its order, pid 2112): decode, and our form.
import { assertEquals } from "@std/assert";
import { formatHex, parseHex } from "../../lib/octets/hex.ts";
import { describeMessage } from "../../lib/pfkey/describe.ts";
import { readFlow } from "../../lib/pfkey/flow_message.ts";
import { decodeMessage, encodeMessage, errorReply } from "../../lib/pfkey/message.ts";
import { readSa } from "../../lib/pfkey/sa_message.ts";
import { decodeRequest } from "../../lib/pfkey/validate.ts";

const octets = (text: string) => parseHex(text.replaceAll(/\s/g, ""));

const NEW_ESP = octets(`
  0203000211000000 0100000040080000 0200010000001000 0001020300000000 0300060000000000
  10020000c0a87b64 0000000000000000 0300050000000000 10020000c0a87b03 0000000000000000
  04000900c0000000 0123456789abcdef 23456789abcdef01 456789abcdef0123
  0300080080000000 1011121314151617 18191a1b1c1d1e1f`);
const FLOW = octets(`
  020c000216000000 0100000040080000 0300060000000000 100200000a000002 0000000000000000
  0300050000000000 100200000a000001 0000000000000000 0100130000000000 0100140003020100
  0300150000000000 10020000c0a80100 0000000000000000 0300160000000000 10020000c0a80200 0000000000000000
  0300110000000000 10020000ffffff00 0000000000000000 0300120000000000 10020000ffffff00 0000000000000000`);
const GROUP = octets(`
  020e00020d000000 0100000040080000 0200010000001000 0001000000000000 0300060000000000
  10020000c0a87b64 0000000000000000 0200170000002000 0001000000000000 0300180000000000
  10020000c0a87b64 0000000000000000 0100130001000000`);
const FLUSH = octets("0209000002000000 0100000040080000");

Deno.test("the sample of new esp is read as the SA it describes", () => {
  const message = decodeRequest(NEW_ESP);
  assertEquals(
    describeMessage(message),
    `add esp seq 1 pid 2112
\tsa: spi 0x00001000 auth md5 enc 3des state mature replay 0 flags none
\taddress_src: 192.168.123.3
\taddress_dst: 192.168.123.100
\tkey_auth: 128 bits
\tkey_encrypt: 192 bits`,
  );
  const sa = readSa(message.satype, message.extensions);
  assertEquals([sa.encryption, sa.authentication, sa.tunnel, sa.spi], ["3des", "md5", false, 0x1000]);
  assertEquals(formatHex(sa.encryptionKey!), "0123456789abcdef23456789abcdef01456789abcdef0123");
  assertEquals(formatHex(sa.authenticationKey!), "101112131415161718191a1b1c1d1e1f");
});

Deno.test("the sample of flow is read as the flow it describes", () => {
  const message = decodeRequest(FLOW);
  assertEquals(
    describeMessage(message),
    `addflow esp seq 1 pid 2112
\taddress_src: 10.0.0.1
\taddress_dst: 10.0.0.2
\tsrc_mask: 255.255.255.0
\tdst_mask: 255.255.255.0
\tprotocol: any
\tflow_type: require out static
\tsrc_flow: 192.168.1.0
\tdst_flow: 192.168.2.0`,
  );
  const flow = readFlow(message.satype, message.extensions);
  assertEquals([flow.type, flow.selector.direction, flow.static, flow.protocol], ["require", "out", true, 50]);
});

Deno.test("the sample of group names two SAs", () => {
  assertEquals(
    describeMessage(decodeRequest(GROUP)),
    `grpspis esp seq 1 pid 2112
\tsa: spi 0x00001000 auth none enc none state mature replay 0 flags none
\taddress_dst: 192.168.123.100
\tprotocol: 1
\tsa2: spi 0x00002000 auth none enc none state mature replay 0 flags none
\tdst2: 192.168.123.100`,
  );
});

Deno.test("flush is the base header alone, and its refusal the header with an errno", () => {
  assertEquals(encodeMessage(decodeRequest(FLUSH)), FLUSH);
  assertEquals(errorReply(NEW_ESP, "EEXIST"), octets("0203110202000000 0100000040080000"));
});

Deno.test("our form has Linux sockaddrs and ascending extensions, and says the same", () => {
  for (const sample of [NEW_ESP, FLOW, GROUP]) {
    const message = decodeMessage(sample);
    const ours = encodeMessage(message);
    assertEquals(decodeMessage(ours), message);
    assertEquals(encodeMessage(decodeMessage(ours)), ours);
  }
  assertEquals(
    formatHex(encodeMessage(decodeMessage(NEW_ESP)).subarray(32, 56)),
    "0300050000000000" + "02000000c0a87b03" + "0000000000000000",
  );
});
