import { describe, expect, test } from "vitest";
import { bundlesOf } from "../../../../src/adapters/memcached/bundles.ts";
import type { Encoded } from "../../../../src/adapters/memcached/bundles.ts";
import type { Control, Stake, TaskStake } from "../../../../src/adapters/memcached/control.ts";
import { nextStep } from "../../../../src/adapters/memcached/next-step.ts";
import type { Scene } from "../../../../src/adapters/memcached/next-step.ts";
import { Pace } from "../../../../src/adapters/memcached/pace.ts";
import type { Member, StoredRecord } from "../../../../src/adapters/memcached/record.ts";
import { encodeRecord } from "../../../../src/adapters/memcached/record.ts";
import {
  hasSuspects,
  openMembers,
  sortRecord,
  suspectsTo,
} from "../../../../src/adapters/memcached/sorting.ts";
import { plainCodec } from "../../../../src/task/codec.ts";

const codec = plainCodec(10_000);

const block = (changes: Partial<Control> = {}): Control => ({
  epoch: "e",
  lists: [{ name: "one", tasks: 0 }],
  offset: 0,
  closing: false,
  stakes: [],
  sweptTo: 100,
  deadLists: [{ name: "dead", tasks: 0 }],
  lost: 0,
  ...changes,
});

const stakeOf = (changes: Partial<TaskStake> = {}): TaskStake => ({
  kind: "tasks",
  id: "s",
  owner: "other",
  generation: 0,
  entries: ["a", "b", "c"],
  loose: 0,
  ...changes,
});

const scene = (changes: Partial<Scene> = {}): Scene => ({
  control: block(),
  head: { text: "" },
  isOrphan: () => false,
  isSweepDue: false,
  now: 160,
  nowMs: 160_000,
  limit: 2,
  ...changes,
});

describe("the next step of a claimer", () => {
  test("a pause goes before everything else, until it is over", () => {
    const control = block({ pausedUntilMs: 200_000, stakes: [stakeOf()] });
    const all = { control, isOrphan: () => true, isSweepDue: true };
    expect(nextStep(scene(all))).toEqual({ kind: "paused", untilMs: 200_000 });
    expect(nextStep(scene({ ...all, nowMs: 200_000 })).kind).toBe("takeOver");
  });

  test("what a dead owner had goes before what waits", () => {
    const dead = stakeOf();
    const control = block({ stakes: [stakeOf({ id: "alive" }), dead] });
    const isOrphan = ({ id }: Stake): boolean => id === dead.id;
    expect(nextStep(scene({ control, isOrphan, head: { text: "x," } }))).toEqual({
      kind: "takeOver",
      stake: dead,
    });
  });

  test("what was handed back untouched is taken as far as it is wanted", () => {
    const back = stakeOf({ owner: "" });
    const control = block({ stakes: [back] });
    expect(nextStep(scene({ control, isOrphan: () => true }))).toEqual({
      kind: "resume",
      stake: back,
      mine: ["a", "b"],
      rest: ["c"],
    });
  });

  test("what was handed back by an owner that had started some of it is taken over", () => {
    const back = stakeOf({ owner: "", generation: 1 });
    expect(nextStep(scene({ control: block({ stakes: [back] }), isOrphan: () => true })).kind).toBe(
      "takeOver",
    );
  });

  test("what is due is released before the list is looked at", () => {
    expect(nextStep(scene({ isSweepDue: true, head: { text: "x," } }))).toEqual({
      kind: "sweep",
      from: 100,
      to: 160,
    });
  });

  test("entries are taken up to the limit, bundles by what is in them, at least one", () => {
    const take = (text: string, limit: number): unknown => nextStep(scene({ head: { text }, limit }));
    expect(take("a,b,c,", 2)).toEqual({ kind: "take", entries: ["a", "b"], end: 4, isLast: false });
    expect(take("a~16,b,", 2)).toMatchObject({ entries: ["a~16"], end: 5 });
    expect(take("a,b~16,", 2)).toMatchObject({ entries: ["a"], end: 2 });
  });

  test("the end of a list that others follow is told with the last entries", () => {
    const control = block({
      lists: [
        { name: "one", tasks: 2 },
        { name: "two", tasks: 0 },
      ],
    });
    expect(nextStep(scene({ control, head: { text: "a,b," } }))).toMatchObject({
      kind: "take",
      isLast: true,
    });
    expect(nextStep(scene({ control: { ...control, offset: 4 }, head: { text: "a,b," } }))).toEqual({
      kind: "shut",
    });
  });

  test("an only list that is used up is rest, one that is gone is begun anew", () => {
    expect(nextStep(scene({ control: block({ offset: 2 }), head: { text: "a," } }))).toEqual({
      kind: "idle",
    });
    expect(nextStep(scene({ head: undefined }))).toEqual({ kind: "renew" });
  });
});

