import { beforeAll, describe, expect, test } from "vitest";
import { MemqError } from "../../src/errors.ts";
import { startFaultProxy, type Fault, type FaultProxy } from "../servers/fault-proxy.ts";
import { checkList, examineList, itemsOf } from "../servers/list-checker.ts";
import { noMemcached, startMemcached, type MemcachedServer } from "../servers/memcached-server.ts";
import { QueueTrial, type Party } from "../servers/queue-trial.ts";
import { starvation } from "../starvation.ts";
import { SCENES, Stage, type Scene } from "./memcached-scenes.ts";

/** What happens to the connection at one request, and to whoever sent it. */
interface Mishap {
  readonly name: string;
  readonly fault: Fault;
  /** The process dies there. */
  readonly isDeath?: true;
  /** What was held back reaches the server when all is over. */
  readonly landsLate?: true;
}

const MISHAPS: readonly Mishap[] = [
  { name: "is cut before it", fault: { kind: "cutBefore", cut: "reset" } },
  { name: "is cut after it", fault: { kind: "cutAfter", cut: "reset" } },
  { name: "ends in half an answer", fault: { kind: "half", bytes: 30, cut: "reset" } },
  { name: "brings answers too late", fault: { kind: "delayAnswers", ms: 600 } },
  { name: "brings it to the server when all is over", fault: { kind: "holdRequests" }, landsLate: true },
  { name: "and its process end before it", fault: { kind: "cutBefore", cut: "reset" }, isDeath: true },
  { name: "and its process end after it", fault: { kind: "cutAfter", cut: "reset" }, isDeath: true },
];

interface Case {
  readonly scene: Scene;
  /** Which request, from 1; 0: none. */
  readonly step: number;
  readonly mishap?: Mishap;
}

const AT_ONCE = 12;
const SETTLES_MS = 40_000;
// Whoever got no processor for so long may have been cut off by that: patience is of ten seconds, in tries of 0.4.
const STARVED_MS = 2_000;
const CUT_OFF = /BROKER_UNREACHABLE|did not come to pass/;

/** What a case found. One that was starved, and failed for want of answers, shows nothing: it is played once more. */
async function playFairly(server: MemcachedServer, one: Case): Promise<readonly string[]> {
  const starvedMs = starvation();
  const faults = await play(server, one);
  const wasStarved = starvedMs() > STARVED_MS && faults.some((fault) => CUT_OFF.test(fault));
  return wasStarved ? play(server, one) : faults;
}

/** What a case found, each a sentence; nothing: every promise was kept. */
async function play(server: MemcachedServer, one: Case): Promise<readonly string[]> {
  const proxy = await startFaultProxy(server.port);
  const trial = new QueueTrial(server, one.scene);
  try {
    return await new Play(server, { trial, proxy }, one).play();
  } catch (error) {
    const code = error instanceof MemqError ? `${error.code}: ` : "";
    return [`${code}${error instanceof Error ? (error.stack ?? error.message) : String(error)}`];
  } finally {
    await trial.end();
    await proxy.close();
  }
}

class Play {
  readonly #server: MemcachedServer;
  readonly #trial: QueueTrial;
  readonly #proxy: FaultProxy;
  readonly #case: Case;
  readonly #stage: Stage;
  readonly #actor: Party;
  readonly #faults: string[] = [];
  #isDead = false;

  constructor(
    server: MemcachedServer,
    ground: { readonly trial: QueueTrial; readonly proxy: FaultProxy },
    one: Case,
  ) {
    this.#server = server;
    this.#trial = ground.trial;
    this.#proxy = ground.proxy;
    this.#case = one;
    this.#actor = this.#trial.open(this.#proxy.port);
    this.#stage = new Stage(this.#trial, { actor: this.#actor, other: this.#trial.open() });
  }

