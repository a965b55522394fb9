import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { keysOf } from "../../src/adapters/memcached/names.ts";
import { open, type Memq, type MemqError } from "../../src/index.ts";
import type { Broker } from "../../src/ports/broker.ts";
import { systemClock } from "../../src/ports/clock.ts";
import { examineList } from "../servers/list-checker.ts";
import { noMemcached, startMemcached, type MemcachedServer } from "../servers/memcached-server.ts";
import {
  answerTo,
  KEPT_MS,
  LATE_MS,
  LONG,
  TornCalls,
  type Caller,
  type Told,
} from "../servers/torn-calls.ts";
import { writeFigures } from "../servers/torn-queue.ts";

// `npm run torture` asks for more; the usual run shows as much with less.
const CALLS = Number(process.env["MEMQ_TORTURE_CALLS"] ?? 800);
const CALLERS = 5;
const KILLS = CALLS / 25;
const LEAST_KILLS = 5;

// Two tasks at a time in each process, and what had ended in the 5 ms before it was killed.
const MOST_REPEATS_OF_A_KILL = 4;
const GROUP_MS = 5;
const STARVED_MS = 1_000; // what is acknowledged is synced, by processes that wait for a processor and for each other

const BRIEF_MS = 3_000;
const ROUNDED_MS = 2_000;

const AT_REST = { waiting: 0, delayed: 0, running: 0 };
const WITHIN = { timeout: 90_000, interval: 200 };
const HAS_PROC = process.platform === "linux";

let server: MemcachedServer | undefined;
const grounds = [
  {
    name: "embedded",
    missing: undefined,
    setUp: () => Promise.resolve(""),
  },
  {
    name: "memcached",
    missing: noMemcached,
    setUp: async () => {
      server = await startMemcached(["-m", "256", "-M"]);
      return `queueip = ${server.host}\nqueueport = ${String(server.port)}\n`;
    },
  },
];

describe.skipIf(!HAS_PROC)(
  `calls (${HAS_PROC ? "there is /proc" : "without /proc nobody is found to kill"})`,
  () => {
    describe.each(grounds)("on $name", ({ name, missing, setUp }) => {
      let torn: TornCalls | undefined;
      let memq: Memq | undefined;
      afterEach(async () => {
        await memq?.close();
        memq = undefined;
        await torn?.end();
        torn = undefined;
        await server?.stop();
        server = undefined;
      });

      test.skipIf(missing !== undefined)(
        `have one answer each while workers, runs and a caller are killed (${missing ?? "all there"})`,
        { timeout: 120_000 + CALLS * 60 },
        async () => {
          const beganAt = Date.now();
          torn = new TornCalls(await setUp(), { calls: CALLS, callers: CALLERS });
          const { project, callers, doomed, kills, killed } = torn;
          memq = await open(join(project.folder, "config.ini"));
          const brief = await memq.publish("square", [-1], { keepResult: BRIEF_MS });

          await torn.tear(KILLS);
          await torn.until(Promise.all([...callers, doomed].map(({ running }) => running.ended)));
          const answers = await Promise.all(callers.map(answersOf));
          const inherited = published(doomed);
          const heirs = await torn.until(Promise.all(inherited.map((one) => resultOf(memq, one))));
          const broker = await memq.broker();
          await torn.until(restOf(broker));
          await torn.finish();

          const executions = torn.executions();
          const repeats = torn.repeats();
          const ms = repeats.map(({ pid, endedAt }) => (endedAt ? (killed.get(pid) ?? 0) - endedAt : 0));
          const allKills = Object.values(kills).reduce((sum, count) => sum + count, 0);
          const atWork = new Set(executions.map(({ pid }) => pid).filter((pid) => killed.has(pid)));
          const late = answers.flat().filter(({ error }) => error?.code === "WAIT_TIMEOUT").length;
          writeFigures(`calls, ${name}`, {
            calls: CALLS,
            "answers of living callers": answers.flat().length,
            "stated timeouts": late,
            "tasks inherited": inherited.length,
            "tasks run": new Set(executions.map(({ n }) => n)).size,
            repeats: repeats.length,
            kills: allKills,
            "of processes that had run something": atWork.size,
            "of workers": kills.workers,
            "of their parents": kills.parents,
            "of runs": kills.runs,
            "runs launched": torn.launched,
            "ms at most before the kill": Math.max(0, ...ms),
            s: Math.round((Date.now() - beganAt) / 1_000),
          });

          expect(torn.ended.filter(({ code }) => code !== 0 && code !== 1)).toEqual([]);
          expect(repeats.filter(({ pid }) => !killed.has(pid))).toEqual([]);
          expect(Math.max(0, ...ms)).toBeLessThanOrEqual(GROUP_MS + STARVED_MS);
          expect(repeats.length).toBeLessThanOrEqual(allKills * MOST_REPEATS_OF_A_KILL);
          expect(allKills).toBeGreaterThanOrEqual(LEAST_KILLS);
          expect(kills.callers).toBe(1);
          expect(atWork.size).toBeGreaterThan(0);

          // What the killed one had published was run all the same, and can be asked for by its id.
          const ran = new Set(executions.map(({ n }) => n));
          const asked = doomed.told().filter(({ what }) => what !== "asked");
          expect(asked.filter(({ n }) => !ran.has(n))).toEqual([]);
          const once = asked.filter(({ what }) => what === "answered").map(({ n }) => n);
          expect(new Set(once).size).toBe(once.length);
          expect(heirs).toEqual(inherited.map(({ n }) => expectedOf(doomed, n)));
          expect(inherited.length).toBeGreaterThan(0);

          // Nothing is left but the dead letters, one for each that was refused and has run.
          const refused = [...callers, doomed].flatMap(({ calls }) =>
            calls.filter(({ method }) => method === "refuse"),
          );
          const dead = refused.filter(({ n }) => ran.has(n)).length;
          expect(await broker.depth()).toMatchObject({ ...AT_REST, dead });
          expect(await project.run("memq", ["purge", "dead", "--yes"])).toMatchObject({ code: 0 });
          const status = JSON.parse((await project.run("memq", ["status", "--json"])).stdout) as unknown;
          expect(status).toMatchObject({ queues: [{ ...AT_REST, dead: 0, runs: 0, workers: 0 }] });
          expect(torn.left()).toEqual([]);

          await expect.poll(() => broker.results.find(brief), WITHIN).toBeUndefined();
          const ids = answers.flat().flatMap(({ id }) => id ?? []);
          expect(ids.length).toBeGreaterThan(0);
          if (server === undefined) expect(await keptLater(project.folder, ids)).toEqual([]);
          else await expectSoundServer(server);
        },
      );
    });
  },
);

