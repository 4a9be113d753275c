/** Where a Worker's module lies, in the source tree and in the bundled program. @module */

/**
 * The URL of a Worker module.
 *
 * @param path from the repository's root, without extension, such as `lib/daemon/packet_worker`
 */
export function workerUrl(path: string): URL {
  const here = import.meta.url;
  // Bundled, all shared code lies beside main.js and the Workers keep their folders below it.
  return here.endsWith(".ts") ? new URL(`../../${path}.ts`, here) : new URL(`./${path}.js`, here);
}