  async play(): Promise<readonly string[]> {
    const act = await this.#case.scene.prepare(this.#stage);
    this.#arm();
    await this.#act(act);
    if (this.#proxy.armed > 0) this.#faults.push("the mishap did not come to pass");
    await this.#leave();
    await this.#drain();
    if (this.#case.mishap?.landsLate === true) {
      this.#proxy.release();
      await this.#proxy.landed();
      await this.#drain();
    }
    await this.#judge();
    return this.#faults;
  }

  #arm(): void {
    const { step, mishap } = this.#case;
    if (mishap === undefined) return;
    const target = this.#proxy.requests.length + step;
    this.#proxy.when(({ number }) => {
      if (number !== target) return false;
      if (mishap.isDeath) this.#die();
      return true;
    }, mishap.fault);
  }

  #die(): void {
    this.#isDead = true;
    this.#proxy.refuse();
    setImmediate(() => void this.#actor.kill());
  }

  /** Whatever happens, it ends: well, or with an error that says that the server could not be reached. */
  async #act(act: () => Promise<void>): Promise<void> {
    const slow = new Promise<"never">((resolve) => setTimeout(resolve, SETTLES_MS, "never").unref());
    const ended = await Promise.race([act().catch((error: unknown) => ({ error })), slow]);
    if (ended === "never") this.#faults.push("the promise was never settled");
    if (typeof ended !== "object" || this.#isDead) return;
    const { error } = ended;
    if (!(error instanceof MemqError) || error.code !== "BROKER_UNREACHABLE")
      this.#faults.push(`it failed with ${String(error)}`);
  }

  async #leave(): Promise<void> {
    if (!this.#isDead) {
      await this.#actor.broker
        .close()
        .catch((error: unknown) => this.#faults.push(`it cannot leave: ${String(error)}`));
    }
    await this.#actor.kill();
    await this.#case.scene.goOn?.(this.#stage);
    await this.#stage.other.broker.close();
  }

  async #drain(): Promise<void> {
    await this.#trial.drain();
    const party = this.#trial.open();
    const buried = await party.broker.putBack("all");
    await party.broker.close();
    if (buried > 0) await this.#trial.drain();
  }

  async #judge(): Promise<void> {
    const { kept, over, planned } = this.#stage;
    const { mishap, scene } = this.#case;
    const isOnce = mishap === undefined || (scene.goOn !== undefined && mishap.landsLate !== true);
    const extra = isOnce ? 0 : 1;
    for (const name of kept)
      if (this.#trial.runs(name) === 0) this.#faults.push(`${name} was kept and never ran`);
    for (const [name, runs] of over) {
      const again = this.#trial.runs(name) - runs;
      if (again > 0) this.#faults.push(`${name} was over and ran ${String(again)} times more`);
    }
    for (const [name, runs] of this.#trial.allRuns) {
      const most = (planned.get(name) ?? 1) + extra;
      if (runs > most) this.#faults.push(`${name} ran ${String(runs)} times, the most is ${String(most)}`);
    }
    await this.#judgeList();
  }

  /** Whoever was to begin the queue may have died before it had. */
  async #isBegun(): Promise<boolean> {
    const { queue, keys } = this.#trial;
    return checkList(await itemsOf(this.#server, queue, keys), queue).control !== undefined;
  }

  async #judgeList(): Promise<void> {
    const { kept, over, doubtful } = this.#stage;
    if (kept.size + over.size === 0 && doubtful > 0 && !(await this.#isBegun())) return;
    const checked = await examineList(this.#server, this.#trial.queue, this.#trial.keys);
    this.#faults.push(...checked.faults);
    // A publisher that was not answered, or whose record came late, may leave one that nobody will ever run.
    const mayLeak = this.#case.mishap !== undefined && doubtful > 0;
    const leaks = checked.orphans.length + checked.ready.length + checked.dead.length;
    if (leaks > 0 && !(mayLeak || this.#case.mishap?.landsLate === true))
      this.#faults.push(
        `${String(leaks)} records are left: ${[...checked.ready, ...checked.dead].join(" ")}`,
      );
    if (checked.unrecorded.length > 0)
      this.#faults.push(`names without a record: ${checked.unrecorded.join(" ")}`);
    const stakes = checked.control?.stakes ?? [];
    if (stakes.length > 0) this.#faults.push(`stakes are left: ${JSON.stringify(stakes)}`);
  }
}

/** How many requests the undisturbed scene sends. */
async function stepsOf(server: MemcachedServer, scene: Scene): Promise<number> {
  const proxy = await startFaultProxy(server.port);
  const trial = new QueueTrial(server, scene);
  try {
    const stage = new Stage(trial, { actor: trial.open(proxy.port), other: trial.open() });
    const act = await scene.prepare(stage);
    const before = proxy.requests.length;
    await act();
    return proxy.requests.length - before;
  } finally {
    await trial.end();
    await proxy.close();
  }
}

const server = noMemcached === undefined ? await startMemcached(["-m", "128", "-M"]) : undefined;
const steps = new Map<Scene, number>();
if (server !== undefined) for (const scene of SCENES) steps.set(scene, await stepsOf(server, scene));

const casesOf = (scene: Scene): readonly Case[] => [
  { scene, step: 0 },
  ...Array.from({ length: steps.get(scene) ?? 0 }, (_, at) =>
    MISHAPS.map((mishap) => ({ scene, step: at + 1, mishap })),
  ).flat(),
];
const cases = SCENES.flatMap(casesOf);

describe.skipIf(server === undefined)(`a connection (${noMemcached ?? "memcached is there"})`, () => {
  const found: Promise<readonly string[]>[] = [];

  // Each is mostly waiting: they are played side by side, and the tests wait for what came of theirs.
  beforeAll(() => {
    if (server === undefined) return;
    let next = 0;
    const ends: ((faults: readonly string[]) => void)[] = [];
    found.push(...cases.map(() => new Promise<readonly string[]>((resolve) => ends.push(resolve))));
    const lane = async (): Promise<void> => {
      for (let at = next++; at < cases.length; at = next++) {
        const one = cases[at];
        if (one !== undefined) ends[at]?.(await playFairly(server, one));
      }
    };
    for (let lanes = 0; lanes < AT_ONCE; lanes++) void lane();
    return () => server.stop();
  });

  test("is tried at every request of every scene", () => {
    for (const scene of SCENES) expect(steps.get(scene), scene.name).toBeGreaterThan(0);
    expect(cases.length).toBeGreaterThan(1_000);
  });

  describe.each(SCENES.map((scene) => [scene.name, scene] as const))("while others %s:", (_name, scene) => {
    const first = cases.findIndex((one) => one.scene === scene);
    test.each(casesOf(scene).map((one, at) => [titleOf(one), first + at] as const))(
      "%s",
      { timeout: 120_000 },
      async (_title, at) => {
        expect(await found[at]).toEqual([]);
      },
    );
  });
});

function titleOf({ step, mishap, scene }: Case): string {
  if (mishap === undefined) return "nothing goes wrong";
  return `at request ${String(step)} of ${String(steps.get(scene))} it ${mishap.name}`;
}
