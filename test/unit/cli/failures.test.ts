import { expect, test } from "vitest";
import { tellFailures } from "../../../src/cli/failures.ts";
import { MemqError } from "../../../src/errors.ts";

const full = (): MemqError => new MemqError("STORE_FULL", "there is no room left on the disk");

test("what several queues share is said once, with all their names", () => {
  const told: string[] = [];
  const complainOf = (error: MemqError, about?: string): void => {
    told.push(`${String(about)}: ${error.message}`);
  };
  const away = new MemqError("BROKER_UNREACHABLE", "memcached at h:1: nothing listens there");
  const failures = [
    { name: "a", error: full() },
    { name: "b", error: away },
    { name: "c", error: full() },
  ];
  expect(tellFailures({ complainOf }, "queue", failures)).toBe(2);
  expect(told).toEqual([
    'queues "a", "c": there is no room left on the disk',
    'queue "b": memcached at h:1: nothing listens there',
  ]);
});
