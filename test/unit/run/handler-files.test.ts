import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { guardExit } from "../../../src/run/exit-guard.ts";
import { findHandlerFiles, importHandlerFile } from "../../../src/run/handler-files.ts";
import { loadRegistry, type Registry } from "../../../src/run/registry.ts";

const root = mkdtempSync(join(tmpdir(), "memq-handlers-"));
afterAll(() => {
  rmSync(root, { recursive: true });
});

let folder = "";
let count = 0;
beforeEach(() => {
  folder = join(root, String(++count)); // its own, because a module is loaded once per path
  mkdirSync(folder);
});

function write(path: string, text: string): string {
  const place = join(folder, path);
  mkdirSync(dirname(place), { recursive: true });
  writeFileSync(place, text);
  return place;
}

const load = (className = "Worker", handlers?: string): Promise<Registry> =>
  loadRegistry({ folder, className, ...(handlers !== undefined && { handlers: join(folder, handlers) }) });
const missing = (message: RegExp): unknown =>
  expect.objectContaining({ code: "HANDLER_MISSING", message: expect.stringMatching(message) as unknown });
const WORKER = "export default class Worker { push() {} }";

describe("handlers are found", () => {
  test.each(["Worker.mjs", "Worker.js", "Worker.ts", "worker.mjs", "worker.js", "worker.ts"])(
    "in a file beside the configuration that is named after the class: %s",
    (name) => {
      const path = write(name, WORKER);
      expect(findHandlerFiles({ folder, className: "Worker" })).toEqual([path]);
    },
  );

  test("in the folder handlers, which goes before such a file", () => {
    write("Worker.mjs", WORKER);
    const path = write("handlers/any.mjs", WORKER);
    expect(findHandlerFiles({ folder, className: "Worker" })).toEqual([path]);
  });

  test("in every file of the folder but hidden ones, types and tests", () => {
    for (const name of [
      "b.mjs",
      "a.js",
      "c.ts",
      "_d.mjs",
      ".e.mjs",
      "f.d.ts",
      "g.json",
      "h.test.ts",
      "i.spec.mjs",
      "j.mjs.bak",
    ])
      write(`handlers/${name}`, WORKER);
    expect(findHandlerFiles({ folder, className: "Worker" })).toEqual(
      ["a.js", "b.mjs", "c.ts"].map((name) => join(folder, "handlers", name)),
    );
  });

  test("where the setting says: a file or a folder", () => {
    const path = write("src/jobs.mjs", WORKER);
    expect(findHandlerFiles({ folder, className: "Worker", handlers: path })).toEqual([path]);
    expect(findHandlerFiles({ folder, className: "Worker", handlers: dirname(path) })).toEqual([path]);
  });
});

describe("handlers that are not there are named", () => {
  test("with the class and the folder", async () => {
    await expect(load()).rejects.toEqual(
      missing(/no handler for class "Worker": .*Worker\.mjs, \.js or \.ts in /),
    );
  });

  test("with the setting", async () => {
    await expect(load("Worker", "gone")).rejects.toEqual(missing(/handlers = .*gone is not there/));
  });

  test("when the folder has no file of theirs", async () => {
    write("handlers/readme.txt", "");
    await expect(load()).rejects.toEqual(missing(/no \.mjs, \.js or \.ts file in /));
  });

  test("when the queue's class is not among them", async () => {
    write("handlers/a.mjs", "export class Wroker {}\nexport const other = 1;");
    await expect(load()).rejects.toEqual(missing(/\(Wroker\), did you mean "Wroker"\?/));
  });
});

describe("a handler class goes by", () => {
  test("its export name", async () => {
    write(
      "handlers/a.mjs",
      "class A { push() {} }\nexport { A as Worker };\nexport class Mailer { send() {} }",
    );
    const registry = await load();
    expect(registry.classNames).toEqual(["Mailer", "Worker"]);
    expect(registry.methods("Mailer")).toEqual(["send"]);
  });

  test("its class name, as a default export", async () => {
    write("handlers/a.mjs", WORKER);
    expect((await load()).classNames).toEqual(["Worker"]);
  });

  test("one name only once: two of one name are refused with the file", async () => {
    write("handlers/a.mjs", WORKER);
    write("handlers/b.mjs", "export class Worker { push() {} }");
    await expect(load()).rejects.toEqual(missing(/b\.mjs: two handler classes are called "Worker"/));
  });

  test("both of its exports, when it has two", async () => {
    write("handlers/a.mjs", "export class Worker { push() {} }\nexport default Worker;");
    expect((await load()).classNames).toEqual(["Worker"]);
  });
});

