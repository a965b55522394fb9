import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { thisProcess } from "../../../src/host/process-identity.ts";
import { slotHolders, takeSlot } from "../../../src/host/run-slots.ts";
import { starvation } from "../../starvation.ts";

let folder: string;
let program: string;
const children: ChildProcess[] = [];

// Takes a slot when told to, says what it got, and holds it until its standard input ends.
const CHILD = `
import { takeSlot } from ${JSON.stringify(new URL("../../../src/host/run-slots.ts", import.meta.url).pathname)};
const [folder, max, waits, blocks] = process.argv.slice(2);
process.stdout.write("ready\\n");
process.stdin.once("data", async () => {
  const answer = await takeSlot(folder, { max: Number(max), waits: () => waits === "wait" });
  if (blocks !== undefined) answer.slot?.mayBlock(Number(blocks));
  process.stdout.write(answer.kind + "\\n");
  if (answer.kind === "full") process.exit();
  process.stdin.on("end", () => { answer.slot.release(); process.stdout.write("released\\n"); });
});
`;

beforeAll(async () => {
  const { outputFiles } = await build({
    stdin: { contents: CHILD, resolveDir: import.meta.dirname },
    bundle: true,
    platform: "node",
    format: "esm",
    write: false,
  });
  program = join(mkdtempSync(join(tmpdir(), "memq-slot-child-")), "child.mjs");
  writeFileSync(program, outputFiles[0]?.text ?? "");
});
afterAll(() => {
  rmSync(join(program, ".."), { recursive: true });
});
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), "memq-slots-")), "push");
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(join(folder, ".."), { recursive: true });
});

interface Child {
  readonly process: ChildProcess;
  go(): void;
  /** The next word it says. */
  heard(): Promise<string>;
}

