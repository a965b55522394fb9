import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

interface Manifest {
  readonly version: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly scripts?: Readonly<Record<string, string>>;
}

const root = dirname(import.meta.dirname);
const manifestIn = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
const manifest = manifestIn(root);
const commands = Object.keys(manifest.bin);

// What npm passes to its scripts must not reach the npm that is tested.
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^npm_|^MEMQ_/.test(name)),
);

const npm = (args: readonly string[], cwd: string): string =>
  execFileSync("npm", args, { cwd, env: environment, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

const started = (command: string, args: readonly string[], cwd: string): [number | null, string, string] => {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    env: environment,
    encoding: "utf8",
    timeout: 60_000,
  });
  return [status, stdout, stderr];
};

describe("the package, packed and installed where nothing else is", () => {
  const folder = mkdtempSync(join(tmpdir(), "memq-package-"));
  const alone = mkdtempSync(join(tmpdir(), "memq-alone-")); // no node_modules here or above
  const installed = join(folder, "node_modules", "memq");
  let packed: string[];

  beforeAll(() => {
    const [report] = JSON.parse(
      npm(["pack", "--json", "--ignore-scripts", "--pack-destination", folder], root),
    ) as [{ filename: string; files: { path: string }[] }];
    packed = report.files.map(({ path }) => path);
    writeFileSync(join(folder, "package.json"), `{ "name": "consumer", "private": true, "type": "module" }`);
    const flags = ["--ignore-scripts", "--omit=dev", "--prefer-offline", "--no-audit", "--no-fund"];
    npm(["install", ...flags, join(folder, report.filename)], folder);
  }, 180_000);

  afterAll(() => {
    for (const made of [folder, alone]) rmSync(made, { recursive: true, force: true });
  });

  test("holds what users need and nothing else", () => {
    const wanted = /^(dist\/|docs\/.*\.md$|scripts\/(publish-task|runjobs|memq|package\.json)$)/;
    expect(packed.filter((path) => !wanted.test(path)).sort()).toEqual([
      "CHANGELOG.md",
      "LICENSE",
      "README.md",
      "package.json",
    ]);
    expect(packed.filter((path) => /\.tsbuildinfo$|^dist\/(cli\/|bin\/code\/|\.)/.test(path))).toEqual([]);
    expect(packed).toEqual(expect.arrayContaining(["dist/index.js", "dist/index.d.ts", "dist/testing.d.ts"]));
  });

  test("brings the library as few files, which are quick to find and read", () => {
    const modules = packed.filter((path) => path.endsWith(".js") && !path.startsWith("dist/bin/"));
    expect(modules.length).toBeLessThan(80);
  });

  test("brings no package whose installation compiles or fetches anything", () => {
    const names = dependenciesIn(folder);
    expect(names).toEqual(expect.arrayContaining(Object.keys(manifest.dependencies)));
    const scripts = names.flatMap((name) => installScriptsOf(join(folder, "node_modules", name)));
    // Checks that one of the binaries in the package fits; --ignore-scripts above shows that it is not needed.
    expect(scripts).toEqual(["install: node-gyp-build"]);
  });

  test.each(commands)("%s --version prints the version", (command) => {
    const path = join(folder, "node_modules", ".bin", command);
    expect(started(path, ["--version"], folder)).toEqual([0, `${manifest.version}\n`, ""]);
  });

  test.each(commands)("%s --help prints how it is used", (command) => {
    const [status, stdout, stderr] = started(
      join(folder, "node_modules", ".bin", command),
      ["--help"],
      folder,
    );
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toContain(`Usage: ${command}`);
  });

  test("imports as memq and as memq/testing, and opens the embedded store", () => {
    const program = `
      import { writeFileSync } from "node:fs";
      import { open } from "memq";
      import * as testing from "memq/testing";
      writeFileSync("config.ini", "queuename = default\\n");
      const memq = await open("config.ini");
      const id = await memq.publish("saveToLocal", ["msg"]);
      await memq.close();
      console.log(typeof id, Object.keys(testing).length > 0);
    `;
    expect(started(process.execPath, ["--input-type=module", "--eval", program], folder)).toEqual([
      0,
      "string true\n",
      "",
    ]);
  });

  test("can be linked to from the folder of a project instead", () => {
    const beside = mkdtempSync(join(tmpdir(), "memq-beside-"));
    try {
      npm(["install", "--prefer-offline", "--no-audit", "--no-fund", root], beside);
      writeFileSync(join(beside, "config.ini"), "queuename = default\n");
      writeFileSync(
        join(beside, "worker.mjs"),
        `import { task } from "memq"; export default class Worker { say() { console.log(task().attempt); } }`,
      );
      const [status, , stderr] = started("npx", ["publish-task", "say"], beside);
      expect([status, stderr]).toEqual([0, ""]);
      expect(started("npx", ["runjobs"], beside)).toEqual([0, "1\n", ""]);
    } finally {
      rmSync(beside, { recursive: true, force: true });
    }
  });

  test("brings types that a strict project can read", () => {
    writeFileSync(
      join(folder, "consumer.ts"),
      `import { open } from "memq";
       import * as testing from "memq/testing";
       const memq = await open("config.ini");
       const id: string = await memq.publish("saveToLocal", ["msg"], { delay: "20m" });
       // @ts-expect-error a method is a string
       await memq.publish(42);
       await memq.close();
       console.log(id, testing);`,
    );
    const options = { strict: true, module: "nodenext", target: "es2022", noEmit: true, types: ["node"] };
    const lib = ["es2023", "esnext.disposable"];
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({ compilerOptions: { ...options, lib }, files: ["consumer.ts"] }),
    );
    mkdirSync(join(folder, "node_modules", "@types"));
    symlinkSync(join(root, "node_modules", "@types", "node"), join(folder, "node_modules", "@types", "node"));
    symlinkSync(join(root, "node_modules", "undici-types"), join(folder, "node_modules", "undici-types"));
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    expect(started(process.execPath, [tsc, "-p", folder], folder)).toEqual([0, "", ""]);
  });

  test.each(commands)("%s starts without the packages it loads on first use", (command) => {
    const alone = join(folder, "alone", command);
    cpSync(installed, alone, { recursive: true });
    expect(started(join(alone, "scripts", command), ["--version"], folder)).toEqual([
      0,
      `${manifest.version}\n`,
      "",
    ]);
  });
});

