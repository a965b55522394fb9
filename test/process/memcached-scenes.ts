import type { Claim } from "../../src/ports/broker.ts";
import type { Draft } from "../../src/task/task.ts";
import type { Outcome } from "../../src/task/outcome.ts";
import { named, nameIn, nameOf, type Party, type QueueTrial } from "../servers/queue-trial.ts";

/** What a scene plays on, and what its parties were promised so far. */
export class Stage {
  readonly trial: QueueTrial;
  /** Whoever does what is disturbed. */
  readonly actor: Party;
  /** Anybody else: nothing disturbs it. */
  readonly other: Party;
  /** Names that were kept by what was answered. */
  readonly kept = new Set<string>();
  /** How often a name runs when nothing goes wrong, where that is not once. */
  readonly planned = new Map<string, number>();
  /** Drafts that were to be published, and no answer said that they are kept. */
  doubtful = 0;
  readonly #over = new Map<string, number>();

  constructor(trial: QueueTrial, parties: { readonly actor: Party; readonly other: Party }) {
    this.trial = trial;
    this.actor = parties.actor;
    this.other = parties.other;
  }

  /** Names that must not run again, with the runs they had. */
  get over(): ReadonlyMap<string, number> {
    return this.#over;
  }

  /** Nobody may run these any more. */
  noteOver(names: readonly string[]): void {
    for (const name of names) {
      this.#over.set(name, this.trial.runs(name));
      this.kept.delete(name);
    }
  }

  async publish({ broker }: Party, drafts: readonly Draft[]): Promise<void> {
    this.doubtful += drafts.length;
    const answers = await broker.publish(drafts);
    for (const [at, draft] of drafts.entries()) {
      if (answers[at]?.kind !== "kept") continue;
      this.kept.add(nameIn(draft));
      this.doubtful -= 1;
    }
  }

  async take({ broker }: Party, limit: number): Promise<readonly Claim[]> {
    return (await broker.claim({ limit, atOnce: 1 })).claims;
  }

  /** Publishes these names, claims the first so many, and starts the first so many of them. */
  async underWay(names: readonly string[], { claimed = 1, started = 1 } = {}): Promise<readonly Claim[]> {
    await this.publish(
      this.other,
      names.map((name) => named(name)),
    );
    const claims = await this.take(this.actor, claimed);
    for (const claim of claims.slice(0, started)) await this.trial.start(this.actor.broker, claim);
    return claims;
  }

  /** Makes dead letters of drafts. */
  async bury(drafts: readonly Draft[]): Promise<void> {
    await this.publish(this.other, drafts);
    for (const claim of await this.take(this.other, drafts.length)) {
      await this.trial.start(this.other.broker, claim);
      await this.other.broker.settle([{ claim, outcome: dead }]);
      this.planned.set(nameOf(claim), 2);
    }
  }

  /** Ends a claim that is started; where that is recorded it is over, unless it is to run once more. */
  async settle(claim: Claim | undefined, outcome: Outcome): Promise<void> {
    if (claim === undefined) throw new Error("nothing was claimed");
    const [settled] = await this.actor.broker.settle([{ claim, outcome }]);
    if (outcome.kind === "done" && settled === "settled") this.noteOver([nameOf(claim)]);
  }
}

/** Something that is done on a queue; `prepare` is not disturbed, what it answers is. */
export interface Scene {
  readonly name: string;
  /** Tasks in one record. Default 1. */
  readonly bundle?: number;
  /** From which length on lists are followed. Default: never, here. */
  readonly listBytes?: number;
  readonly prepare: (stage: Stage) => Promise<() => Promise<void>>;
  /** What others do when the actor has gone, so that its work is done to the end, and no part of it twice. */
  readonly goOn?: (stage: Stage) => Promise<void>;
}

const dead: Outcome = { kind: "dead", reason: "enough" };
const LATER_MS = 90_000;

const names = (count: number): string[] => Array.from({ length: count }, (_, at) => `t${String(at)}`);
const drafts = (count: number): Draft[] => names(count).map((name) => named(name));
const later = ({ trial }: Stage, name: string, wishes: Partial<Draft> = {}): Draft =>
  named(name, { dueAt: trial.now() + LATER_MS, ...wishes });

/** Ends what the actor has, and leaves. */
async function finish({ trial, actor }: Stage, claims: readonly Claim[]): Promise<void> {
  await trial.work(actor, claims);
}

async function publishPart(stage: Stage, { broker }: Party): Promise<void> {
  stage.doubtful += 4;
  await broker.bulks.publish(drafts(4), { name: "bulk", expected: undefined, place: () => "behind" });
  stage.doubtful -= 4;
}