/** The answer to each call of a caller that lived, which has exactly one. */
async function answersOf(caller: Caller): Promise<readonly Told[]> {
  expect(await caller.running.ended).toEqual({ code: 0, signal: null, stdout: "", stderr: "" });
  const told = caller.told();
  const answers = told.filter(({ what }) => what === "answered");
  const numbers = (some: readonly { readonly n: number }[]): readonly number[] =>
    some.map(({ n }) => n).toSorted((one, other) => one - other);
  expect(numbers(answers)).toEqual(numbers(caller.calls));
  const askedAt = new Map(told.flatMap(({ what, n, at }) => (what === "asked" ? [[n, at]] : [])));
  // A caller that got no processor for longer than the delay may find the value there: that is told, and true.
  const hasRun = ({ n, at, error }: Told): boolean =>
    error === undefined && at - (askedAt.get(n) ?? at) >= LATE_MS;
  const said = answers.map(({ n, value, error }) => ({ n, ...shortened({ value, error }) }));
  expect(said).toEqual(answers.map((answer) => expectedOf(caller, answer.n, hasRun(answer))));
  // A group gives at its end what it has told one by one.
  const listed = told.filter(({ what }) => what === "listed");
  const once = new Map(answers.map((answer) => [answer.n, answer]));
  expect(listed.map((one) => ({ ...one, what: "answered", at: once.get(one.n)?.at }))).toEqual(
    listed.map(({ n }) => once.get(n)),
  );
  expect(listed.length).toBeGreaterThan(0);
  return answers;
}

function expectedOf({ calls }: Caller, n: number, hasRun = true): { n: number } {
  const call = calls.find((one) => one.n === n);
  if (call === undefined) throw new Error(`nobody was to call ${String(n)}`);
  return { n, ...shortened(answerTo(call, hasRun)) };
}

/** Without the words of a timeout, which say where the task is. */
function shortened({ value, error }: { value?: unknown; error?: Told["error"] | undefined }): object {
  if (error === undefined) return { value };
  return { error: error.code === "WAIT_TIMEOUT" ? { ...error, message: "" } : error };
}

/** What the killed one knew to be published, and was to wait for as long as it takes. */
const published = ({ told, calls }: Caller): readonly { readonly n: number; readonly id: string }[] => {
  const patient = new Set(calls.filter(({ method }) => method !== "late").map(({ n }) => n));
  return told().flatMap(({ what, n, id }) =>
    what === "published" && id !== undefined && patient.has(n) ? [{ n, id }] : [],
  );
};

async function resultOf(memq: Memq | undefined, { n, id }: { n: number; id: string }): Promise<object> {
  try {
    return { n, value: await (memq as Memq).result(id, { wait: LONG }) };
  } catch (error) {
    const { code, message } = error as MemqError;
    return { n, error: { code, message } };
  }
}

/** Resolves when nothing waits, is delayed or runs. */
async function restOf(broker: Broker): Promise<void> {
  await expect.poll(() => broker.depth(), WITHIN).toMatchObject(AT_REST);
}

/** Those whose results would still be there when none is to be kept any more. */
async function keptLater(folder: string, ids: readonly string[]): Promise<readonly string[]> {
  const aheadMs = KEPT_MS + ROUNDED_MS;
  const later = await open(join(folder, "config.ini"), {
    clock: { ...systemClock, now: () => Date.now() + aheadMs },
  });
  try {
    const { results } = await later.broker();
    const found = await Promise.all(ids.map((id) => results.find(id)));
    return found.flatMap((result) => result?.id ?? []);
  } finally {
    await later.close();
  }
}

/** Its list is sound, and every result on it goes by itself. */
async function expectSoundServer(memcached: MemcachedServer): Promise<void> {
  const checked = await examineList(memcached, "default");
  expect(checked).toMatchObject({
    faults: [],
    unrecorded: [],
    vanished: 0,
    dead: [],
    ready: checked.orphans,
  });
  // Without a further part: an epoch may begin with the letter of results, and what has its name lives on.
  const result = new RegExp(`^key=${encodeURIComponent(keysOf("default").result(""))}[^% ]+ `);
  const dump = await memcached.command("lru_crawler metadump all");
  const results = dump.filter((line) => result.test(line));
  expect(results.length).toBeGreaterThan(0);
  const latest = Math.round((Date.now() + KEPT_MS + ROUNDED_MS) / 1_000);
  const ends = results.map((line) => Number(/ exp=(-?\d+)/.exec(line)?.[1]));
  expect(ends.filter((end) => !(end > 0 && end <= latest))).toEqual([]);
}
