import { realpathSync } from "node:fs";

// Where systems put a link to the node of the day; the file behind it may carry a version in its name.
const USUAL = ["/usr/bin/node", "/usr/local/bin/node", "/opt/homebrew/bin/node"];

/** The path of this node that outlives an update: a usual place that leads to it, else where it is. */
export function stableNode(node: string = process.execPath): string {
  const real = realpath(node);
  return USUAL.find((path) => realpath(path) === real) ?? node;
}

function realpath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined; // there is none
  }
}

const PASSING = /\/(?:_npx|\.npm|tmp)\//;
const VERSIONED = /\/(?:\.?nvm|\.?fnm|fnm_multishells|\.?volta|\.?asdf|mise|Cellar|\.?n)\//;

/** What will become of a path that a crontab is going to name; undefined: nothing in particular. */
export function passingPlace(path: string): string | undefined {
  if (PASSING.test(path)) return "is in a folder that is emptied at times: install memq in the project";
  return VERSIONED.test(path) ? "belongs to one version: install the line again after an update" : undefined;
}
