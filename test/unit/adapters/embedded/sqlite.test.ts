import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { unreadablePart } from "../../../../src/adapters/embedded/prebuilt.ts";
import {
  chooseDriver,
  isSafeVersion,
  sqliteDriver,
  type Candidate,
} from "../../../../src/adapters/embedded/sqlite.ts";

test.each([
  ["3.45.1", false],
  ["3.50.6", false],
  ["3.50.7", true],
  ["3.51.2", false],
  ["3.51.3", true],
  ["3.53.0", true],
  ["4.0.0", true],
])("SQLite %s is safe for several processes: %s", (version, safe) => {
  expect(isSafeVersion(version)).toBe(safe);
});

/** A SQLite of that version, as far as the choice looks. */
function ofVersion(version: string): Candidate {
  class DatabaseSync {
    exec(): void {
      // nothing is looked at but the version
    }
    prepare(): { run(): { changes: number }; get(): unknown; all(): unknown[] } {
      return { run: () => ({ changes: 0 }), get: () => ({ version }), all: () => [] };
    }
    close(): void {
      // nothing was opened
    }
  }
  return { name: `sqlite ${version}`, load: () => ({ DatabaseSync }) };
}

const absent = (name: string): Candidate => ({ name, load: () => undefined });

test("the first candidate that is there and safe is taken", () => {
  const candidates = [absent("node:sqlite"), ofVersion("3.45.1"), ofVersion("3.53.0"), ofVersion("3.54.0")];
  expect(chooseDriver(candidates).name).toBe("sqlite 3.53.0");
});

test("without a safe SQLite it is said what was found instead", () => {
  expect(() => chooseDriver([ofVersion("3.45.1"), absent("@photostructure/sqlite")])).toThrow(
    expect.objectContaining({
      code: "SQLITE_MISSING",
      message:
        "no SQLite of 3.51.3 or later (or 3.50.7) was found: " +
        "sqlite 3.45.1 has SQLite 3.45.1, @photostructure/sqlite is not there",
    }),
  );
});

test("a package that may not be read is named with the path that bars the way", () => {
  const barred = { ...absent("@photostructure/sqlite"), obstacle: () => "/app/node_modules" };
  expect(() => chooseDriver([barred])).toThrow(
    "@photostructure/sqlite cannot be read by this user: EACCES, /app/node_modules",
  );
});

test.skipIf(process.geteuid?.() !== 0)(
  "the first path that keeps this user from the package is found",
  () => {
    const top = mkdtempSync(join(tmpdir(), "memq-barred-"));
    const inside = join(top, "app/src");
    const scope = join(top, "node_modules/@photostructure");
    mkdirSync(inside, { recursive: true });
    mkdirSync(join(scope, "sqlite"), { recursive: true });
    chmodSync(top, 0o755);
    const asNobody = (): string | undefined => {
      process.seteuid?.(65_534);
      try {
        return unreadablePart(inside);
      } finally {
        process.seteuid?.(0);
      }
    };
    expect(asNobody()).toBeUndefined();
    chmodSync(join(scope, "sqlite"), 0o700);
    expect(asNobody()).toBe(join(scope, "sqlite"));
    chmodSync(join(top, "node_modules"), 0o700);
    expect(asNobody()).toBe(join(top, "node_modules"));
    rmSync(top, { recursive: true });
  },
);

test("a process that uses it says nothing on stderr", () => {
  const folder = mkdtempSync(join(tmpdir(), "memq-sqlite-"));
  const child = join(import.meta.dirname, "store-process.ts");
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ["--import", "jiti/register", child, join(folder, "store")],
    { encoding: "utf8" },
  );
  rmSync(folder, { recursive: true });
  expect([stdout, stderr]).toEqual(["kept\n", ""]);
});

test("another copy of this package in the same process opens the store with the same SQLite", async () => {
  const mine = sqliteDriver();
  vi.resetModules();
  const another = await import("../../../../src/adapters/embedded/sqlite.ts");
  expect(another.sqliteDriver).not.toBe(sqliteDriver);
  expect(another.sqliteDriver()).toBe(mine);
});
