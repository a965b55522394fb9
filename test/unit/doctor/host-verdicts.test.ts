import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { judgeConfiguration } from "../../../src/doctor/configuration.ts";
import { judgeFolder, judgeStore } from "../../../src/doctor/folder.ts";
import { judgeNode, judgeSqlite } from "../../../src/doctor/machine.ts";
import { judgeHandlers, judgeSecret } from "../../../src/doctor/queue-settings.ts";
import { exitOf, fail, ok, warn, type Verdict } from "../../../src/doctor/verdict.ts";
import { EXIT, MemqError } from "../../../src/errors.ts";
import type { FolderExamination } from "../../../src/ports/examination.ts";

const root = join(import.meta.dirname, "../../..");

describe("Node.js", () => {
  test.each([
    ["v20.19.0", "ok"],
    ["v20.18.9", "fail"],
    ["v18.20.0", "fail"],
    ["v22.0.0", "ok"],
    ["v24.1.0-nightly", "ok"],
  ])("%s: %s", (version, verdict) => {
    expect(judgeNode(version).verdict).toBe(verdict);
  });

  test("the oldest one is that of package.json", () => {
    const { engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      engines: { node: string };
    };
    const oldest = engines.node.replace(">=", "");
    expect(judgeNode(`v${oldest}`).verdict).toBe("ok");
    expect(judgeNode("v0.0.1").fix).toContain(oldest);
  });
});

test("a missing SQLite fails only where a queue needs it", () => {
  const missing = new MemqError("SQLITE_MISSING", "no SQLite was found");
  expect(judgeSqlite(missing, true)).toMatchObject({ verdict: "fail", exit: 78 });
  expect(judgeSqlite(missing, false)).toMatchObject({ verdict: "warn", exit: 0 });
  expect(judgeSqlite({ driver: "node:sqlite", version: "3.53.0" }, true).says).toBe(
    "SQLite 3.53.0 (node:sqlite)",
  );
});

describe("a store's folder", () => {
  const GB = 1_073_741_824;
  const good: FolderExamination = {
    path: "/srv/memq-data",
    kind: "folder",
    place: "/srv/memq-data",
    owner: "/srv/memq-data belongs to www-data (mode 2770)",
    unshared: [],
    freeBytes: 10 * GB,
    totalBytes: 100 * GB,
    hasStore: true,
  };
  const worst = (changes: Partial<FolderExamination>, keepsTasks = true): Partial<Verdict> | undefined =>
    judgeFolder({ ...good, ...changes }, keepsTasks).findLast(({ verdict }) => verdict !== "ok");

  test("that is well is told to be", () => {
    expect(worst({})).toBeUndefined();
    expect(judgeFolder(good, true).map(({ check }) => check)).toEqual([
      "folder",
      "sharing",
      "file-system",
      "space",
    ]);
  });

  test.each<[string, Partial<FolderExamination>, string, string, number]>([
    ["is a file", { kind: "other" }, "folder", "fail", 78],
    ["may not be written", { refusal: "store x belongs to root" }, "folder", "fail", 78],
    ["has files of others", { unshared: ["store.db-wal"] }, "sharing", "warn", 0],
    ["is on NFS", { network: "NFS" }, "file-system", "fail", 78],
    ["is on a disk with little room", { freeBytes: 100_000_000 }, "space", "warn", 0],
    ["is on a full disk", { freeBytes: 1_000_000 }, "space", "fail", 75],
  ])("that %s", (_name, changes, check, verdict, exit) => {
    expect(worst(changes)).toMatchObject({ check, verdict, exit });
  });

  test("that may not be looked into is not said to be shared", () => {
    const checks = judgeFolder({ ...good, refusal: "store x belongs to root" }, true).map(
      ({ check }) => check,
    );
    expect(checks).not.toContain("sharing");
  });

  test("that is not there yet is no fault", () => {
    const verdicts = judgeFolder({ ...good, kind: "absent", place: "/srv", hasStore: false }, true);
    expect(verdicts[0]).toMatchObject({ verdict: "ok", says: "it is made in /srv when it is needed" });
  });

  test("that keeps no tasks may be on a network, and on a full disk", () => {
    expect(worst({ network: "NFS" }, false)).toBeUndefined();
    expect(worst({ freeBytes: 0 }, false)).toMatchObject({ check: "space", verdict: "warn" });
  });

  test("whose store is damaged fails as its commands would", () => {
    expect(judgeStore(new MemqError("STORE_BROKEN", "it is damaged"))).toMatchObject({
      verdict: "fail",
      exit: 74,
    });
    expect(judgeStore(undefined).verdict).toBe("ok");
  });
});

