/**
 * OpenSSL 3's libcrypto, opened on first use. Calls of the packet path take contexts and addresses as usize (the latter
 * as `arena.base + BigInt(at | 0)`, written inline in the call), which Deno compiles to a direct call without
 * allocation; a "pointer" that is no constant of the program would cost 40 octets of heap a call.
 *
 * @module
 */

const POINTER = "pointer", ADDRESS = "usize", BUFFER = "buffer", INT = "i32", U32 = "u32", SIZE = "usize";

// Builds of libcrypto without its deprecated functions lack these.
const HASH_INIT = { parameters: [ADDRESS], result: INT, optional: true } as const;
const HASH_UPDATE = { parameters: [ADDRESS, ADDRESS, SIZE], result: INT, optional: true } as const;
const HASH_FINAL = { parameters: [ADDRESS, ADDRESS], result: INT, optional: true } as const;

const SYMBOLS = {
  // const char *OpenSSL_version(int which)
  OpenSSL_version: { parameters: [INT], result: POINTER },
  // int OPENSSL_init_crypto(uint64_t options, const OPENSSL_INIT_SETTINGS *)
  OPENSSL_init_crypto: { parameters: ["u64", POINTER], result: INT },
  // OSSL_LIB_CTX *OSSL_LIB_CTX_new(void)
  OSSL_LIB_CTX_new: { parameters: [], result: POINTER },
  // OSSL_PROVIDER *OSSL_PROVIDER_load(OSSL_LIB_CTX *, const char *name)
  OSSL_PROVIDER_load: { parameters: [POINTER, BUFFER], result: POINTER },
  // void ERR_clear_error(void)
  ERR_clear_error: { parameters: [], result: "void" },

  // EVP_CIPHER *EVP_CIPHER_fetch(OSSL_LIB_CTX *, const char *algorithm, const char *properties)
  EVP_CIPHER_fetch: { parameters: [POINTER, BUFFER, POINTER], result: POINTER },
  // EVP_CIPHER_CTX *EVP_CIPHER_CTX_new(void)
  EVP_CIPHER_CTX_new: { parameters: [], result: ADDRESS },
  // void EVP_CIPHER_CTX_free(EVP_CIPHER_CTX *)
  EVP_CIPHER_CTX_free: { parameters: [ADDRESS], result: "void" },
  // int EVP_CIPHER_CTX_set_key_length(EVP_CIPHER_CTX *, int octets)
  EVP_CIPHER_CTX_set_key_length: { parameters: [ADDRESS, INT], result: INT },
  // int EVP_CIPHER_CTX_get_params(EVP_CIPHER_CTX *, OSSL_PARAM[])
  EVP_CIPHER_CTX_get_params: { parameters: [ADDRESS, ADDRESS], result: INT },
  // int EVP_CIPHER_CTX_set_params(EVP_CIPHER_CTX *, const OSSL_PARAM[])
  EVP_CIPHER_CTX_set_params: { parameters: [ADDRESS, ADDRESS], result: INT },
  // int EVP_CipherInit_ex2(EVP_CIPHER_CTX *, const EVP_CIPHER *, key, iv, int encrypt, const OSSL_PARAM[]), to set the key
  EVP_CipherInit_ex2: { parameters: [ADDRESS, POINTER, BUFFER, POINTER, INT, POINTER], result: INT },
  // int EVP_EncryptInit_ex2(EVP_CIPHER_CTX *, const EVP_CIPHER *, key, iv, const OSSL_PARAM[]), to set the IV
  EVP_EncryptInit_ex2: { parameters: [ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS], result: INT },
  EVP_DecryptInit_ex2: { parameters: [ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS], result: INT },
  // int EVP_EncryptUpdate(EVP_CIPHER_CTX *, out, int *outOctets, in, int inOctets)
  EVP_EncryptUpdate: { parameters: [ADDRESS, ADDRESS, ADDRESS, ADDRESS, INT], result: INT },
  EVP_DecryptUpdate: { parameters: [ADDRESS, ADDRESS, ADDRESS, ADDRESS, INT], result: INT },
  // int EVP_EncryptFinal_ex(EVP_CIPHER_CTX *, out, int *outOctets)
  EVP_EncryptFinal_ex: { parameters: [ADDRESS, ADDRESS, ADDRESS], result: INT },
  EVP_DecryptFinal_ex: { parameters: [ADDRESS, ADDRESS, ADDRESS], result: INT },
  // int EVP_Cipher(EVP_CIPHER_CTX *, out, in, unsigned octets)
  EVP_Cipher: { parameters: [ADDRESS, ADDRESS, ADDRESS, U32], result: INT },

  // int SHA1_Init(SHA_CTX *); the same for the others. Their state is plain memory: what is copied can be gone on from.
  MD5_Init: HASH_INIT,
  SHA1_Init: HASH_INIT,
  SHA256_Init: HASH_INIT,
  SHA384_Init: HASH_INIT,
  SHA512_Init: HASH_INIT,
  RIPEMD160_Init: HASH_INIT,
  // int SHA1_Update(SHA_CTX *, data, size_t octets)
  MD5_Update: HASH_UPDATE,
  SHA1_Update: HASH_UPDATE,
  SHA256_Update: HASH_UPDATE,
  SHA512_Update: HASH_UPDATE,
  RIPEMD160_Update: HASH_UPDATE,
  // int SHA1_Final(out, SHA_CTX *)
  MD5_Final: HASH_FINAL,
  SHA1_Final: HASH_FINAL,
  SHA256_Final: HASH_FINAL,
  SHA512_Final: HASH_FINAL,
  RIPEMD160_Final: HASH_FINAL,

  // unsigned char *EVP_Q_mac(OSSL_LIB_CTX *, const char *name, const char *properties, const char *algorithm,
  //   const OSSL_PARAM *, key, size_t keyOctets, data, size_t octets, out, size_t outSize, size_t *outOctets)
  EVP_Q_mac: {
    parameters: [POINTER, BUFFER, POINTER, BUFFER, POINTER, BUFFER, SIZE, BUFFER, SIZE, BUFFER, SIZE, BUFFER],
    result: POINTER,
  },
  // int EVP_Q_digest(OSSL_LIB_CTX *, const char *name, const char *properties, data, size_t octets, out, size_t *outOctets)
  EVP_Q_digest: { parameters: [POINTER, BUFFER, POINTER, BUFFER, SIZE, BUFFER, BUFFER], result: INT },

  // BN_CTX *BN_CTX_new(void)
  BN_CTX_new: { parameters: [], result: POINTER },
  // void BN_CTX_free(BN_CTX *)
  BN_CTX_free: { parameters: [POINTER], result: "void" },
  // BIGNUM *BN_new(void)
  BN_new: { parameters: [], result: POINTER },
  // void BN_clear_free(BIGNUM *)
  BN_clear_free: { parameters: [POINTER], result: "void" },
  // BIGNUM *BN_bin2bn(from, int octets, BIGNUM *)
  BN_bin2bn: { parameters: [BUFFER, INT, POINTER], result: POINTER },
  // int BN_bn2binpad(const BIGNUM *, to, int octets)
  BN_bn2binpad: { parameters: [POINTER, BUFFER, INT], result: INT },
  // int BN_nnmod(BIGNUM *remainder, const BIGNUM *, const BIGNUM *divisor, BN_CTX *)
  BN_nnmod: { parameters: [POINTER, POINTER, POINTER, POINTER], result: INT },
  // int BN_mod_exp_mont_consttime(BIGNUM *result, base, exponent, odd modulus, BN_CTX *, BN_MONT_CTX *)
  BN_mod_exp_mont_consttime: { parameters: [POINTER, POINTER, POINTER, POINTER, POINTER, POINTER], result: INT },
} as const satisfies Deno.ForeignLibraryInterface;

