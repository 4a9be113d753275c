import { assertEquals } from "@std/assert";
import { predefinedSection } from "../../lib/config/predefined.ts";

const tags = (name: string) => Object.fromEntries(predefinedSection(name) ?? []);

Deno.test("3DES-SHA is the main mode transform of 2000", () => {
  assertEquals(tags("3DES-SHA"), {
    ENCRYPTION_ALGORITHM: "3DES_CBC",
    HASH_ALGORITHM: "SHA",
    AUTHENTICATION_METHOD: "PRE_SHARED",
    GROUP_DESCRIPTION: "MODP_1024",
    Life: "LIFE_MAIN_MODE",
  });
});

Deno.test("the group of a main mode name goes with its hash in 2000 and is MODP_1024 later, unless GRPn names it", () => {
  const group = (name: string) => tags(name).GROUP_DESCRIPTION;
  assertEquals(
    ["DES-MD5", "BLF-MD5", "CAST-SHA", "AES-MD5", "3DES-SHA2-256", "3DES-MD5-GRP5-RSA_SIG", "AES-256-SHA2-512-GRP19"]
      .map(group),
    ["MODP_768", "MODP_768", "MODP_1024", "MODP_1024", "MODP_1024", "MODP_1536", "ECP_256"],
  );
});

Deno.test("the key length of a name is a range, or one length when the name has one", () => {
  assertEquals(
    ["BLF-MD5", "AES-SHA", "AES-192-SHA", "DES-SHA"].map((name) => tags(name).KEY_LENGTH),
    ["128,96:192", "128,128:256", "192,192:192", undefined],
  );
});

Deno.test("a quick mode suite is three sections", () => {
  assertEquals(tags("QM-ESP-3DES-SHA-PFS-SUITE"), { Protocols: "QM-ESP-3DES-SHA-PFS" });
  assertEquals(tags("QM-ESP-3DES-SHA-PFS"), { PROTOCOL_ID: "IPSEC_ESP", Transforms: "QM-ESP-3DES-SHA-PFS-XF" });
  assertEquals(tags("QM-ESP-3DES-SHA-PFS-XF"), {
    TRANSFORM_ID: "3DES",
    ENCAPSULATION_MODE: "TUNNEL",
    AUTHENTICATION_ALGORITHM: "HMAC_SHA",
    GROUP_DESCRIPTION: "MODP_1024",
    Life: "LIFE_QUICK_MODE",
  });
});

Deno.test("AH names have no cipher, TRP is transport mode, PFS without a hash still has a group", () => {
  assertEquals(tags("QM-AH-TRP-RIPEMD-XF"), {
    TRANSFORM_ID: "RIPEMD",
    ENCAPSULATION_MODE: "TRANSPORT",
    AUTHENTICATION_ALGORITHM: "HMAC_RIPEMD",
    Life: "LIFE_QUICK_MODE",
  });
  assertEquals(tags("qm-esp-blf-pfs-xf").GROUP_DESCRIPTION, "MODP_1024");
  assertEquals(tags("QM-ESP-AES-256-SHA2-256-PFS-GRP14-XF").GROUP_DESCRIPTION, "MODP_2048");
  assertEquals(tags("QM-ESP-AESGCM-256-XF").KEY_LENGTH, "256,256:256");
});

Deno.test("names that follow no pattern are not predefined", () => {
  const odd = ["3DES", "SHA-3DES", "3DES-RIPEMD", "NULL-SHA", "3DES-SHA-GRP6", "QM-AH-3DES-SUITE", "QM-AH-SUITE"];
  assertEquals([...odd, "QM-ESP-SUITE", "QM-ESP-3DES-SHA-GRP2-SUITE"].filter(predefinedSection), []);
});