const stored = (changes: Partial<StoredRecord> = {}): StoredRecord => ({
  state: "ready",
  bornAt: 1,
  due: 0,
  marked: false,
  writer: "",
  listed: false,
  bundled: false,
  members: [{ text: codec.encode({ method: "m", args: [] }), attempts: 0 }],
  ...changes,
});

const itemOf = (record: StoredRecord): { value: Buffer; cas: bigint } => ({
  value: Buffer.from(encodeRecord(record)),
  cas: 1n,
});

describe("a record in a stake", () => {
  const entry = { name: "a", members: 1, again: false };
  const sort = (record: StoredRecord | undefined, stake = stakeOf()): unknown =>
    sortRecord(record && itemOf(record), { stake, entry, sweptTo: 100 });

  test("is a task when it is ready, due, and nobody else's", () => {
    expect(sort(stored())).toMatchObject({ kind: "tasks" });
    expect(sort(stored({ due: 100, marked: true }))).toMatchObject({ kind: "tasks" });
    expect(sort(stored({ run: { stake: "s", generation: 0 } }), stakeOf({ generation: 1 }))).toMatchObject({
      kind: "tasks",
    });
  });

  test("is left alone when another stake has it, or a later owner of this one", () => {
    expect(sort(stored({ run: { stake: "x", generation: 0 } }))).toEqual({ kind: "elsewhere" });
    expect(sort(stored({ run: { stake: "s", generation: 1 } }))).toEqual({ kind: "elsewhere" });
  });

  test("is a task of ours when the block, seen after it, knows nobody who has it", () => {
    const after = (stakes: readonly TaskStake[], record: StoredRecord): unknown =>
      sortRecord(itemOf(record), { stake: stakeOf(), entry, sweptTo: 100, control: block({ stakes }) });
    const theirs = stored({ run: { stake: "x", generation: 1 } });
    const held = stakeOf({ id: "x", generation: 1, entries: ["b", "a"] });
    expect(after([held], theirs)).toEqual({ kind: "elsewhere" });
    expect(after([{ ...held, generation: 2 }], theirs)).toEqual({ kind: "elsewhere" });
    for (const stakes of [[], [{ ...held, generation: 0 }], [{ ...held, entries: ["b"] }]]) {
      const sorted = after(stakes, theirs);
      expect(sorted).toMatchObject({ kind: "tasks", stored: { marked: true } });
      expect(sorted).not.toHaveProperty("stored.run");
      expect(after(stakes, { ...theirs, state: "cancelled" })).toMatchObject({ kind: "cancelled" });
    }
  });

  test("is told as delayed, dead, cancelled or missing", () => {
    expect(sort(stored({ due: 101 }))).toEqual({ kind: "delayed", due: 101 });
    expect(sort(stored({ state: "dead" }))).toMatchObject({ kind: "dead" });
    expect(sort(stored({ state: "cancelled" }))).toMatchObject({ kind: "cancelled" });
    expect(sort(undefined)).toEqual({ kind: "missing", counts: true });
  });

  test("that is missing is a loss only where nothing else explains it", () => {
    const missing = (name: string, again: boolean, generation: number): unknown =>
      sortRecord(undefined, {
        stake: stakeOf({ generation }),
        entry: { name, members: 1, again },
        sweptTo: 0,
      });
    expect(missing("a", true, 0)).toEqual({ kind: "missing", counts: false });
    expect(missing("a", false, 1)).toEqual({ kind: "missing", counts: false });
    expect(missing(`k${"0".repeat(32)}`, false, 0)).toEqual({ kind: "missing", counts: false });
  });
});

