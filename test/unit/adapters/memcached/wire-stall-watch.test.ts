import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { StallWatch } from "../../../../src/adapters/memcached/stall-watch.ts";

const onStall = vi.fn();
let watch: StallWatch;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  onStall.mockClear();
  watch = new StallWatch(onStall);
});
afterEach(() => {
  watch.stop();
  vi.useRealTimers();
});

/** So much time, then the rest of that turn of the event loop. */
async function pass(ms: number): Promise<void> {
  vi.advanceTimersByTime(ms);
  await new Promise(setImmediate);
}

test("a silent server is told after the limit, not before", async () => {
  watch.start(1_000);
  await pass(900);
  expect(onStall).not.toHaveBeenCalled();
  await pass(200);
  expect(onStall).toHaveBeenCalled();
});

test("progress starts the wait anew", async () => {
  watch.start(1_000);
  for (let n = 0; n < 10; n++) {
    await pass(900);
    watch.progress();
  }
  expect(onStall).not.toHaveBeenCalled();
});

test("parts of an answer prolong the wait, but not for ever", async () => {
  watch.start(1_000);
  for (let n = 0; n < 50; n++) {
    expect(onStall).not.toHaveBeenCalled();
    watch.heard();
    await pass(500);
  }
  for (let n = 0; n < 20; n++) {
    watch.heard();
    await pass(500);
  }
  expect(onStall).toHaveBeenCalled();
});

test("starting again starts the wait anew, with another limit", async () => {
  watch.start(1_000);
  await pass(900);
  watch.start(2_000);
  await pass(1_900);
  expect(onStall).not.toHaveBeenCalled();
});

test("what arrives in the turn in which the time is up still counts", async () => {
  watch.start(1_000);
  vi.advanceTimersByTime(1_000);
  watch.progress();
  await new Promise(setImmediate);
  expect(onStall).not.toHaveBeenCalled();
});

test("after stop nothing is told, not even when the time was up in that turn", async () => {
  watch.start(1_000);
  vi.advanceTimersByTime(1_000);
  watch.stop();
  await pass(5_000);
  expect(onStall).not.toHaveBeenCalled();
});

test("a watch that is off keeps no timer for longer than a tick", async () => {
  watch.start(1_000);
  watch.stop();
  await pass(200);
  expect(vi.getTimerCount()).toBe(0);
});

test("a watch that is on again before the tick is on", async () => {
  watch.start(1_000);
  watch.stop();
  watch.start(1_000);
  await pass(1_100);
  expect(onStall).toHaveBeenCalled();
});
