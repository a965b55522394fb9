import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadConfig } from "../src/config/load.ts";
import { EVENT_SETTINGS, QUEUE_SETTINGS, SCHEDULE_SETTINGS, type Setting } from "../src/config/schema.ts";
import { ERRORS } from "../src/errors.ts";
import { blocksOf, isShown, type Block } from "./docs/blocks.ts";
import { compile } from "./docs/compile.ts";
import { play } from "./docs/play.ts";

// The README's first page publishes, runs and looks at the result; raise it when more is shown.
const LEAST_BLOCKS_RUN = 1;

const root = dirname(import.meta.dirname);
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const documents = [
  ...readdirSync(root).filter((name) => name.endsWith(".md")),
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

const sections: Record<string, Record<string, Setting<unknown>>> = {
  queue: QUEUE_SETTINGS,
  schedule: SCHEDULE_SETTINGS,
  event: EVENT_SETTINGS,
};

const isRun = ({ use }: Block): boolean => use.kind === "run";
const isForgotten = ({ language, use }: Block): boolean =>
  ["sh", "js"].includes(language) && use.kind === "unmarked";
const isDone = ({ use }: Block): boolean =>
  use.kind === "run" || use.kind === "file" || use.kind === "output";

// What each recipe runs, files that it writes aside; a recipe that is new or gone changes this list.
const BLOCKS_RUN = {
  "event-chain.md": 4,
  "mail.md": 4,
  "name.md": 5,
  "order-closing.md": 3,
  "push-fan-out.md": 5,
  "sums.md": 2,
};

describe("docs/recipes", () => {
  const recipes = documents
    .filter((path) => path.startsWith("docs/recipes/") && !path.endsWith("/README.md"))
    .map((path) => ({ name: path.slice("docs/recipes/".length), blocks: blocksOf(read(path)) }));

  test("has these recipes, each with so many blocks that are run", () => {
    const seen = recipes.map(({ name, blocks }) => [name, blocks.filter(isRun).length]);
    expect(Object.fromEntries(seen)).toEqual(BLOCKS_RUN);
  });

  test("each has a config.ini and a handler of its own, and shows what one sees", () => {
    const lacking = recipes.filter(({ blocks }) => {
      const names = blocks.flatMap(({ use }) => (use.kind === "file" ? [use.name] : []));
      const shows = blocks.some(({ use }) => use.kind === "output");
      return !names.includes("config.ini") || !names.some((name) => name.endsWith(".mjs")) || !shows;
    });
    expect(lacking.map(({ name }) => name)).toEqual([]);
  });

  test("no shell or js block of them is without a mark", () => {
    const forgotten = recipes.flatMap(({ name, blocks }) =>
      blocks.filter(isForgotten).map(({ line }) => `${name}, line ${String(line)}`),
    );
    expect(forgotten).toEqual([]);
  });

  test("are all in the table of their README.md", () => {
    const table = read("docs/recipes/README.md");
    expect(recipes.filter(({ name }) => !table.includes(`| [${name}](${name}) |`))).toEqual([]);
  });
});

describe("README.md", () => {
  const blocks = existsSync(join(root, "README.md")) ? blocksOf(read("README.md")) : [];

  test(`has at least ${String(LEAST_BLOCKS_RUN)} blocks that are run`, () => {
    expect(blocks.filter(isRun).length).toBeGreaterThanOrEqual(LEAST_BLOCKS_RUN);
  });

  test("every shell block is run, or says why not", () => {
    expect(blocks.filter(isForgotten).map(({ line, text }) => `line ${String(line)}: ${text}`)).toEqual([]);
  });

  test("its crontab lines are those that memq crontab print prints, but for the paths", () => {
    const shown = blocks.filter(({ language }) => language === "crontab").map(({ text }) => text.trim());
    expect(shown).toEqual([printedLine()]);
  });
});

/** What `memq crontab print` makes of a project, with the paths of this machine taken out. */
function printedLine(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "memq-docs-")));
  try {
    writeFileSync(join(folder, "config.ini"), "");
    const words = [join(root, "scripts/memq"), "crontab", "print", "--quiet"];
    const printed = execFileSync(process.execPath, words, { cwd: folder, encoding: "utf8", stdio: "pipe" });
    const [line = "", ...more] = printed.split("\n").filter((one) => /^[^#]/.test(one));
    expect(more).toEqual([]);
    return line
      .replace(folder, "/path/to/project")
      .replace(join(root, "scripts/runjobs"), "/path/to/runjobs")
      .replace(/&& \S+/, "&& /usr/bin/node");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe.each(documents)("%s", (path) => {
  const blocks = blocksOf(read(path));

  if (blocks.some(isDone)) {
    test("its blocks do what it says", { timeout: 300_000 }, () => {
      expect(play(blocks)).toEqual([]);
    });
  }

  const programs = blocks.filter(({ language }) => language === "ts");
  if (programs.length > 0) {
    test("its ts blocks compile", { timeout: 60_000 }, () => {
      expect(compile(programs)).toEqual([]);
    });
  }

  test("its links to files lead somewhere", () => {
    const links = [...read(path).matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)/g)].map(
      (match) => match[1] ?? "",
    );
    expect(links.filter((link) => !existsSync(join(root, dirname(path), link)))).toEqual([]);
  });
});

// `npx vitest run test/docs.test.ts -u` writes the tables anew.
describe("the tables of", () => {
  test("docs/errors.md are those of src/errors.ts", async () => {
    const rows = Object.entries(ERRORS).map(([code, { exit, what, next }]) => [
      code,
      String(exit),
      what,
      next,
    ]);
    const head = ["code", "exit", "what happened", "what to do next"];
    const document = withTable(read("docs/errors.md"), "errors", [head, ...rows]);
    await expect(document).toMatchFileSnapshot("../docs/errors.md");
  });

  test("docs/config.md are those of src/config/schema.ts", async () => {
    let document = read("docs/config.md");
    for (const [name, settings] of Object.entries(sections)) {
      const rows = Object.entries(settings).map(([key, setting]) => [
        `\`${key}\``,
        defaultOf(setting),
        setting.doc,
      ]);
      document = withTable(document, name, [["key", "default", "meaning"], ...rows]);
    }
    await expect(document).toMatchFileSnapshot("../docs/config.md");
  });
});

function defaultOf({ default: value, required }: Setting<unknown>): string {
  if (required === true) return "must be given";
  return value === undefined ? "none" : `\`${value}\``;
}

/** The document with the table between its two comments replaced. */
function withTable(document: string, name: string, [head = [], ...rows]: readonly string[][]): string {
  const [before, , after] = document.split(new RegExp(`<!-- (?:begin|end) ${name} -->\n`));
  if (before === undefined || after === undefined) throw new Error(`the table "${name}" has no place`);
  const lines = [head, head.map(() => "---"), ...rows].map(
    (cells) => `| ${cells.map(escaped).join(" | ")} |\n`,
  );
  return `${before}<!-- begin ${name} -->\n${lines.join("")}<!-- end ${name} -->\n${after}`;
}

const escaped = (cell: string): string => cell.replaceAll("|", "\\|");

describe("config.ini", () => {
  test("is read without a fault", () => {
    const config = loadConfig({ path: join(root, "config.ini"), cwd: root, env: {} });
    expect(config.queues.length).toBeGreaterThan(0);
  });

  test("names no key that there is not, not even in a comment", () => {
    const named = [...read("config.ini").matchAll(/^\s*[;#]?\s*([a-z][a-z-]*(?:\[\])?)\s*=/gm)];
    const keys = [QUEUE_SETTINGS, SCHEDULE_SETTINGS, EVENT_SETTINGS].flatMap((settings) =>
      Object.keys(settings),
    );
    expect(named.length).toBeGreaterThanOrEqual(4); // queuename, queueip, queueport, classname
    expect(named.map((match) => match[1]).filter((key) => !keys.includes(key ?? ""))).toEqual([]);
  });
});

describe("the blocks of a document", () => {
  const markdown = [
    "<!-- file a.txt -->",
    "```text",
    "hello",
    "```",
    "<!-- run -->",
    "```sh",
    "cat a.txt; echo 12 ms",
    "```",
    "<!-- output -->",
    "",
    "```text",
    "hello",
    "… ms",
    "```",
    "<!-- run, exits 3 -->",
    "```js",
    "import { existsSync } from 'node:fs';",
    "process.exitCode = existsSync('a.txt') ? 3 : 0;",
    "```",
    "<!-- fresh folder -->",
    "<!-- run, exits 1 -->",
    "```sh",
    "cat a.txt",
    "```",
    "<!-- not run: needs a server -->",
    "```sh",
    "exit 9",
    "```",
    "```sh",
    "exit 9",
    "```",
  ].join("\n");

  test("are found with their marks and lines", () => {
    expect(blocksOf(markdown).map(({ line, use, fresh }) => [line, use.kind, fresh])).toEqual([
      [2, "file", false],
      [6, "run", false],
      [11, "output", false],
      [16, "run", false],
      [22, "run", true],
      [26, "ignored", false],
      [29, "unmarked", false],
    ]);
  });

  test("are played in order", () => {
    expect(play(blocksOf(markdown))).toEqual([]);
  });

  test("that do otherwise than they say are faults", () => {
    const wrong = markdown.replace("exits 3", "exits 4").replace("… ms", "… s");
    expect(play(blocksOf(wrong)).map((fault) => fault.split(":")[0])).toEqual(["line 11", "line 16"]);
  });

  test("that fail leave nothing running", { timeout: 30_000 }, () => {
    const failing = "<!-- run -->\n```sh\nsleep 1000 &\nfalse\n```\n";
    expect(play(blocksOf(failing))).toEqual(["line 2: exit 1\n"]);
  });

  test("are compiled as a strict project would", () => {
    const blocks = blocksOf('```ts\nimport { open } from "memq";\nconst memq: number = await open();\n```\n');
    expect(compile(blocks)).toEqual(["line 3: Type 'Memq' is not assignable to type 'number'."]);
  });

  test("with an unknown mark or without an end are refused", () => {
    expect(() => blocksOf("<!-- rum -->\n```sh\n```")).toThrow("not understood");
    expect(() => blocksOf("```sh\nls")).toThrow("not closed");
  });

  test("show a text when every line is the same, … aside", () => {
    expect(isShown("1 done in …\n", "1 done in 2.1s\n")).toBe(true);
    expect(isShown("1 done\n", "1 done\n2 done\n")).toBe(false);
    expect(isShown("a.c\n", "abc\n")).toBe(false);
  });
});
