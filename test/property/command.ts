import fc from "fast-check";
import type { TaskState } from "../../src/task/task.ts";

/**
 * One step of a history. `who` is one of three seats, each with an owner that runs `who + 1` tasks at once;
 * `nth` picks among what there is, and a step for which there is nothing does nothing.
 */
export type Command =
  | { readonly kind: "publish"; readonly who: number; readonly wishes: readonly Wish[] }
  | { readonly kind: "claim"; readonly who: number; readonly limit: number }
  | { readonly kind: "start"; readonly who: number; readonly last: boolean }
  | { readonly kind: "settle"; readonly who: number; readonly endings: readonly Ending[] }
  | { readonly kind: "release"; readonly who: number; readonly count: number }
  | { readonly kind: "advance"; readonly seconds: number }
  | { readonly kind: "kill"; readonly who: number }
  | { readonly kind: "lapse"; readonly who: number }
  | { readonly kind: "late"; readonly nth: number; readonly ending: Ending }
  | { readonly kind: "close"; readonly who: number }
  | { readonly kind: "cancel"; readonly who: number; readonly nth: number }
  | { readonly kind: "putBack"; readonly who: number; readonly nth: number | "all" }
  | { readonly kind: "pause"; readonly who: number; readonly seconds?: number | undefined }
  | { readonly kind: "resume"; readonly who: number }
  | { readonly kind: "purge"; readonly who: number; readonly states: readonly TaskState[] }
  | { readonly kind: "find"; readonly who: number; readonly nth: number }
  | { readonly kind: "list"; readonly who: number; readonly state: TaskState; readonly limit: number };

/** What is asked for one task: nothing, a delay in seconds, a key. */
export interface Wish {
  readonly delay?: number | undefined;
  readonly key?: string | undefined;
  readonly replace: boolean;
}

export type Ending = "done" | "dead" | { readonly retryIn: number };

const who = fc.constantFrom(0, 0, 0, 1, 1, 2);
const nth = fc.nat({ max: 30 });
const seconds = fc.constantFrom(0, 1, 5, 35, 60);
const state = fc.constantFrom<TaskState>("waiting", "delayed", "running", "dead");

const wish: fc.Arbitrary<Wish> = fc.record({
  delay: fc.option(seconds, { nil: undefined, freq: 3 }),
  key: fc.option(fc.constantFrom("k0", "k1"), { nil: undefined, freq: 1 }),
  replace: fc.boolean(),
});

const ending: fc.Arbitrary<Ending> = fc.oneof(
  fc.constant<Ending>("done"),
  fc.constant<Ending>("dead"),
  fc.record({ retryIn: seconds }),
);

const of = <K extends Command["kind"], T extends object>(
  kind: K,
  fields: { readonly [Field in keyof T]: fc.Arbitrary<T[Field]> },
): fc.Arbitrary<{ kind: K } & T> =>
  fc.record({ kind: fc.constant(kind), ...fields }) as fc.Arbitrary<{ kind: K } & T>;

// The weights keep queues neither always empty nor never drained.
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: of("publish", { who, wishes: fc.array(wish, { minLength: 1, maxLength: 4 }) }) },
  { weight: 10, arbitrary: of("claim", { who, limit: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 3, arbitrary: of("start", { who, last: fc.boolean() }) },
  { weight: 9, arbitrary: of("settle", { who, endings: fc.array(ending, { minLength: 1, maxLength: 3 }) }) },
  { weight: 2, arbitrary: of("release", { who, count: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 4, arbitrary: of("advance", { seconds }) },
  { weight: 2, arbitrary: of("kill", { who }) },
  { weight: 2, arbitrary: of("lapse", { who }) },
  { weight: 3, arbitrary: of("late", { nth, ending }) },
  { weight: 1, arbitrary: of("close", { who }) },
  { weight: 2, arbitrary: of("cancel", { who, nth }) },
  { weight: 2, arbitrary: of("putBack", { who, nth: fc.oneof(nth, fc.constant<"all">("all")) }) },
  { weight: 1, arbitrary: of("pause", { who, seconds: fc.option(seconds, { nil: undefined }) }) },
  { weight: 2, arbitrary: of("resume", { who }) },
  {
    weight: 1,
    arbitrary: of("purge", { who, states: fc.subarray<TaskState>(["waiting", "delayed", "dead"]) }),
  },
  { weight: 2, arbitrary: of("find", { who, nth }) },
  { weight: 2, arbitrary: of("list", { who, state, limit: fc.integer({ min: 1, max: 4 }) }) },
);

/** Histories of up to 120 steps: some rules only show when much has happened. */
export const histories: fc.Arbitrary<readonly Command[]> = fc.array(command, {
  minLength: 10,
  maxLength: 120,
  size: "max",
});
