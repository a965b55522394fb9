import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noMemcached, startMemcached, type MemcachedServer } from "../servers/memcached-server.ts";
import { makeProject, type Project } from "../servers/project.ts";

const root = join(import.meta.dirname, "../..");
const HANDLER = "export default class Worker { push() {} }\n";

// Said by the process itself as it ends: the modules of Node it took, the code of ours that it ran, and which of its
// streams it opened.
const WITNESS = `
  const { Session } = require("node:inspector");
  const session = new Session();
  const urls = [];
  session.connect();
  session.on("Debugger.scriptParsed", ({ params }) => urls.push(params.url));
  session.post("Debugger.enable");
  const opened = [];
  for (const name of ["stdin", "stdout", "stderr"]) {
    const real = Object.getOwnPropertyDescriptor(process, name);
    const get = () => (opened.push(name), real.get.call(process));
    Object.defineProperty(process, name, { ...real, get });
  }
  process.on("exit", () => {
    const { writeFileSync } = require("node:fs");
    writeFileSync(process.env.WITNESSED, JSON.stringify({ urls, opened, builtin: process.moduleLoadList }));
  });
`;

interface Loaded {
  /** The first words of the bundled files, e.g. "launch", "publish-task", "embedded", "chunk". */
  readonly files: readonly string[];
  /** Source modules and packages whose code those files hold. */
  readonly modules: readonly string[];
  readonly builtin: readonly string[];
  /** Of "stdin", "stdout" and "stderr": each takes milliseconds to open. */
  readonly opened: readonly string[];
}

/** What one command loads, from its start to its end. */
function loadedBy(project: Project, command: string, args: readonly string[] = []): Loaded {
  const witnessed = join(project.folder, "witnessed.json");
  const witness = join(project.folder, "witness.cjs"); // a module would bring Node's loader of modules along
  writeFileSync(witness, WITNESS);
  execFileSync(process.execPath, ["--require", witness, join(root, "scripts", command), ...args], {
    cwd: project.folder,
    env: { PATH: process.env["PATH"], HOME: project.folder, WITNESSED: witnessed },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const { urls, opened, builtin } = JSON.parse(readFileSync(witnessed, "utf8")) as {
    urls: string[];
    opened: string[];
    builtin: string[];
  };
  const paths = urls.filter((url) => url.includes("/dist/bin/")).map((url) => new URL(url).pathname);
  return {
    files: paths.map((path) => /([^/]+?)(?:-[A-Z0-9]{8})?\.c?js$/.exec(path)?.[1] ?? path),
    modules: paths.flatMap(modulesIn),
    builtin: builtin.map((name) => name.replace("NativeModule ", "")),
    opened,
  };
}

/** The bundler names each module above its code. */
const modulesIn = (path: string): readonly string[] =>
  [...readFileSync(path, "utf8").matchAll(/^\/\/ ((?:src|node_modules)\/\S+)$/gm)].map(
    ([, name = ""]) => name,
  );

const under = (loaded: Loaded, folder: string): readonly string[] =>
  loaded.modules.filter((name) => name.startsWith(folder));

describe("on the embedded store", () => {
  const project = makeProject({ config: "queuename = default\n", handler: HANDLER });
  afterAll(() => {
    project.remove();
  });

  test("one publish loads the core, the store, and nothing of runs, memcached or schedules", () => {
    const loaded = loadedBy(project, "publish-task", ["push", "a"]);
    expect(loaded.files).toEqual(["launch", "publish-task", "chunk", "embedded", "chunk"]);
    expect(under(loaded, "src/adapters/embedded/")).not.toEqual([]);
    expect(under(loaded, "src/adapters/memcached/")).toEqual([]);
    expect(under(loaded, "src/run/")).toEqual([]);
    expect(under(loaded, "src/schedule/")).toEqual([]);
    expect(packagesOf(loaded)).toEqual(["ini"]);
    expect(costly(loaded)).toEqual([]);
    expect(loaded.opened).toEqual([]);
  });

  test("an empty run loads the core, the run and the store, and no calendar", () => {
    loadedBy(project, "runjobs"); // takes the task of the test above
    const loaded = loadedBy(project, "runjobs");
    expect(loaded.files).toEqual(["launch", "runjobs", "chunk", "chunk", "run", "embedded", "chunk"]);
    expect(under(loaded, "src/adapters/memcached/")).toEqual([]);
    expect(under(loaded, "src/schedule/")).toEqual([]);
    expect(packagesOf(loaded)).toEqual(["ini"]);
    expect(costly(loaded)).toEqual([]);
    expect(loaded.opened).toEqual([]);
  });
});

describe.skipIf(noMemcached !== undefined)("on memcached", () => {
  let server: MemcachedServer;
  let project: Project;
  beforeAll(async () => {
    server = await startMemcached(["-M"]);
    const config = `queueip = 127.0.0.1\nqueueport = ${String(server.port)}\n`;
    project = makeProject({ config, handler: HANDLER });
  });
  afterAll(async () => {
    project.remove();
    await server.stop();
  });

  test("one publish loads nothing of the embedded store, and of memjs its connection", () => {
    loadedBy(project, "publish-task", ["push", "a"]); // meets the server for the first time
    const loaded = loadedBy(project, "publish-task", ["push", "a"]);
    expect(loaded.files).toEqual(["launch", "publish-task", "chunk", "memcached", "chunk"]);
    expect(under(loaded, "src/adapters/embedded/")).toEqual([]);
    expect(under(loaded, "src/run/")).toEqual([]);
    expect(under(loaded, "node_modules/memjs/")).not.toContain("node_modules/memjs/lib/memjs/memjs.js");
    expect(packagesOf(loaded)).toEqual(["ini", "memjs"]);
    expect(costly(loaded)).toEqual([]);
    expect(loaded.opened).toEqual([]);
  });

  test("an empty run loads nothing of the embedded store", () => {
    loadedBy(project, "runjobs");
    const loaded = loadedBy(project, "runjobs");
    expect(loaded.files).toEqual(["launch", "runjobs", "chunk", "chunk", "run", "memcached", "chunk"]);
    expect(under(loaded, "src/adapters/embedded/")).toEqual([]);
    expect(costly(loaded)).toEqual([]);
    expect(loaded.opened).toEqual([]);
  });
});

test("the bundles hold no package that is loaded on first use", () => {
  const bin = join(root, "dist/bin");
  const files = readdirSync(bin).filter((name) => name.endsWith(".js"));
  const bundled = files.flatMap((name) => modulesIn(join(bin, name)));
  expect(bundled.filter((name) => /node_modules\/(node-cron|jiti)\//.test(name))).toEqual([]);
});

const packagesOf = ({ modules }: Loaded): readonly string[] => [
  ...new Set(modules.flatMap((name) => /^node_modules\/([^/]+)/.exec(name)?.[1] ?? [])),
];

/** Modules of Node that take milliseconds, and that these ways have no use for. */
const costly = ({ builtin }: Loaded): readonly string[] =>
  ["crypto", "http", "https", "child_process", "zlib", "perf_hooks"].filter((name) => builtin.includes(name));
