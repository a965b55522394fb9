import { afterEach, expect, test, vi } from "vitest";
import { whenFree } from "../../../../src/adapters/embedded/patience.ts";

const busy = (): never => {
  throw Object.assign(new Error("database is locked"), { errcode: 5 });
};

afterEach(() => {
  vi.restoreAllMocks();
});

test("what another process is in the way of is tried again until it succeeds", async () => {
  let tries = 0;
  expect(await whenFree(() => (++tries < 30 ? busy() : "done"), "/store")).toBe("done");
  expect(tries).toBe(30);
});

test("another error ends the trying at once", async () => {
  let tries = 0;
  const failing = whenFree(() => {
    tries++;
    throw new Error("no such table");
  }, "/store");
  await expect(failing).rejects.toThrow("no such table");
  expect(tries).toBe(1);
});

test("after ten seconds it gives up and names the store", async () => {
  let nowMs = 0;
  vi.spyOn(performance, "now").mockImplementation(() => (nowMs += 1_000));
  await expect(whenFree(busy, "/x/memq-data")).rejects.toMatchObject({
    code: "BUSY",
    message: "store /x/memq-data was locked by other processes for 10 s",
  });
});

test("waiting leaves the event loop free after a few milliseconds", async () => {
  let turns = 0;
  const turning = setInterval(() => turns++, 1);
  let tries = 0;
  await whenFree(() => (++tries < 40 ? busy() : undefined), "/store");
  clearInterval(turning);
  expect(turns).toBeGreaterThan(5);
});
