import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { build } from "esbuild";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { startDeafServer } from "../servers/fake-server.ts";
import { startFaultProxy, type FaultProxy } from "../servers/fault-proxy.ts";
import { noMemcached, startMemcached, type MemcachedServer } from "../servers/memcached-server.ts";

const PROCESS_MS = 10_000;

const folder = mkdtempSync(join(tmpdir(), "memq-wire-"));
let server: MemcachedServer;
let proxy: FaultProxy;

beforeAll(async () => {
  if (noMemcached !== undefined) return;
  server = await startMemcached();
  await build({
    entryPoints: ["src/adapters/memcached/memjs-wire.ts"],
    outfile: join(folder, "wire.mjs"),
    bundle: true,
    platform: "node",
    format: "esm",
    banner: {
      js: `import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);`,
    },
  });
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  if (noMemcached === undefined) await server.stop();
});
beforeEach(async (context) => {
  if (noMemcached !== undefined) context.skip(noMemcached);
  proxy = await startFaultProxy(server.port);
});
afterEach(async () => {
  if (noMemcached === undefined) await proxy.close();
});

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `body` in a process of its own; `wire` is open there and never closed. */
async function run(port: number, body: string, host = "127.0.0.1"): Promise<Ended> {
  const file = join(folder, "script.mjs");
  writeFileSync(
    file,
    `import { openMemjsWire } from "./wire.mjs";
     const wire = openMemjsWire({ server: { host: "${host}", port: ${String(port)} } });
     const kinds = async (operation) => (await wire.batch([operation])).map(({ kind }) => kind).join();
     ${body}`,
  );
  const child = spawn(process.execPath, [file], { timeout: PROCESS_MS, killSignal: "SIGKILL" });
  const [[code], stdout, stderr] = await Promise.all([
    once(child, "exit") as Promise<[number | null]>,
    text(child.stdout),
    text(child.stderr),
  ]);
  return { code, stdout, stderr };
}

const ADD = `{ kind: "add", key: "k" + process.pid, value: "x" }`;

test("a process does not end before its answer, though the server hung up", async () => {
  proxy.at(2, { kind: "cutBefore", cut: "end" });
  expect(await run(proxy.port, `console.log(await kinds(${ADD}))`)).toEqual({
    code: 0,
    stdout: "unknown\n",
    stderr: "",
  });
});

test("a process does not end before its answer, though nothing comes", async () => {
  proxy.at(2, { kind: "blackhole" });
  expect(await run(proxy.port, `console.log(await kinds(${ADD}))`)).toMatchObject({ stdout: "unknown\n" });
});

test("a process does not end before it knows that it cannot connect", async () => {
  const deaf = await startDeafServer();
  try {
    const ended = await run(deaf.port, `await kinds(${ADD}).catch((error) => console.log(error.code))`);
    expect(ended).toMatchObject({ code: 0, stdout: "BROKER_UNREACHABLE\n" });
  } finally {
    deaf.close();
  }
});

test("a process does not end while it waits before connecting again", async () => {
  proxy.refuse();
  const twice = `for (const _ of [1, 2]) await kinds(${ADD}).catch((error) => console.log(error.code))`;
  expect(await run(proxy.port, twice)).toMatchObject({
    code: 0,
    stdout: "BROKER_UNREACHABLE\nBROKER_UNREACHABLE\n",
  });
});

test("an open connection without work keeps no process alive", async () => {
  const ended = await run(
    proxy.port,
    `console.log(await kinds(${ADD})); globalThis.at = performance.now();
    process.on("exit", () => console.log(performance.now() - at < 5_000 ? "at once" : "late"));`,
  );
  expect(ended).toEqual({ code: 0, stdout: "ok\nat once\n", stderr: "" });
});

test("an error that nobody listens for does not reach the process", async () => {
  const idle = `console.log(await kinds(${ADD})); setTimeout(() => console.log("alive"), 300);`;
  const running = run(proxy.port, idle);
  await proxy.seen(2);
  await expect.poll(() => proxy.connections).toBe(1);
  setTimeout(() => {
    proxy.now({ kind: "cutBefore", cut: "reset" });
  }, 100);
  expect(await running).toEqual({ code: 0, stdout: "ok\nalive\n", stderr: "" });
});
