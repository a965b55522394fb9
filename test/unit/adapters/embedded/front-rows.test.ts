import { afterEach, beforeEach, expect, test } from "vitest";
import type { Broker } from "../../../../src/ports/broker.ts";
import { EmbeddedQueue } from "../../../contract/embedded.harness.ts";
import { drain, keep, named, series, take, testCodec } from "../../../contract/facts/ground.ts";

let queue: EmbeddedQueue;
let owner: Broker;

beforeEach(async () => {
  queue = new EmbeddedQueue();
  owner = await queue.open();
});

afterEach(() => queue.tearDown());

const bodyOf = (name: string): string => testCodec.encode(named(name));

test("a body that somebody else laid out over lines is read as it stands, and its neighbours are none the worse", async () => {
  const [, b = "", c = ""] = await keep(owner, ...["a", "b", "c", "d"].map((name) => named(name)));
  await queue.corrupt(b, bodyOf("B").replaceAll(",", ",\n"));
  await queue.corrupt(c, "no\ntask");
  expect((await drain(owner)).map(({ name }) => name)).toEqual(["a", "B", "d"]);
  expect(await owner.find(c)).toMatchObject({ state: "dead" });
});

test("a line end in one body and a zero character in another do not make up for each other", async () => {
  const [a = "", b = ""] = await keep(owner, ...["a", "b", "c", "d"].map((name) => named(name)));
  await queue.corrupt(a, `${bodyOf("A")}\n`);
  queue.sql("UPDATE task SET body = body || char(0) WHERE id = ?", Number(b.split("-")[1]));
  expect((await drain(owner)).map(({ name }) => name)).toEqual(["A", "c", "d"]);
  expect(await owner.find(b)).toMatchObject({ state: "dead" });
});

test("letters of any kind come out as they went in", async () => {
  const texts = ["王", "🚀", "\u2028", "a\nb", "\u0000", "\ud800", ""];
  await keep(owner, ...texts.map((name) => named(name)));
  expect((await take(owner, 99)).map(({ task }) => task.args[0])).toEqual(texts);
});

test("of more tasks than are read in one go none is missed, whatever was done to some of them", async () => {
  const ids = await keep(owner, ...series("a", 300).map((name) => named(name)));
  for (const id of ids.slice(100, 110)) await owner.cancel(id);
  const some = await take(owner, 30);
  await owner.release(some.slice(10));
  const rest = await take(owner, 400);
  expect([...some.slice(0, 10), ...rest].map(({ task }) => task.id)).toEqual([
    ...ids.slice(0, 100),
    ...ids.slice(110),
  ]);
});