async function launch(max: number, ...how: readonly string[]): Promise<Child> {
  const child = spawn(process.execPath, [program, folder, String(max), ...how], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  children.push(child);
  const words: string[] = [];
  child.stdout.on("data", (data: Buffer) => words.push(...data.toString().trim().split("\n")));
  const heard = async (): Promise<string> => {
    while (words.length === 0) await once(child.stdout, "data");
    return words.shift() ?? "";
  };
  expect(await heard()).toBe("ready");
  return { process: child, heard, go: () => child.stdin.write("go") };
}

async function killed({ process: child }: Child): Promise<void> {
  child.kill("SIGKILL");
  await once(child, "exit");
}

describe("slots of one process", () => {
  test("are taken up to the maximum, and again when one is released", async () => {
    const first = await takeSlot(folder, { max: 2 });
    expect((await takeSlot(folder, { max: 2 })).kind).toBe("slot");
    const third = await takeSlot(folder, { max: 2 });
    expect(third).toMatchObject({
      kind: "full",
      holders: [{ name: `${thisProcess().host}:${String(process.pid)}` }, {}],
    });
    if (first.kind === "slot") first.slot.release();
    expect((await takeSlot(folder, { max: 2 })).kind).toBe("slot");
  });

  test("say since when they are held", async () => {
    const before = Date.now();
    await takeSlot(folder, { max: 1 });
    const [holder] = slotHolders(folder);
    expect(holder?.sinceMs).toBeGreaterThan(before - 1_000);
    expect(holder?.sinceMs).toBeLessThan(Date.now() + 1_000);
  });

  test("released twice is released once", async () => {
    const answer = await takeSlot(folder, { max: 1 });
    if (answer.kind !== "slot") throw new Error("no slot");
    answer.slot.release();
    answer.slot.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  test("whoever gets none leaves nothing behind", async () => {
    await takeSlot(folder, { max: 1 });
    await takeSlot(folder, { max: 1 });
    expect(readdirSync(folder)).toHaveLength(1);
  });

  test("files that are none of ours are left alone and do not count", async () => {
    const slot = await takeSlot(folder, { max: 1 });
    if (slot.kind === "slot") slot.slot.release();
    writeFileSync(join(folder, "README"), "");
    writeFileSync(join(folder, "1.run"), "");
    expect((await takeSlot(folder, { max: 1 })).kind).toBe("slot");
    expect(readdirSync(folder)).toContain("README");
  });

  test("nobody ever ran: there are no holders", () => {
    expect(slotHolders(folder)).toEqual([]);
  });
});

describe("slots of several processes", () => {
  test.each([1, 3])("8 that ask at the same instant get %i, in every round", async (max) => {
    for (let round = 0; round < 2; round++) {
      const all = await Promise.all(Array.from({ length: 8 }, () => launch(max)));
      for (const child of all) child.go();
      const words = await Promise.all(all.map((child) => child.heard()));
      expect(words.filter((word) => word === "slot")).toHaveLength(max);
      await Promise.all(
        all.map(
          ({ process: child }) =>
            new Promise((resolve) => {
              child.once("exit", resolve);
              if (child.exitCode !== null || child.signalCode !== null) resolve(undefined);
              child.kill("SIGKILL");
            }),
        ),
      );
    }
  });

  test("the slot of a killed process is free at once", async () => {
    const child = await launch(1);
    child.go();
    expect(await child.heard()).toBe("slot");
    expect((await takeSlot(folder, { max: 1 })).kind).toBe("full");
    await killed(child);
    expect(slotHolders(folder)).toEqual([]);
    expect((await takeSlot(folder, { max: 1 })).kind).toBe("slot");
    expect(readdirSync(folder)).toHaveLength(1);
  });

  test("a process that is silent for longer than it said is ended, and told", async () => {
    const child = await launch(1, "", "-1");
    child.go();
    expect(await child.heard()).toBe("slot");
    const exit = once(child.process, "exit");
    const stuck: unknown[] = [];
    const answer = await takeSlot(folder, { max: 1, onStuck: (run) => stuck.push(run) });
    expect(answer.kind).toBe("slot");
    expect(await exit).toEqual([null, "SIGKILL"]);
    const name = `${thisProcess().host}:${String(child.process.pid)}`;
    expect(stuck).toEqual([{ name, sinceMs: expect.any(Number) as unknown }]);
    expect(readdirSync(folder)).toHaveLength(1);
  });

  test("a process that may still be silent keeps its slot, and one that never said anything too", async () => {
    for (const how of [["", "60000"], []]) {
      const child = await launch(1, ...how);
      child.go();
      await child.heard();
      expect((await takeSlot(folder, { max: 1 })).kind).toBe("full");
      await killed(child);
    }
  });

  test("a stopped process keeps its slot", async () => {
    const child = await launch(1);
    child.go();
    await child.heard();
    child.process.kill("SIGSTOP");
    expect((await takeSlot(folder, { max: 1 })).kind).toBe("full");
  });

  test("whoever waits gets the slot when it is released, in the order of asking", async () => {
    const held = await takeSlot(folder, { max: 1 });
    const waiting = await launch(1, "wait");
    waiting.go();
    await expect.poll(() => slotHolders(folder).length).toBe(2);
    expect((await takeSlot(folder, { max: 1 })).kind).toBe("full");
    if (held.kind === "slot") held.slot.release();
    expect(await waiting.heard()).toBe("slot");
  });

  test("whoever stops waiting leaves", async () => {
    await takeSlot(folder, { max: 1 });
    let asked = 0;
    const answer = await takeSlot(folder, { max: 1, waits: () => ++asked < 3 });
    expect([answer.kind, asked]).toEqual(["full", 3]);
    expect(readdirSync(folder)).toHaveLength(1);
  });

  test("one that died while it drew its ticket holds nobody up", async () => {
    const child = await launch(1);
    child.go();
    await child.heard();
    const [name = ""] = readdirSync(folder);
    await killed(child);
    writeFileSync(join(folder, name.replace(/\.\d+\.run$/, ".choosing")), "");
    const [before, starvedMs] = [performance.now(), starvation()];
    expect((await takeSlot(folder, { max: 1 })).kind).toBe("slot");
    expect(performance.now() - before).toBeLessThan(1_900 + starvedMs()); // a living one would be waited for 2 s
    expect(readdirSync(folder)).toHaveLength(1);
  });

  test("one that is stopped while it draws its ticket is waited for, but not for ever", async () => {
    await takeSlot(folder, { max: 9 });
    const [name = ""] = readdirSync(folder);
    writeFileSync(join(folder, name.replace(/\.[0-9a-f]+\.\d+\.run$/, ".0.choosing")), "");
    expect((await takeSlot(folder, { max: 9 })).kind).toBe("slot");
  });
});
