import { afterEach, expect, test } from "vitest";
import { Vigil } from "../../../src/run/vigil.ts";
import type { Task } from "../../../src/task/task.ts";

const task = { id: "1", method: "push" } as Task;
let vigil: Vigil;
afterEach(() => {
  vigil.end();
});

function watched(): { at: number; said: number[]; hung: string[] } {
  const world = { at: 0, said: [] as number[], hung: [] as string[] };
  vigil = new Vigil({
    upMs: () => world.at,
    mayBlock: (ms) => world.said.push(world.at + ms),
    onHang: (queue) => world.hung.push(queue),
  });
  return world;
}

test("a process may be silent for a call's time and a few seconds, and not for longer than the calls under way need", () => {
  const world = watched();
  const over = vigil.of("push").begins(task, 1_000);
  expect(world.said.at(-1)).toBe(6_500);
  const overLong = vigil.of("push").begins(task, 600_000);
  expect(world.said.at(-1)).toBe(605_500);
  overLong();
  vigil.look();
  expect(world.said.at(-1)).toBe(6_500);
  over();
  vigil.look();
  expect(world.said.at(-1)).toBe(60_500);
});

test("many fast calls say it twice a second, not each", () => {
  const world = watched();
  for (world.at = 0; world.at < 10_000; world.at += 5) vigil.of("push").begins(task, 1_000)();
  expect(world.said.length).toBeLessThan(25);
  expect(world.said.every((said, nth) => nth === 0 || said > (world.said[nth - 1] ?? 0) - 60_000)).toBe(true);
});

test("a handler that goes on five seconds after its time is told once, one that ends in between is not", () => {
  const world = watched();
  vigil.of("push").begins(task, 1_000);
  const over = vigil.of("mail").begins(task, 1_000);
  world.at = 5_900;
  vigil.look();
  expect(world.hung).toEqual([]);
  over();
  world.at = 6_001;
  vigil.look();
  vigil.look();
  expect(world.hung).toEqual(["push"]);
});

test("a handler that was told of no longer decides for how long the process may be silent", () => {
  const world = watched();
  vigil.of("push").begins(task, 1_000);
  world.at = 7_000;
  vigil.look();
  expect(world.said.at(-1)).toBe(67_500);
});