const publishing: readonly Scene[] = [
  {
    name: "publish as the first of a queue",
    prepare: (stage) => Promise.resolve(() => stage.publish(stage.actor, drafts(1))),
  },
  {
    name: "publish",
    prepare: async (stage) => {
      await stage.publish(stage.other, [named("before")]);
      return () => stage.publish(stage.actor, drafts(1));
    },
  },
  {
    name: "publish to a list that is long",
    listBytes: 4,
    prepare: async (stage) => {
      await stage.publish(stage.other, [named("before")]);
      return () => stage.publish(stage.actor, drafts(2));
    },
  },
  {
    name: "publish with a delay",
    prepare: async (stage) => {
      await stage.publish(stage.other, [named("before")]);
      return () => stage.publish(stage.actor, [later(stage, "t0")]);
    },
  },
  {
    name: "publish with a key",
    prepare: async (stage) => {
      await stage.publish(stage.other, [named("before")]);
      return async () => {
        await stage.publish(stage.actor, [named("t0", { key: "k" })]);
        const [answer] = await stage.other.broker.publish([named("again", { key: "k" })]);
        if (answer?.kind !== "duplicate") throw new Error("a key that is taken was given away");
      };
    },
  },
  {
    name: "publish in place of another with the key",
    prepare: async (stage) => {
      await stage.publish(stage.other, [later(stage, "old", { key: "k" })]);
      return async () => {
        stage.kept.delete("old"); // one of the two runs
        await stage.publish(stage.actor, [named("t0", { key: "k", onDuplicate: "replace" })]);
        if (stage.kept.has("t0")) stage.noteOver(["old"]);
      };
    },
  },
  {
    name: "bulk publish",
    prepare: async (stage) => {
      await stage.publish(stage.other, [named("before")]);
      return () => stage.publish(stage.actor, drafts(6));
    },
  },
  {
    name: "bulk publish in bundles",
    bundle: 3,
    prepare: async (stage) => {
      await stage.publish(stage.other, [named("before")]);
      return () => stage.publish(stage.actor, drafts(6));
    },
  },
  {
    name: "bulk publish of a mixture",
    prepare: async (stage) => {
      await stage.publish(stage.other, [named("before")]);
      return () => stage.publish(stage.actor, [named("t0"), later(stage, "t1"), named("t2", { key: "k" })]);
    },
  },
  {
    name: "publish a part of a bulk with a name",
    prepare: (stage) => Promise.resolve(() => publishPart(stage, stage.actor)),
    goOn: async (stage) => {
      const state = await stage.other.broker.bulks.resume("bulk");
      if (state === undefined) await publishPart(stage, stage.other);
      for (const name of names(4)) stage.kept.add(name);
    },
  },
];

const claiming: readonly Scene[] = [
  {
    name: "claim",
    prepare: async (stage) => {
      await stage.publish(stage.other, drafts(3));
      return async () => finish(stage, await stage.take(stage.actor, 2));
    },
  },
  {
    name: "claim a bundle",
    bundle: 3,
    prepare: async (stage) => {
      await stage.publish(stage.other, drafts(3));
      return async () => finish(stage, await stage.take(stage.actor, 3));
    },
  },
  {
    name: "claim at the end of a list",
    listBytes: 4,
    prepare: async (stage) => {
      await stage.publish(stage.other, [named("t0")]);
      await stage.publish(stage.other, [named("t1")]);
      return async () => {
        await finish(stage, await stage.take(stage.actor, 1));
        await finish(stage, await stage.take(stage.actor, 1));
      };
    },
  },
  {
    name: "claim what a dead owner had",
    prepare: async (stage) => {
      await stage.publish(stage.other, drafts(3));
      const late = stage.trial.open();
      const [first] = await stage.take(late, 2);
      if (first !== undefined) await stage.trial.start(late.broker, first, true);
      stage.planned.set("t0", 2);
      await late.kill();
      return async () => finish(stage, await stage.take(stage.actor, 2));
    },
  },
  {
    name: "claim what a dead owner had of a bundle",
    bundle: 3,
    prepare: async (stage) => {
      await stage.publish(stage.other, drafts(3));
      const late = stage.trial.open();
      const [first, second] = await stage.take(late, 3);
      if (first !== undefined) await stage.trial.work(late, [first]);
      if (second !== undefined) await stage.trial.start(late.broker, second, true);
      stage.planned.set("t1", 2);
      await late.kill();
      return async () => finish(stage, await stage.take(stage.actor, 3));
    },
  },
  {
    name: "claim what falls due",
    prepare: async (stage) => {
      await stage.publish(stage.other, [later(stage, "t0"), later(stage, "t1")]);
      stage.trial.advance(LATER_MS + 2_000);
      return async () => finish(stage, await stage.take(stage.actor, 2));
    },
  },
];

