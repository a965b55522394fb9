import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { isShown, type Block } from "./blocks.ts";

const root = dirname(dirname(import.meta.dirname));
const LIMIT_MS = 60_000; // a reader would not wait longer either
// A block that fails half-way would leave behind what it started last with &, which holds its stdout open.
const LEAVE_NOTHING = "trap 'kill ${!:-} 2>/dev/null || :' EXIT\n";

/** Does what a reader of the document would do, block by block. @returns what went otherwise than the document says */
export function play(blocks: readonly Block[]): string[] {
  const faults: string[] = [];
  const folders: string[] = [];
  let printed = "";
  try {
    for (const block of blocks) {
      if (block.fresh || folders.length === 0) folders.push(makeFolder());
      const folder = folders.at(-1) ?? "";
      if (block.use.kind === "file") write(join(folder, block.use.name), block.text);
      if (block.use.kind === "output" && !isShown(block.text, printed)) {
        faults.push(`line ${String(block.line)}: printed was\n${printed}`);
      }
      if (block.use.kind !== "run") continue;
      const ended = run(block, folder);
      printed = ended.stdout;
      if (ended.status === block.use.exits) continue;
      faults.push(`line ${String(block.line)}: exit ${String(ended.status)}\n${ended.stdout}${ended.stderr}`);
    }
  } finally {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  }
  return faults;
}

/** An empty folder, where memq is installed. */
function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "memq-docs-"));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules", "memq"));
  return folder;
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function run(block: Block, folder: string): { status: number | null; stdout: string; stderr: string } {
  const [command, args] = interpreterOf(block);
  const text = block.language === "sh" ? LEAVE_NOTHING + block.text : block.text;
  return spawnSync(command, [...args, text], {
    cwd: folder,
    encoding: "utf8",
    timeout: LIMIT_MS,
    env: {
      HOME: folder,
      PATH: [join(root, "scripts"), dirname(process.execPath), "/usr/bin", "/bin"].join(delimiter),
    },
  });
}

function interpreterOf(block: Block): [string, string[]] {
  if (block.language === "sh") return ["sh", ["-euc"]];
  if (block.language === "js") return [process.execPath, ["--input-type=module", "--eval"]];
  throw new Error(`line ${String(block.line)}: a block of "${block.language}" cannot be run`);
}