describe("what a dead owner may have started", () => {
  const bundle = (texts: readonly (string | undefined)[]): StoredRecord =>
    stored({ bundled: true, members: texts.map((text) => ({ text, attempts: 0 })) });
  const text = codec.encode({ method: "m", args: [] });

  test("is the first so many tasks that are still there, across records", () => {
    const records = [undefined, bundle([undefined, text, text]), stored(), stored()];
    expect(suspectsTo(1, records, stakeOf())).toEqual({ entry: 1, member: 1 });
    expect(suspectsTo(3, records, stakeOf())).toEqual({ entry: 2, member: 0 });
    expect(suspectsTo(9, records, stakeOf())).toEqual({ entry: 3, member: 0 });
    expect(suspectsTo(2, [], stakeOf())).toBeUndefined();
  });

  test("does not count what is marked: that is known exactly", () => {
    const marked = stored({
      marked: true,
      run: { stake: "s", generation: 0 },
      members: [{ text, attempts: 1 }],
    });
    expect(suspectsTo(1, [marked, stored()], stakeOf())).toEqual({ entry: 1, member: 0 });
    expect(hasSuspects(marked, stakeOf({ generation: 1 }), 0)).toBe(true);
    expect(hasSuspects(stored(), stakeOf({ generation: 1 }), 0)).toBe(false);
  });

  test("does not count what is on record in the block, nor who has left a bundle", () => {
    const bundle = stored({ bundled: true, members: Array<Member>(4).fill({ text, attempts: 0 }) });
    const stake = stakeOf({
      marks: [{ entry: 0, member: 1, attempts: 1 }],
      gone: [{ entry: 0, members: [0] }],
    });
    expect(suspectsTo(1, [bundle], stake)).toEqual({ entry: 0, member: 2 });
  });

  test("is nothing that has left its bundle", () => {
    const bundle = stored({ bundled: true, members: Array<Member>(2).fill({ text, attempts: 0 }) });
    const stake = stakeOf({ generation: 1, gone: [{ entry: 0, members: [0] }] });
    expect(openMembers("a", bundle, { stake, place: 0, codec }).map(({ index }) => index)).toEqual([1]);
    const suspected = { ...stake, suspectsTo: { entry: 0, member: 0 } };
    expect(hasSuspects(bundle, suspected, 0)).toBe(false);
  });

  test("is charged once, and is suspect; what comes behind is neither", () => {
    const stake = stakeOf({ generation: 1, suspectsTo: { entry: 0, member: 0 } });
    const open = (place: number): unknown => openMembers("a", stored(), { stake, place, codec })[0];
    expect(open(0)).toMatchObject({ attempt: 2, isSuspect: true });
    expect(open(1)).toMatchObject({ attempt: 1, isSuspect: false });
  });

  test("is not a task without retries: its only start would be on record", () => {
    const only = stored({
      members: [{ text: codec.encode({ method: "m", args: [], retries: 0 }), attempts: 0 }],
    });
    const stake = stakeOf({ generation: 1, suspectsTo: { entry: 5, member: 0 } });
    expect(openMembers("a", only, { stake, place: 0, codec })[0]).toMatchObject({
      attempt: 1,
      isSuspect: false,
    });
  });

  test("may be on record in the block, where the record could not be written", () => {
    const stake = stakeOf({ generation: 1, marks: [{ entry: 0, member: 0, attempts: 2 }] });
    expect(openMembers("a", stored(), { stake, place: 0, codec })[0]).toMatchObject({
      attempt: 3,
      isSuspect: true,
    });
  });
});

describe("pace", () => {
  const paceOf = (gapMs: number, starts: number): Pace => {
    let now = 0;
    const pace = new Pace(() => now, 16);
    for (let start = 0; start < starts; start++) {
      now += gapMs;
      pace.asked();
      pace.answered(() => 3);
    }
    return pace;
  };

  test("every start is on record until tasks are known to be fast", () => {
    expect(paceOf(0.01, 15).loose(1)).toBe(0);
    expect(paceOf(0.01, 16).loose(1)).toBe(6);
    expect(paceOf(0.01, 16).loose(40)).toBe(40);
  });

  test("slow tasks stay on record", () => {
    expect(paceOf(5, 100).loose(1)).toBe(0);
  });
});

describe("bundles", () => {
  const encoded = (place: number, changes: Partial<Encoded> = {}): Encoded => ({
    place,
    draft: { method: "m", args: [] },
    body: "x".repeat(100),
    due: 0,
    ...changes,
  });
  const placesOf = (drafts: readonly Encoded[], size: number): unknown =>
    bundlesOf(drafts, size).map((group) => group.map(({ place }) => place));

  test("take neighbours up to their size", () => {
    expect(
      placesOf(
        [0, 1, 2, 3, 4].map((place) => encoded(place)),
        2,
      ),
    ).toEqual([[0, 1], [2, 3], [4]]);
  });

  test("never take what has a key or a delay, nor reach across it", () => {
    const keyed = encoded(1, { draft: { method: "m", args: [], key: "k" } });
    const drafts = [encoded(0), keyed, encoded(2), encoded(3, { due: 5 }), encoded(4), encoded(5)];
    expect(placesOf(drafts, 16)).toEqual([[0], [1], [2], [3], [4, 5]]);
  });

  test("stay small in bytes", () => {
    const large = [0, 1, 2].map((place) => encoded(place, { body: "x".repeat(9_000) }));
    expect(placesOf(large, 16)).toEqual([[0], [1], [2]]);
  });
});
