import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { cruise, type ICruiseResult } from "dependency-cruiser";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import rules from "../.dependency-cruiser.js";

// Raise it as src grows: a cruise that sees next to nothing finds nothing wrong either.
const LEAST_MODULES = 100;

const root = dirname(import.meta.dirname);
const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" });

async function cruiseIn(baseDir: string): Promise<ICruiseResult> {
  const { options, ...ruleSet } = rules;
  const { output } = await cruise(["src"], { ...options, baseDir, validate: true, ruleSet });
  if (typeof output === "string") throw new Error("dependency-cruiser answered with a text");
  return output;
}

const violationsOf = (result: ICruiseResult): string[] =>
  result.summary.violations.map(({ from, to, rule }) => `${rule.name}: ${from} -> ${to}`).sort();

describe("src", () => {
  let result: ICruiseResult;
  beforeAll(async () => {
    result = await cruiseIn(root);
  }, 60_000);

  test("imports run one way, without cycles", () => {
    expect(violationsOf(result)).toEqual([]);
  });

  test("every source file was looked at", () => {
    const seen = result.modules.map(({ source }) => source);
    const there = sources.filter((path) => path.endsWith(".ts")).map((path) => `src/${path}`);
    expect(there.filter((path) => !seen.includes(path))).toEqual([]);
    expect(there.length).toBeGreaterThanOrEqual(LEAST_MODULES);
  });

  test("imports between source files were seen", () => {
    const imports = result.modules
      .filter(({ source }) => source.startsWith("src/"))
      .flatMap(({ dependencies }) => dependencies.filter(({ resolved }) => resolved.startsWith("src/")));
    expect(imports.length).toBeGreaterThan(LEAST_MODULES);
  });

  test("no file or folder is named after what does not belong together", () => {
    const vague = /(^|[/-])(utils?|helpers?|common|types|misc|shared|base)([/.-]|$)/;
    expect(sources.filter((path) => vague.test(path))).toEqual([]);
  });
});

describe("the rules", () => {
  const folder = mkdtempSync(join(tmpdir(), "memq-architecture-"));
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  // Each file with what it imports; the violations expected stand beside it.
  const files: Record<string, string[]> = {
    "errors.ts": [],
    "task/task.ts": ["../errors.ts", "node:fs"], // pure
    "ports/broker.ts": ["../task/task.ts"],
    "publish/publisher.ts": ["../ports/broker.ts", "../run/batch.ts"], // the other half
    "run/batch.ts": ["../ports/broker.ts", "../adapters/memory/broker.ts"], // names an adapter
    "run/one.ts": ["./two.ts"], // a cycle, of types only
    "run/two.ts": ["./one.ts"],
    "adapters/memory/broker.ts": ["../../ports/broker.ts"],
    "adapters/embedded/broker.ts": ["../memory/broker.ts", "../../publish/publisher.ts"], // another adapter, the core
    "brokers.ts": ["./adapters/memory/broker.ts", "./adapters/embedded/broker.ts"],
    "memq.ts": ["./brokers.ts", "./adapters/memory/broker.ts"],
    "index.ts": ["./memq.ts", "./adapters/memory/broker.ts"], // names an adapter
    "cli/runjobs.ts": ["../memq.ts", "../adapters/memory/broker.ts", "./gone.ts"], // past memq.ts; not there
    "elsewhere/door.ts": ["../memq.ts"], // a folder without a place
  };

  test("find every import that runs the other way", async () => {
    for (const [path, imports] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, "src", path)), { recursive: true });
      const lines = imports.map((from) => `import type {} from "${from}";`);
      writeFileSync(join(folder, "src", path), `${lines.join("\n")}\nexport {};\n`);
    }
    writeFileSync(join(folder, "tsconfig.json"), "{}");
    expect(violationsOf(await cruiseIn(folder))).toEqual([
      "no-cycles: src/run/one.ts -> src/run/two.ts",
      "not-in-allowed: src/adapters/embedded/broker.ts -> src/adapters/memory/broker.ts",
      "not-in-allowed: src/adapters/embedded/broker.ts -> src/publish/publisher.ts",
      "not-in-allowed: src/cli/runjobs.ts -> ./gone.ts",
      "not-in-allowed: src/cli/runjobs.ts -> src/adapters/memory/broker.ts",
      "not-in-allowed: src/elsewhere/door.ts -> src/memq.ts",
      "not-in-allowed: src/index.ts -> src/adapters/memory/broker.ts",
      "not-in-allowed: src/publish/publisher.ts -> src/run/batch.ts",
      "not-in-allowed: src/run/batch.ts -> src/adapters/memory/broker.ts",
      "not-in-allowed: src/task/task.ts -> fs",
      "resolvable: src/cli/runjobs.ts -> ./gone.ts",
    ]);
  }, 60_000);
});
