import { memoryQueue, virtualClock } from "../../src/testing.ts";
import type { BrokerHarness } from "./broker-contract.ts";

/** The model itself: a virtual clock and no I/O. */
export const memoryHarness: BrokerHarness = {
  name: "memory",
  setUp: () => {
    const clock = virtualClock();
    const queue = memoryQueue({ clock });
    const now = (work: () => void): Promise<void> => Promise.resolve().then(work);
    return Promise.resolve({
      open: (options) => Promise.resolve(queue.open(options)),
      kill: (owner) =>
        now(() => {
          queue.endLease(owner);
        }),
      lapse: (owner) =>
        now(() => {
          queue.endLease(owner);
        }),
      advance: (ms) => clock.advance(ms),
      now: () => clock.now(),
      corrupt: (id, text) =>
        now(() => {
          queue.corrupt(id, text);
        }),
      tearDown: () => Promise.resolve(),
    });
  },
};