/** An open libcrypto with its own library context, so that no one else's settings are touched. */
export interface Libcrypto {
  readonly symbols: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];
  /** "OpenSSL 3.0.19 27 Jan 2026". */
  readonly version: string;
  /** The name under which it was found. */
  readonly name: string;
  /** The OSSL_LIB_CTX to fetch algorithms from. */
  readonly context: Deno.PointerValue;
  /** Whether the legacy provider (DES, Blowfish, CAST-128) is there. */
  readonly legacy: boolean;
}

/** No clean-up when the process exits: it would free what the thread of a Worker that ends just then frees, too. */
const OPENSSL_INIT_NO_ATEXIT = 0x80000n;

/** Names under which the dynamic linker may know OpenSSL 3. */
export const LIBCRYPTO_NAMES: readonly string[] = ["libcrypto.so.3", "libcrypto.so"];

const encoder = new TextEncoder();
/** `text` with a zero octet, as C wants it. */
export const cString = (text: string): Uint8Array<ArrayBuffer> => encoder.encode(`${text}\0`);

let names: readonly string[] = LIBCRYPTO_NAMES;
/** Not tried yet; open; or why it is not. */
let state: { readonly library: Libcrypto } | { readonly reason: string } | undefined;

/**
 * Sets which libcrypto is used, before its first use; contexts that exist already keep theirs.
 *
 * @param choice false: none; true: under the usual names; or the names (paths) to try, in order
 */
export function configureLibcrypto(choice: boolean | readonly string[]): void {
  names = typeof choice === "boolean" ? LIBCRYPTO_NAMES : choice;
  state = choice === false ? { reason: "it is switched off" } : undefined;
}

/**
 * What the environment variable IPSECBOX_LIBCRYPTO asks for: `off`, nothing or `on`, or the path of a libcrypto.
 * Whoever reads the environment hands the answer to {@linkcode configureLibcrypto}.
 */
export function libcryptoChoice(value: string | undefined): boolean | readonly string[] {
  if (value === "off") return false;
  return value === undefined || value === "" || value === "on" ? true : [value];
}

function open(): { readonly library: Libcrypto } | { readonly reason: string } {
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    return { reason: "this program may not use native libraries (--allow-ffi)" };
  }
  const reasons: string[] = [];
  for (const name of names) {
    try {
      const { symbols } = Deno.dlopen(name, SYMBOLS);
      symbols.OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, null);
      const context = symbols.OSSL_LIB_CTX_new();
      if (symbols.OSSL_PROVIDER_load(context, cString("default")) === null) {
        reasons.push(`${name} has no default provider`);
        continue;
      }
      const legacy = symbols.OSSL_PROVIDER_load(context, cString("legacy")) !== null;
      symbols.ERR_clear_error();
      const version = new Deno.UnsafePointerView(symbols.OpenSSL_version(0)!).getCString();
      return { library: { symbols, version, name, context, legacy } };
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error));
    }
  }
  return { reason: reasons.join("; ") };
}

/** libcrypto, opened at the first call; undefined where it cannot be, {@linkcode libcryptoReason} says why. */
export function loadLibcrypto(): Libcrypto | undefined {
  state ??= open();
  return "library" in state ? state.library : undefined;
}

/** Why {@linkcode loadLibcrypto} gave undefined; undefined when it did not. */
export const libcryptoReason = (): string | undefined => state && "reason" in state ? state.reason : undefined;
