// keynote(1) and "policy test", as a user calls them.
import { assertEquals, assertMatch } from "@std/assert";
import { type Outcome, runHere } from "./run.ts";

const VECTORS = new URL("../vectors/", import.meta.url).pathname;

/** A folder with these files, and a way to run in it: words that begin with "@" are files of it. */
async function inFolder(
  files: Record<string, string>,
  body: (run: (...words: string[]) => Promise<Outcome>, folder: string) => Promise<void>,
): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "ipsecbox-keynote-" });
  try {
    for (const [name, text] of Object.entries(files)) {
      Deno.writeTextFileSync(`${folder}/${name}`, text, { mode: 0o600 });
    }
    await body((...words) => runHere(words.map((word) => word.replace(/^@/, `${folder}/`))), folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

for (
  const [kind, algorithms] of [
    ["rsa-hex:", ["sig-rsa-sha1-hex:", "sig-rsa-md5-base64:", "sig-x509-sha256-hex:"]],
    ["rsa-base64:", ["sig-rsa-sha256-base64:"]],
    ["dsa-base64:", ["sig-dsa-sha1-hex:"]],
  ] as const
) {
  Deno.test(`keynote keygen, sign, sigver and verify work together with ${kind}`, async () => {
    await inFolder({}, async (run, folder) => {
      assertEquals(await run("keynote", "keygen", kind, "1024", "@pub", "@priv"), { status: 0, out: "", err: "" });
      assertEquals(Deno.statSync(`${folder}/priv`).mode! & 0o777, 0o600);
      const key = Deno.readTextFileSync(`${folder}/pub`);
      for (const line of key.trimEnd().split("\n")) assertMatch(line, /^ {12}\S{1,50}$/);
      const assertion =
        `KeyNote-Version: 2\nLocal-Constants: KEY=\n${key}Authorizer: KEY\nLicensees: "alice" && "bob"\n` +
        `Conditions: dollars == "5" -> "yes";\n`;
      for (const algorithm of algorithms) {
        Deno.writeTextFileSync(`${folder}/a`, `${assertion}Signature:\n`);
        const { status, out, err } = await run("keynote", "sign", "-v", algorithm, "@a", "@priv", "4", "70");
        assertEquals([status, err], [0, ""]);
        assertMatch(out, new RegExp(`^    "${algorithm}`));
        Deno.writeTextFileSync(`${folder}/signed`, `${assertion}Signature:\n${out}`);
        assertEquals((await run("keynote", "sigver", "@signed")).out, "Signature verified.\n");
        Deno.writeTextFileSync(`${folder}/forged`, `${assertion.replace("5", "6")}Signature:\n${out}`);
        const forged = await run("keynote", "sigver", "@forged");
        assertEquals([forged.status, forged.out], [
          1,
          "Signature did not verify: its signature is not its Authorizer's.\n",
        ]);
        Deno.writeTextFileSync(`${folder}/policy`, `Authorizer: "POLICY"\nLicensees:\n${key}`);
        Deno.writeTextFileSync(`${folder}/env`, '# attributes\ndollars = "\\065" # five\nweird = wo\\rd\n');
        Deno.writeTextFileSync(`${folder}/alice`, "alice\n");
        Deno.writeTextFileSync(`${folder}/bob`, '"bo\\\n   b"\n');
        const common = ["-r", "no,yes", "-e", "@env", "-l", "@policy", "-k", "@alice"];
        assertEquals((await run("keynote", "verify", ...common, "-k", "@bob", "@signed")).out, "Query result = yes\n");
        assertEquals((await run("keynote", "verify", ...common, "@signed")).out, "Query result = no\n");
        const refused = await run("keynote", "verify", ...common, "-k", "@bob", "@forged");
        assertMatch(refused.out, /^Query result = no\n.*forged:1:1: credential refused: its signature is not/);
      }
    });
  });
}

Deno.test("keynote keygen prints both keys with a line between, and adds a missing colon", async () => {
  const { status, out, err } = await runHere(["keynote", "keygen", "rsa-hex", "1024", "-", "-", "0", "80"]);
  assertEquals(status, 0);
  assertMatch(out, /^"rsa-hex:3081[0-9a-f\\\n]+"\n={27}\n"private-rsa-hex:30[0-9a-f\\\n]+"\n$/);
  assertEquals(err, 'keynote: "rsa-hex" should end with a colon, taken as "rsa-hex:"\n');
});

Deno.test("keynote sigver judges every assertion of a file", async () => {
  const good = Deno.readTextFileSync(`${VECTORS}keynote/rsa-sha1-openbsd.kn`);
  await inFolder(
    { many: `${good}\n${good.replace("alice", "alica")}\nAuthorizer: "x"\n\nnonsense\n` },
    async (run, folder) => {
      const { status, out } = await run("keynote", "sigver", "@many");
      assertEquals(status, 1);
      assertEquals(out.replaceAll(`${folder}/`, "").split("\n"), [
        'many:15:1: "nonsense" is no field; fields are keynote-version, local-constants, authorizer, licensees, conditions, ' +
        "comment, signature",
        "many:1: Signature verified.",
        "many:7: Signature did not verify: its signature is not its Authorizer's.",
        "many:13: Signature did not verify: it has no Signature field.",
        "",
      ]);
    },
  );
});

Deno.test("keynote explain says what decided and what would have had to differ", async () => {
  const policy = `KeyNote-Version: 2
Authorizer: "POLICY"
Licensees: "staff"
Conditions: app == "door" && (@hour >= 8 && @hour < 18 || role == "guard") -> {
               level == "1" -> "open";
               true -> "ask";
            };

Authorizer: "POLICY"
Licensees: "owner"

Authorizer: "staff"
Licensees: "alice"
`;
  const files = {
    policy,
    alice: "alice",
    eve: "eve",
    day: 'app = "door"\nhour = 9\nlevel = 1\n',
    night: 'app = "door"\nhour = 3\n',
  };
  await inFolder(files, async (run, folder) => {
    const ask = async (who: string, when: string) => {
      const words = ["-r", "stay,ask,open", "-e", `@${when}`, "-l", "@policy", "-k", `@${who}`];
      return (await run("keynote", "explain", ...words)).out.replaceAll(`${folder}/`, "").trimEnd().split("\n");
    };
    assertEquals(await ask("alice", "day"), [
      "Query result = open",
      'policy:1: "POLICY" gives "open"; line 5: level == "1" -> "open"',
      'policy:12: "staff" gives "open"; it has no conditions',
    ]);
    assertEquals(await ask("alice", "night"), [
      "Query result = stay",
      'policy:1: @hour >= 8 should be true (hour is "3"), or role == "guard" should be true (role is "")',
      'policy:9: licenses "owner", and the requesters have no authority from them',
    ]);
    assertEquals(await ask("eve", "day"), [
      "Query result = stay",
      'policy:1: licenses "staff", and the requesters have no authority from them',
      'policy:9: licenses "owner", and the requesters have no authority from them',
    ]);
  });
});

Deno.test("keynote says what is wrong with its arguments and files", async () => {
  const key = `${VECTORS}keynote/rsa.pem`;
  await inFolder({
    a: 'Authorizer: "x"\nSignature:\n',
    b: 'Authorizer: "x"\n',
    c: "rubbish\n",
    env: "1 + 1\n",
    under: '_MAX_TRUST = "x"\n',
    more: 'x = "1" y = "2"\n',
    k: '"x" "y"',
    empty: "",
  }, async (run) => {
    const cases: [string[], RegExp][] = [
      [["keygen", "rsa-hex:"], /keygen takes four to six arguments/],
      [["keygen", "rsa-oct:", "1024", "-", "-"], /no key algorithm "rsa-oct:", allowed rsa-hex:/],
      [["keygen", "rsa-hex:", "many", "-", "-"], /a key size is a number of bits, not "many"/],
      [["keygen", "dsa-hex:", "100", "-", "-"], /key size: a DSA key has 512 to 3072 bits, in steps of 64, not 100/],
      [["keygen", "rsa-hex:", "1024", "@new", "@new"], /new: one file cannot be two/],
      [["keygen", "rsa-hex:", "1024", "-", "-", "x"], /print-offset: a number/],
      [["keygen", "rsa-hex:", "1024", "-", "-", "0", "10"], /print-length: 10 is too short/],
      [["keygen", "rsa-hex:", "1024", "/nonexistent/x", "-"], /\/nonexistent\/x: /],
      [
        ["sign", "sig-rsa-sha-hex:", "@a", key],
        /no signature algorithm "sig-rsa-sha-hex:"; did you mean "sig-rsa-sha1-hex:"/,
      ],
      [["sign", "sig-rsa-sha1-hex:", "@a", key], /a: its Authorizer "x" is no key that can sign/],
      [["sign", "sig-rsa-sha1-hex:", "@b", key], /b: it has no Signature field; put an empty/],
      [["sign", "sig-rsa-sha1-hex:", "@c", key], /c:1:1: "rubbish" is no field/],
      [["sign", "sig-rsa-sha1-hex:", "@a", "@c"], /private key: it is neither PEM nor/],
      [["sign", "sig-rsa-sha1-hex:", "@none", key], /none: it does not exist/],
      [["sigver", "@a", "@b"], /sigver takes one file/],
      [["verify", "-r", "a,b"], /-e: an environment is needed/],
      [["verify", "-e", "@a"], /-r: the compliance values are missing/],
      [["verify", "-z"], /unknown option -z/],
      [["verify", "-r", "a,b", "-e", "@env", "-l", "@b", "-k", "@c"], /env:1: name = "value" is needed/],
      [["verify", "-r", "a,b", "-e", "@under", "-l", "@b", "-k", "@c"], /under:1: "_MAX_TRUST": names that begin/],
      [
        ["verify", "-r", "a,b", "-e", "@more", "-l", "@b", "-k", "@c"],
        /more:1: the line goes on after the value of "x"/,
      ],
      [["verify", "-r", "a,b", "-e", "/dev/null", "-l", "@b", "-k", "@k"], /k: one string is needed, more follows/],
      [["verify", "-r", "a,,b", "-e", "/dev/null", "-l", "@b", "-k", "@c"], /-r: a value of "a,,b" is empty/],
      [["verify", "-r", "a,b,a", "-e", "/dev/null", "-l", "@b", "-k", "@c"], /-r: "a" stands twice in "a,b,a"/],
      [["verify", "-r", "a,b", "-e", "/dev/null", "-l", "@empty", "-k", "@c"], /empty: no assertion in it/],
      [["verfy"], /no action "verfy"; did you mean "verify"/],
    ];
    for (const [words, message] of cases) {
      const { status, err } = await run("keynote", ...words);
      assertEquals(status, 1, words.join(" "));
      assertMatch(err, message);
      assertEquals(err.includes("\n    at "), false);
    }
    assertEquals((await run("keynote", "verify", "-h")).status, 0);
    assertEquals((await run("keynote", "verify")).status, 1);
  });
});

Deno.test("policy test answers as isakmpd would", async () => {
  const policy = `Authorizer: "POLICY"
Licensees: "passphrase:mekmitasdigoat" || "DN:/C=SE/O=MySite/CN=MySite CA" || "joe"
Conditions: app_domain == "IPsec policy" && esp_present == "yes" && esp_enc_alg != "null" -> "true";
`;
  await inFolder(
    { policy, psk: "mekmitasdigoat\n", broken: `${policy}\nnonsense\n`, empty: "" },
    async (run, folder) => {
      const esp = ["esp_present=yes", "esp_enc_alg=3des"];
      const [gw, ca] = ["gw", "ca"].map((name) => `${VECTORS}x509/${name}.crt`);
      assertEquals((await run("policy", "test", "-k", "joe", "@policy", ...esp)).out.split("\n")[0], "true");
      assertEquals((await run("policy", "test", "-s", "@psk", "@policy", ...esp)).status, 0);
      assertEquals((await run("policy", "test", "-x", gw, "-a", ca, "@policy", ...esp)).status, 0);
      assertEquals((await run("policy", "test", "-x", gw, "@policy", ...esp)).status, 1); // nobody vouches for it
      const none = await run("policy", "test", "-k", "joe", "@policy", "esp_present=yes", "esp_enc_alg=null");
      assertEquals(none.status, 1);
      assertMatch(none.out, /^false\n.*policy:1: esp_enc_alg != "null" should be true \(esp_enc_alg is "null"\)\n/);
      assertMatch(
        (await run("policy", "test", "-k", "joe", "@broken", ...esp)).err,
        /broken:5:1: "nonsense" is no field/,
      );
      assertMatch(
        (await run("policy", "test", "-k", "joe", "@empty", ...esp)).err,
        /empty: no assertion in it counts\n$/,
      );
      const cases: [string[], RegExp][] = [
        [["@policy", "esp_presnt=yes"], /no attribute "esp_presnt"; did you mean "esp_present"/],
        [["@policy", "esp_present"], /"esp_present": an attribute is NAME=VALUE/],
        [["-k", "rsa-hex:00", "@policy"], /-k: principal "rsa-hex:..."/],
        [["-x", "@policy", "@policy"], /policy: no PEM block CERTIFICATE/],
        [["-x", `${VECTORS}x509/under-stranger.crt`, "-a", ca, "@policy"], /its issuer .* is not known here/],
        [["@policy", "zzzzzz=1"], /no attribute "zzzzzz" \("ipsecbox help policy" lists them\)/],
        [["-k", "", "@policy"], /-k: its argument is empty/],
        [["@none"], /cannot read the policy file .*none: it does not exist/],
        [[], /the policy file is missing/],
      ];
      for (const [words, message] of cases) {
        const { status, err } = await run("policy", "test", ...words);
        assertEquals(status, 2, words.join(" "));
        assertMatch(err, message);
      }
      Deno.chmodSync(`${folder}/policy`, 0o644);
      assertMatch((await run("policy", "test", "-k", "joe", "@policy")).err, /mode 0644 lets others at it/);
    },
  );
});