describe("a handler file that cannot be loaded is named with what it said", () => {
  test.each([
    ["that throws", "throw new RangeError('no luck')", /a\.mjs could not be loaded: RangeError: no luck/],
    ["that throws nothing", "throw undefined", /a\.mjs could not be loaded: Error: threw undefined/],
    [
      "that throws a hostile value",
      "const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); throw proxy",
      /could not be loaded: Error: threw a value/,
    ],
    [
      "with a fault in its settings",
      "export class Worker { static tasks = { pish: {} }; push() {} }",
      /a\.mjs: static tasks of Worker: there is no method "pish", did you mean "push"/,
    ],
    ["that imports what is not there", "import './gone.mjs'", /a\.mjs could not be loaded: .*gone/],
  ])("%s", async (_what, text, message) => {
    write("handlers/a.mjs", text);
    await expect(load()).rejects.toEqual(missing(message));
  });
});

// The test runner compiles modules in its own way, so this asks a Node of its own.
describe("in a process of its own, a handler file", () => {
  const place = join(root, "node");
  const bundle = join(place, "registry.mjs");

  beforeAll(async () => {
    mkdirSync(place);
    await build({
      entryPoints: [join(import.meta.dirname, "../../../src/run/registry.ts")],
      bundle: true,
      platform: "node",
      format: "esm",
      outfile: bundle,
    });
  });

  /** What loading the folder's handlers came to: the methods by class, or the fault. */
  async function loaded(): Promise<unknown> {
    const script = `
      const { loadRegistry } = await import(${JSON.stringify(bundle)});
      const answer = await loadRegistry(${JSON.stringify({ folder, className: "Worker" })}).then(
        (registry) => registry.classNames.map((name) => [name, ...registry.methods(name)]),
        (error) => ({ code: error.code, message: error.message }),
      );
      console.log(JSON.stringify(answer));`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], {
      timeout: 20_000,
    });
    return JSON.parse(stdout);
  }
  const withJiti = (): void => {
    symlinkSync(join(import.meta.dirname, "../../../node_modules"), join(folder, "node_modules"));
  };
  const BEYOND = `
    import { level } from "./level";
    enum Level { Low, High }
    export default class Worker {
      constructor(private readonly level: Level = Level.High) {}
      push(user: string): number { return this.level + level; }
    }`;

  test("names a default export without a name", async () => {
    write("Worker.mjs", "export default class { push() {} }");
    expect(await loaded()).toEqual([["Worker", "push"]]);
  });

  test("with enums, parameter properties and imports without an extension is loaded by jiti", async () => {
    withJiti();
    write("worker.ts", BEYOND);
    write("level.ts", "export const level: number = 1;");
    expect(await loaded()).toEqual([["Worker", "push"]]);
  });

  test("that Node cannot run says what to install where jiti is not", async () => {
    write("worker.ts", BEYOND);
    write("level.ts", "export const level: number = 1;");
    const native = {
      code: "HANDLER_MISSING",
      message: expect.stringMatching(/npm install jiti|Cannot find module/) as unknown,
    };
    expect(await loaded()).toEqual(native);
  });

  test("with a fault is named with what it said", async () => {
    withJiti();
    write("worker.ts", "export default class Worker { push( }");
    expect(await loaded()).toMatchObject({
      code: "HANDLER_MISSING",
      message: expect.stringContaining("worker.ts could not be loaded: ") as unknown,
    });
  });

  test("that throws is not run a second time", async () => {
    withJiti();
    write(
      "worker.mjs",
      `
      globalThis.runs = (globalThis.runs ?? 0) + 1;
      throw new Error("run " + globalThis.runs);`,
    );
    expect(await loaded()).toMatchObject({ message: expect.stringContaining("Error: run 1") as unknown });
  });
});

describe("a handler file, while it is loaded,", () => {
  test("cannot exit a process that guards itself", async () => {
    const path = write("worker.mjs", `await null; process.exit(0);\n${WORKER}`);
    const release = guardExit();
    try {
      await expect(importHandlerFile(path)).rejects.toThrow(
        missing(/worker\.mjs could not be loaded: Error: the handler called process\.exit\(0\)/),
      );
    } finally {
      release();
    }
  });

  test("has so long and no longer", async () => {
    const path = write("worker.mjs", `await new Promise(() => {});\n${WORKER}`);
    await expect(importHandlerFile(path, 20)).rejects.toThrow(
      missing(/could not be loaded: Error: it took longer than 20ms/),
    );
  });
});