test("every fault of a configuration is a verdict of its own", () => {
  const { verdicts } = judgeConfiguration({
    file: "c.ini",
    faults: ["line 1: a", "line 2: b"],
    queues: [],
  });
  expect(verdicts.map(({ verdict, exit }) => [verdict, exit])).toEqual([
    ["fail", 78],
    ["fail", 78],
  ]);
});

test("a configuration without fault names its queues", () => {
  const { verdicts } = judgeConfiguration({ file: "/c.ini", faults: [], queues: ["a", "b"] });
  expect(verdicts).toEqual([{ check: "config", verdict: "ok", says: "/c.ini: queues a, b", exit: 0 }]);
});

test("a short secret is told, without a sign of it", () => {
  expect(judgeSecret(undefined)).toBeUndefined();
  expect(judgeSecret("x".repeat(32))?.verdict).toBe("ok");
  const short = judgeSecret("hunter2");
  expect(short?.verdict).toBe("warn");
  expect(JSON.stringify(short)).not.toContain("hunter2");
});

test("a class without methods is told", () => {
  expect(judgeHandlers([{ name: "Worker", methods: 1 }])).toMatchObject({
    verdict: "ok",
    says: "Worker (1 method)",
  });
  const found = judgeHandlers([
    { name: "Worker", methods: 2 },
    { name: "Empty", methods: 0 },
  ]);
  expect(found).toMatchObject({ verdict: "warn", exit: 0 });
  expect(found.says).toContain("Empty has no method");
});

test("the exit code is the worst of all that fails; warnings count nothing", () => {
  const complaint = { says: "s", fix: "f" };
  const exit = (...verdicts: Verdict[]): number =>
    exitOf([
      { about: "a", verdicts: [ok("x", "y")] },
      { about: "b", verdicts },
    ]);
  expect(exit(warn("x", complaint))).toBe(0);
  expect(exit(fail("x", EXIT.loss, complaint), fail("x", EXIT.tryLater, complaint))).toBe(74);
  expect(exit(fail("x", EXIT.loss, complaint), fail("x", EXIT.unreachable, complaint))).toBe(69);
  expect(exit(fail("x", EXIT.config, complaint), fail("x", EXIT.unreachable, complaint))).toBe(78);
});

test("docs/doctor.md has a line for every check, and for no other", () => {
  const folder = join(root, "src/doctor");
  const sources = readdirSync(folder)
    .filter((name) => name !== "as-cron.ts") // a trial of its own, with words of its own
    .map((name) => readFileSync(join(folder, name), "utf8"))
    .join("\n");
  const checks = [...sources.matchAll(/\b(?:ok|warn|fail|failed)\(\s*"([a-z-]+)"/g)].map((match) => match[1]);
  const document = readFileSync(join(root, "docs/doctor.md"), "utf8");
  const rows = [...document.matchAll(/^\| `([a-z-]+)` \|/gm)].map((match) => match[1]);
  expect(new Set(rows)).toEqual(new Set(checks));
  expect(rows).toHaveLength(new Set(rows).size);
  expect(rows.length).toBeGreaterThan(25);
});
