/** The bill of materials: what of others is in the single file. @module */
/** The part of deno.lock that names packages. */
export interface Lock {
  readonly npm?: Readonly<Record<string, { readonly integrity?: string; readonly dependencies?: readonly string[] }>>;
}

export interface SbomOptions {
  readonly version: string;
  readonly denoVersion: string;
  /** Seconds since 1970. */
  readonly epoch: number;
}

/** A package's URL: the @ of a scope is percent-encoded. */
const npmUrl = (name: string, version: string) => `pkg:npm/${name.replace(/^@/, "%40")}@${version}`;

/** Splits `@scope/name@1.2.3`; what follows `_` (peers) is no part of the version. */
function nameAndVersion(key: string): [name: string, version: string] {
  const at = key.lastIndexOf("@");
  return [key.slice(0, at), key.slice(at + 1).replace(/_.*$/, "")];
}

/** CycloneDX 1.5 from a lock file: the same lock gives the same text. */
export function sbom(lock: Lock, { version, denoVersion, epoch }: SbomOptions): string {
  const packages = Object.entries(lock.npm ?? {}).sort(([a], [b]) => a < b ? -1 : 1);
  const references = new Map(packages.map(([key]) => [nameAndVersion(key)[0], npmUrl(...nameAndVersion(key))]));
  const root = `pkg:generic/ipsecbox@${version}`;
  const deno = `pkg:github/denoland/deno@v${denoVersion}`;
  const components = packages.map(([key, { integrity }]) => {
    const [name, version] = nameAndVersion(key);
    const [, algorithm, base64] = integrity?.match(/^sha(\d+)-(.+)$/) ?? [];
    return {
      type: "library",
      "bom-ref": npmUrl(name, version),
      name,
      version,
      purl: npmUrl(name, version),
      ...(base64 && {
        hashes: [{ alg: `SHA-${algorithm}`, content: Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)).toHex() }],
      }),
    };
  });
  const needed = packages.flatMap(([, { dependencies }]) => dependencies ?? []);
  const direct = packages.map(([key]) => nameAndVersion(key)[0]).filter((name) => !needed.includes(name));
  const body = {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    version: 1,
    metadata: {
      timestamp: new Date(epoch * 1000).toISOString(),
      component: {
        type: "application",
        "bom-ref": root,
        name: "ipsecbox",
        version,
        licenses: [{ license: { id: "ISC" } }],
      },
    },
    components: [
      { type: "platform", "bom-ref": deno, name: "deno", version: denoVersion, purl: deno },
      ...components,
    ],
    dependencies: [
      { ref: root, dependsOn: [deno, ...direct.map((name) => references.get(name)!)] },
      ...packages.map(([key, { dependencies }]) => ({
        ref: npmUrl(...nameAndVersion(key)),
        dependsOn: (dependencies ?? []).map((name) => references.get(name) ?? references.get(nameAndVersion(name)[0]))
          .filter((one) => one !== undefined),
      })),
    ],
  };
  return `${JSON.stringify(body, null, 2)}\n`;
}
