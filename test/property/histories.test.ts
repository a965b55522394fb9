import fc from "fast-check";
import { afterAll, beforeAll, test, vi } from "vitest";
import type { BrokerHarness, QueueUnderTest } from "../contract/broker-contract.ts";
import { embeddedHarness } from "../contract/embedded.harness.ts";
import { memoryHarness } from "../contract/memory.harness.ts";
import { histories } from "./command.ts";
import type { Command } from "./command.ts";
import { play } from "./history.ts";

const HISTORIES = 200;
const TIMEOUT_MS = 120_000; // a history takes some 50 ms; shrinking a failing one takes hundreds

// Two brokers see the same times only when time stands still between the steps.
beforeAll(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.UTC(2026, 0, 1) });
});
afterAll(() => {
  vi.useRealTimers();
});

test.skipIf(embeddedHarness.unavailable !== undefined)(
  "random histories give the same answers and the same depth on the memory and the embedded broker",
  { timeout: TIMEOUT_MS },
  async () => {
    await fc.assert(
      fc.asyncProperty(histories, (history) => playOn(history, [memoryHarness, embeddedHarness])),
      { numRuns: HISTORIES, interruptAfterTimeLimit: TIMEOUT_MS / 2 },
    );
  },
);

async function playOn(history: readonly Command[], harnesses: readonly BrokerHarness[]): Promise<void> {
  const queues: QueueUnderTest[] = [];
  try {
    for (const harness of harnesses) queues.push(await harness.setUp());
    await play(history, queues);
  } finally {
    for (const queue of queues) await queue.tearDown();
  }
}
