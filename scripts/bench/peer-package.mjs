import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** Of a package in the peers' folder, what it exports. @param {string} folder @param {string} name @returns {Promise<unknown>} */
export async function loadPeer(folder, name) {
  const file = createRequire(join(folder, "package.json")).resolve(name);
  /** @type {unknown} */
  const exported = await import(pathToFileURL(file).href);
  return /** @type {{ default?: unknown }} */ (exported).default ?? exported;
}
