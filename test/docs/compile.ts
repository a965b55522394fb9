import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import ts from "typescript";
import type { Block } from "./blocks.ts";

const root = dirname(dirname(import.meta.dirname));

const OPTIONS: ts.CompilerOptions = {
  strict: true,
  noEmit: true,
  module: ts.ModuleKind.NodeNext,
  target: ts.ScriptTarget.ES2023,
  types: ["node"],
  skipLibCheck: true, // test/package.test.ts reads them
};

/** Compiles each block as a module of a project that has memq. @returns the faults, with lines of the document */
export function compile(blocks: readonly Block[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), "memq-docs-"));
  try {
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(root, join(folder, "node_modules", "memq"));
    for (const name of ["@types", "undici-types"]) {
      symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name));
    }
    writeFileSync(join(folder, "package.json"), `{ "type": "module" }`);
    const files = blocks.map(({ line, text }) => {
      const path = join(folder, `line-${String(line)}.ts`);
      writeFileSync(path, `${text}export {};\n`);
      return { path, line };
    });
    const program = ts.createProgram(
      files.map(({ path }) => path),
      { ...OPTIONS, typeRoots: [join(folder, "node_modules", "@types")] },
    );
    return files.flatMap(({ path, line }) =>
      ts.getPreEmitDiagnostics(program, program.getSourceFile(path)).map((fault) => {
        const at = fault.file?.getLineAndCharacterOfPosition(fault.start ?? 0).line ?? 0;
        return `line ${String(line + 1 + at)}: ${ts.flattenDiagnosticMessageText(fault.messageText, "\n")}`;
      }),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
