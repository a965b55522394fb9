import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openEmbeddedStore } from "../../../../src/adapters/embedded/store.ts";
import type { Broker } from "../../../../src/ports/broker.ts";
import { drain, keep, named, testCodec } from "../../../contract/facts/ground.ts";

const disk = mkdtempSync(join(tmpdir(), "memq-full-"));
let mounted = false;

beforeAll(() => {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=14m", "tmpfs", disk], { stdio: "ignore" });
    mounted = true;
  } catch {
    // not root, or not allowed to mount: the tests say that they were skipped
  }
});

afterAll(() => {
  // Lazily: a driver may leave its files open until its statements are collected.
  if (mounted) execFileSync("umount", ["--lazy", disk]);
  rmSync(disk, { recursive: true });
});

/** Publishes until it is refused; answers how many were kept and the refusal. */
async function fill(broker: Broker): Promise<{ readonly kept: number; readonly refusal: unknown }> {
  for (let kept = 0; kept < 2_000; kept++) {
    try {
      await keep(broker, named(`${String(kept)} ${"x".repeat(10_000)}`));
    } catch (refusal) {
      return { kept, refusal };
    }
  }
  throw new Error("the disk never became full");
}

test("a full disk refuses a publish, says so, and earlier tasks survive", async ({ skip }) => {
  if (!mounted) skip("no small disk can be mounted here");
  const ballast = join(disk, "ballast");
  writeFileSync(ballast, Buffer.alloc(5_000_000));
  const store = openEmbeddedStore({ folder: join(disk, "store") });
  const broker = store.queue("full", { codec: testCodec });
  const { kept, refusal } = await fill(broker);
  expect(refusal).toMatchObject({
    code: "STORE_FULL",
    message: `there is no room left on the disk of store ${join(disk, "store")}`,
  });
  expect(kept).toBeGreaterThan(100);
  rmSync(ballast);
  await keep(broker, named("after"));
  const met = await drain(broker, 10);
  expect(met.map(({ name }) => String(name).split(" ")[0])).toEqual([
    ...Array.from({ length: kept }, (_, index) => String(index)),
    "after",
  ]);
  await store.close();
});
