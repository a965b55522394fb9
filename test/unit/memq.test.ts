import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { open, type Memq, type PublishTo, type RunOptions } from "../../src/memq.ts";

class Worker {
  push(): void {}
}

let folder: string;
let memq: Memq;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "memq-api-"));
  memq = await open({ store: folder }, { handlers: { Worker } });
});
afterEach(async () => {
  await memq.close();
  rmSync(folder, { recursive: true });
});

/** What plain JavaScript can pass. */
const wrong = (value: unknown): never => value as never;
const usage = (message: string): object => ({
  code: "USAGE",
  message: expect.stringContaining(message) as string,
});

test("nothing is published or run once it is closed", async () => {
  await memq.publish("push");
  await memq.close();
  await expect(memq.publish("push")).rejects.toMatchObject(usage("closed"));
  await expect(memq.publishMany([{ method: "push" }])).rejects.toMatchObject(usage("closed"));
  await expect(memq.run()).rejects.toMatchObject(usage("closed"));
});

test("a misspelt option is refused, with what was meant", async () => {
  const misspelt: PublishTo = wrong({ dealy: "20m" });
  const meant = usage('unknown option "dealy", did you mean "delay"?');
  await expect(memq.publish("push", [], misspelt)).rejects.toMatchObject(meant);
  await expect(memq.publishMany([{ method: "push" }], misspelt)).rejects.toMatchObject(meant);
  const run: RunOptions = wrong({ maxTim: "9m" });
  await expect(memq.run(run)).rejects.toMatchObject(usage('did you mean "maxTime"?'));
});

test("a run without time is refused", async () => {
  await expect(memq.run({ maxTime: "0s" })).rejects.toMatchObject(usage("maxTime is longer than 0"));
});

test("a misspelt option of one item refuses that item alone", async () => {
  const { outcomes } = await memq.publishMany([wrong({ method: "push", dealy: "20m" }), { method: "push" }]);
  expect(outcomes).toMatchObject([{ kind: "refused", code: "USAGE" }, { kind: "kept" }]);
});

test("queues are named by texts, in a list", async () => {
  await expect(memq.publish("push", [], { queue: wrong(5) })).rejects.toMatchObject(usage("not number"));
  await expect(memq.run({ queues: wrong("default") })).rejects.toMatchObject(usage("queues is a list"));
});

test.each([0, -1, 1.5, Number.NaN])("a run of %s tasks at a time is refused", async (concurrency) => {
  await expect(memq.run({ concurrency })).rejects.toMatchObject(usage("concurrency"));
});
