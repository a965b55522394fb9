import { expect, test } from "vitest";
import { MemqError } from "../../../src/errors.ts";
import type { Broker } from "../../../src/ports/broker.ts";
import { drainWith, ground, numbered, publish } from "./ground.ts";

/** The same broker, of which the `at`th settle finds the store locked. */
function busyAt(at: number, broker: Broker): Broker {
  let settles = 0;
  return new Proxy(broker, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      const method = value.bind(target) as (...args: unknown[]) => unknown;
      if (name !== "settle") return method;
      return (...args: unknown[]) =>
        ++settles === at
          ? Promise.reject(new MemqError("BUSY", "store x was locked by other processes for 10 s"))
          : method(...args);
    },
  });
}

test("what has run while the store was locked is settled when the run ends, and not run again", async () => {
  const place = ground();
  await publish(place.broker, ...numbered("work", 4));
  const seen: number[] = [];
  class Worker {
    work(n: number): void {
      seen.push(n);
    }
  }
  const busy = { ...place, broker: busyAt(1, place.queue.open()) };
  await expect(drainWith(busy, { Worker })).rejects.toMatchObject({ code: "BUSY" });
  await busy.broker.close();
  await drainWith(place, { Worker });
  expect(seen).toEqual([0, 1, 2, 3]);
});

test.each(["BROKER_UNREACHABLE", "BUSY"] as const)(
  "what has run is told when %s keeps its outcome from the record for good",
  async (code) => {
    const place = ground();
    await publish(place.broker, ...numbered("work", 3));
    class Worker {
      work(): void {
        // what it does is not recorded
      }
    }
    const broker = new Proxy(place.queue.open(), {
      get: (target, name) => {
        if (name === "settle") return () => Promise.reject(new MemqError(code, "away"));
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
    await expect(drainWith({ ...place, broker }, { Worker })).rejects.toMatchObject({ code });
    const told = place.events.filter(({ kind }) => kind === "unrecorded");
    expect(told.length).toBeGreaterThan(0);
    expect(place.events.filter(({ kind }) => kind === "done")).toEqual([]);
  },
);
