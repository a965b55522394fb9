import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import { livenessOf, nameOf, thisProcess, type ProcessIdentity } from "../../../src/host/process-identity.ts";

const me = thisProcess();
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** Another process as it would write itself down. */
async function other(): Promise<{ readonly child: ChildProcess; readonly who: ProcessIdentity }> {
  const source = new URL("../../../src/host/process-identity.ts", import.meta.url).pathname;
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    entryPoints: [source],
    bundle: true,
    platform: "node",
    format: "esm",
    write: false,
  });
  const script = `${outputFiles[0]?.text ?? ""}\nconsole.log(JSON.stringify(thisProcess())); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  return { child, who: JSON.parse(line.toString()) as ProcessIdentity };
}

/** Resolves when the process is seen so; what the kernel does takes its time. */
async function seenAs(who: ProcessIdentity, liveness: string): Promise<void> {
  await expect.poll(() => livenessOf(who), { timeout: 5_000, interval: 5 }).toBe(liveness);
}

test("this process runs, and is the same each time", () => {
  expect(livenessOf(me)).toBe("running");
  expect(thisProcess()).toBe(me);
  expect(me.pid).toBe(process.pid);
  expect(nameOf(me)).toBe(`${me.host}:${String(process.pid)}`);
});

describe.skipIf(process.platform !== "linux")("another process on this host", () => {
  test("runs, is stopped, runs again and is dead", async () => {
    const { child, who } = await other();
    expect(livenessOf(who)).toBe("running");
    child.kill("SIGSTOP");
    await seenAs(who, "stopped");
    child.kill("SIGCONT");
    await seenAs(who, "running");
    child.kill("SIGKILL");
    await seenAs(who, "dead");
  });

  test("is dead when another has its pid since", async () => {
    const { who } = await other();
    expect(livenessOf({ ...who, startedAt: String(Number(who.startedAt) - 1) })).toBe("dead");
  });

  test("is dead as soon as it is a zombie that nobody has waited for", async () => {
    const script = `sleep 60 & echo $!; exec sleep 60`; // sleep waits for no child
    const parent = spawn("sh", ["-c", script], { stdio: ["ignore", "pipe", "inherit"] });
    children.push(parent);
    const [line] = (await once(parent.stdout, "data")) as [Buffer];
    const pid = Number(line.toString());
    const alive = { ...me, pid, startedAt: startOf(pid) };
    expect(livenessOf(alive)).toBe("running");
    process.kill(pid, "SIGKILL");
    await seenAs(alive, "dead");
  });

  test("is dead when its pid is nobody's", () => {
    expect(livenessOf({ ...me, pid: 2 ** 22 + 7, startedAt: "1" })).toBe("dead");
  });
});

describe("nothing is known of a process", () => {
  test("on another host, or in another boot or container", () => {
    expect(livenessOf({ ...me, host: "elsewhere" })).toBe("unknown");
    expect(livenessOf({ ...me, realm: "another-boot/pid:[1]" })).toBe("unknown");
  });

  test("whose pid is no pid", () => {
    for (const pid of [0, -1, Number.NaN, 1.5, 1e300]) expect(livenessOf({ ...me, pid })).not.toBe("running");
    expect(livenessOf({ ...me, pid: Number.NaN })).toBe("unknown");
  });
});

function startOf(pid: number): string {
  const { readFileSync } = process.getBuiltinModule("node:fs");
  return (
    readFileSync(`/proc/${String(pid)}/stat`, "utf8")
      .split(") ")[1]
      ?.split(" ")[19] ?? ""
  );
}
