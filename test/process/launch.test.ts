import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

// The real launcher, with a command of our own beside it.
const LAUNCHER = join(import.meta.dirname, "../../dist/bin/launch.cjs");
const SCOPE = "(function (require, $import, $now, __filename, __dirname) {";
const COMMAND = `${SCOPE} return { main: async ([how, ...words], io) => {
  if (how === "halt") return new Promise(() => {});
  if (how === "help") return 0;
  const { say } = require("./part.js");
  return say(words, io);
} }; })`;
const PART = `${SCOPE} return { say: async ([module, exit = "0"], io) => {
  const { word } = await $import(module);
  io.stdout.write(word + " " + (typeof $now()) + "\\n");
  return Number(exit);
} }; })`;

let folder: string;
let bin: string;
let module: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "memq-launch-"));
  chmodSync(folder, 0o755);
  bin = join(folder, "bin");
  module = join(folder, "word.mjs");
  mkdirSync(bin);
  copyFileSync(LAUNCHER, join(bin, "launch.cjs"));
  writeFileSync(join(bin, "speak.js"), COMMAND);
  writeFileSync(join(bin, "part.js"), PART);
  writeFileSync(module, `export const word = "hello";\n`);
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function speak(
  words: readonly string[],
  { env = {}, uid }: { env?: NodeJS.ProcessEnv; uid?: number } = {},
): Ended {
  const program = join(folder, "speak.cjs");
  writeFileSync(program, `require("./bin/launch.cjs").launch("speak");\n`);
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...words], {
    cwd: folder,
    env: { PATH: process.env["PATH"], ...env },
    encoding: "utf8",
    ...(uid !== undefined && { uid }),
  });
  return { code: status, stdout, stderr };
}

const said = { code: 0, stdout: "hello number\n", stderr: "" };

/** What is kept, each file with what tells whether it was written anew. */
function kept(): Readonly<Record<string, number>> {
  const paths = readdirSync(bin, { recursive: true, encoding: "utf8" }).filter((path) =>
    path.startsWith("code/"),
  );
  const files = paths.filter((path) => statSync(join(bin, path)).isFile());
  return Object.fromEntries(files.map((path) => [path, statSync(join(bin, path)).ino]));
}

const namesOf = (files: object): string[] =>
  Object.keys(files)
    .map((path) => path.split("/").slice(2).join("/"))
    .sort();

describe("the code that V8 makes of a command", () => {
  test("is kept by its first three calls, and taken as it is by the others", () => {
    for (let call = 1; call <= 3; call++) {
      const before = kept();
      expect(speak(["say", module])).toEqual(said);
      expect(kept()).not.toEqual(before);
    }
    const learnt = kept();
    expect(namesOf(learnt)).toEqual(["speak/calls", "speak/part.js", "speak/speak.js"]);
    expect(speak(["say", module])).toEqual(said);
    expect(kept()).toEqual(learnt);
  });

  test("is not kept by a long call, which has let go of it", () => {
    const busy = "while (process.cpuUsage().user < 600_000);";
    writeFileSync(join(bin, "part.js"), PART.replace("const { word }", `${busy} const { word }`));
    expect(speak(["say", module])).toEqual(said);
    expect(kept()).toEqual({});
  });

  test("is made anew when what is kept is broken", () => {
    for (let call = 1; call <= 3; call++) speak(["say", module]);
    const first = kept();
    for (const path of Object.keys(first)) writeFileSync(join(bin, path), "no code");
    expect(speak(["say", module])).toEqual(said);
    const second = Object.keys(first).map((path) => statSync(join(bin, path)).size);
    expect(Math.min(...second)).toBeGreaterThan("no code".length);
  });

  test("is not kept by a call that did not get beyond its start, or that failed", () => {
    expect(speak(["help"])).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(speak(["say", module, "75"])).toEqual({ ...said, code: 75 });
    expect(kept()).toEqual({});
  });

  test("is neither kept nor taken under flags or a coverage report", () => {
    expect(speak(["say", module], { env: { NODE_OPTIONS: "--max-old-space-size=200" } })).toEqual(said);
    expect(speak(["say", module], { env: { NODE_V8_COVERAGE: join(folder, "coverage") } })).toEqual(said);
    expect(kept()).toEqual({});
  });

  test("can have no place to be kept in", () => {
    writeFileSync(join(bin, "code"), "a file");
    expect(speak(["say", module])).toEqual(said);
  });

  test.skipIf(process.getuid?.() !== 0)(
    "is kept for nobody by a user to whom the command does not belong (needs root)",
    () => {
      chmodSync(bin, 0o777);
      expect(speak(["say", module], { uid: 65_534 })).toEqual(said);
      expect(kept()).toEqual({});
      speak(["say", module]);
      const first = kept();
      expect(speak(["say", module], { uid: 65_534 })).toEqual(said);
      expect(kept()).toEqual(first);
    },
  );
});

test("a command that comes to a halt before its end says so and exits with 70", () => {
  expect(speak(["halt"])).toEqual({
    code: 70,
    stdout: "",
    stderr: "speak: came to a halt before its end [BUG]\n",
  });
});