const starting: readonly Scene[] = [
  {
    name: "start with a mark",
    prepare: async (stage) => {
      const [claim] = await stage.underWay(names(2), { claimed: 2, started: 0 });
      stage.planned.set("t0", 2); // it leaves without having ended it
      return async () => {
        if (claim !== undefined) await stage.trial.start(stage.actor.broker, claim, true);
      };
    },
  },
  {
    name: "renew",
    prepare: async (stage) => {
      const [claim] = await stage.underWay(names(2), { claimed: 2 });
      return async () => {
        await stage.actor.broker.renew();
        await stage.settle(claim, { kind: "done" });
      };
    },
  },
  {
    name: "hand back",
    prepare: async (stage) => {
      const claims = await stage.underWay(names(3), { claimed: 3 });
      stage.planned.set("t0", 2); // it leaves without having ended it
      return () => stage.actor.broker.release(claims.slice(1));
    },
  },
  {
    name: "leave with something started",
    prepare: async (stage) => {
      await stage.underWay(names(3), { claimed: 2 });
      stage.planned.set("t0", 2);
      return () => stage.actor.broker.close();
    },
  },
];

/** Ends the first of a few tasks, which is started. */
const ending = (name: string, outcome: (stage: Stage) => Outcome, bundle = 1): Scene => ({
  name,
  bundle,
  prepare: async (stage) => {
    const [claim] = await stage.underWay(names(3), { claimed: 3 });
    const how = outcome(stage);
    if (how.kind !== "done") stage.planned.set("t0", 2);
    return () => stage.settle(claim, how);
  },
});

const retry = ({ trial }: Stage): Outcome => ({
  kind: "retry",
  at: trial.now() + LATER_MS,
  error: "no luck",
});
const retryNow = ({ trial }: Stage): Outcome => ({ kind: "retry", at: trial.now(), error: "no luck" });

const settling: readonly Scene[] = [
  ending("settle as done", () => ({ kind: "done" })),
  ending("settle as done in a bundle", () => ({ kind: "done" }), 3),
  ending("settle with a retry", retry),
  ending("settle with a retry at once", retryNow),
  ending("settle with a retry in a bundle", retry, 3),
  ending("settle as dead", () => dead),
  ending("settle as dead in a bundle", () => dead, 3),
  {
    name: "settle as dead with a key",
    prepare: async (stage) => {
      await stage.publish(stage.other, [named("t0", { key: "k" })]);
      const [claim] = await stage.take(stage.actor, 1);
      if (claim !== undefined) await stage.trial.start(stage.actor.broker, claim);
      stage.planned.set("t0", 2);
      return () => stage.settle(claim, dead);
    },
  },
];

const caring: readonly Scene[] = [
  {
    name: "put dead letters back",
    prepare: async (stage) => {
      await stage.bury(drafts(2));
      return async () => {
        await stage.actor.broker.putBack("all");
      };
    },
  },
  {
    name: "put a dead letter with a key back",
    prepare: async (stage) => {
      await stage.bury([named("t0", { key: "k" })]);
      return async () => {
        await stage.actor.broker.putBack("all");
      };
    },
  },
  cancelling("cancel", () => named("t0")),
  cancelling("cancel what is delayed", (stage) => later(stage, "t0")),
  cancelling("cancel what has a key", () => named("t0", { key: "k" })),
  purging("purge what waits", "waiting", (stage) => stage.publish(stage.other, drafts(3))),
  purging("purge what is delayed", "delayed", (stage) =>
    stage.publish(stage.other, [later(stage, "t0"), later(stage, "t1")]),
  ),
  purging("purge dead letters", "dead", (stage) => stage.bury(drafts(2))),
  {
    name: "pause and resume",
    prepare: async (stage) => {
      await stage.publish(stage.other, drafts(1));
      return async () => {
        await stage.actor.broker.pause(stage.trial.now() + LATER_MS);
        await stage.actor.broker.resume();
      };
    },
  },
];

function cancelling(name: string, draft: (stage: Stage) => Draft): Scene {
  return {
    name,
    prepare: async (stage) => {
      const wish = draft(stage);
      const [answer] = await stage.other.broker.publish([wish, named("beside")]);
      stage.kept.add("beside");
      const id = answer?.kind === "kept" ? answer.id : "";
      return async () => {
        const cancelled = await stage.actor.broker.cancel(id);
        if (cancelled === "cancelled") stage.noteOver(["t0"]);
        if (cancelled === "running") throw new Error("what nobody runs was said to be running");
      };
    },
  };
}

function purging(
  name: string,
  state: "waiting" | "delayed" | "dead",
  fill: (stage: Stage) => Promise<void>,
): Scene {
  return {
    name,
    prepare: async (stage) => {
      await fill(stage);
      const purged = [...stage.kept];
      return async () => {
        for (const one of purged) stage.kept.delete(one);
        await stage.actor.broker.purge([state]);
        // Not what it counts: an answer that was lost may leave some, or count less than there were.
        const left = await stage.other.broker.depth();
        if (left[state] === 0) stage.noteOver(purged);
      };
    },
  };
}

/** Everything that a party does with a queue. */
export const SCENES: readonly Scene[] = [...publishing, ...claiming, ...starting, ...settling, ...caring];