describe("a clone", () => {
  test.each(commands)("scripts/%s is executable and works after a build", (command) => {
    expect(statSync(join(root, "scripts", command)).mode & 0o111).toBe(0o111);
    expect(started(join(root, "scripts", command), ["--version"], root)).toEqual([
      0,
      `${manifest.version}\n`,
      "",
    ]);
  });

  test("npx finds the commands", () => {
    const [status, stdout] = started("npx", ["--no-install", "publish-task", "--version"], root);
    expect([status, stdout]).toEqual([0, `${manifest.version}\n`]);
  });

  test("the lock file names no addresses, so that any mirror will do", () => {
    expect(readFileSync(join(root, "package-lock.json"), "utf8")).not.toContain('"resolved"');
  });
});

/** All packages below node_modules, scopes included. */
function dependenciesIn(folder: string): string[] {
  return readdirSync(join(folder, "node_modules")).flatMap((name) => {
    if (name.startsWith(".") || name === "memq" || name === "@types") return [];
    if (!name.startsWith("@")) return [name];
    return readdirSync(join(folder, "node_modules", name)).map((inner) => `${name}/${inner}`);
  });
}

/** The scripts that npm would run on installation, as `name: command`. */
function installScriptsOf(folder: string): string[] {
  const { scripts = {} } = manifestIn(folder);
  return ["preinstall", "install", "postinstall"].flatMap((name) =>
    scripts[name] === undefined ? [] : [`${name}: ${scripts[name]}`],
  );
}
