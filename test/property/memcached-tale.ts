import { MemqError } from "../../src/errors.ts";
import type { Claim, Settlement } from "../../src/ports/broker.ts";
import type { Outcome } from "../../src/task/outcome.ts";
import type { Draft } from "../../src/task/task.ts";
import { checkList } from "../servers/list-checker.ts";
import { decodeRecord } from "../../src/adapters/memcached/record.ts";
import { keysOf } from "../../src/adapters/memcached/names.ts";
import type { Faults, Party } from "./memcached-world.ts";
import { World } from "./memcached-world.ts";
import { parseEntry } from "../../src/adapters/memcached/entries.ts";
import type { Operation } from "../../src/adapters/memcached/wire.ts";

/** Attempts that a task has. */
const MOST_ATTEMPTS = 3;
const MOST_STEPS = 6_000;

/** How a task behaves: how often it fails before it is done, or that it kills whoever runs it. */
interface Nature {
  readonly fails: number;
  readonly isPoison: boolean;
}

type Act = "cancel" | "find" | "depth" | "putBack" | "list" | "purge";

/** Who publishes what, how many run, and what may go wrong. */
export interface Plot {
  readonly seed: number;
  readonly publishers: number;
  readonly runners: number;
  readonly batches: number;
  readonly most: number;
  readonly bundle: number;
  /** How long a list grows before the next one. */
  readonly listBytes: number;
  /** How long a bucket grows before it goes on in parts. */
  readonly bucketBytes: number;
  readonly canDelay: boolean;
  readonly canKey: boolean;
  /** Of a hundred tasks, how many fail. */
  readonly failing: number;
  readonly hasPoison: boolean;
  /** What somebody at the console does meanwhile. */
  readonly acts: readonly Act[];
  readonly isFast: boolean;
  /** Of a hundred steps, how many are a misfortune while there is one left. */
  readonly mischief: number;
  readonly faults: Faults;
  readonly isTraced?: boolean;
}

/** What happened to the tasks of a world, as an observer outside of it knows. */
export class Tale {
  readonly world: World;
  readonly #plot: Plot;
  readonly #natures = new Map<string, Nature>();
  /** Names of tasks whose publish was answered with kept. */
  readonly #kept = new Set<string>();
  /** Kept, and then taken back or thrown away on purpose or by misfortune. */
  readonly #excused = new Set<string>();
  readonly #cancelled = new Set<string>();
  readonly #runs = new Map<string, number>();
  readonly #done = new Map<string, number>();
  readonly #dueAt = new Map<string, number>();
  readonly #ids = new Map<string, string>();
  /** Answered with "no memory": nothing of them is to stand. */
  readonly #refused = new Set<string>();
  /** Keys whose task somebody was about to replace who never came back. */
  readonly #replacing: string[] = [];
  readonly #keys = new Map<string, string>();
  /** Ids that other tasks took the place of; possibly before their own publishers were answered. */
  readonly #replaced = new Set<string>();
  readonly faults: string[] = [];
  /** Processes that ended because the server had no answer or no memory for them. */
  #gaveUp = 0;
  #names = 0;
  #respawns = 0;
  #putBacks = 0;
  #isDrained = false;
  /** Purges that have not returned; whoever died in one may have purged what was published until then. */
  #purges = 0;
  /** Things done by tasks that ended, for a look at what the tales cover. */
  readonly seen = { alone: 0, ahead: 0, retried: 0, dead: 0, lost: 0, cancelled: 0, duplicate: 0 };

  constructor(plot: Plot) {
    this.#plot = plot;
    this.world = new World(plot.seed, {
      faults: plot.faults,
      msPerLook: plot.isFast ? 0 : 1,
      mischief: plot.mischief,
      ...(plot.isTraced !== undefined && { isTraced: plot.isTraced }),
    });
  }

  /** Run, and their owner was not told yet what came of it. */
  readonly #unsettled = new Set<string>();
  /** Who has marked a record last. */
  readonly #markers = new Map<string, Party>();

  /** Nobody settles what another owner has started. */
  #watch(party: Party, operation: Operation): void {
    if (operation.kind !== "replace" && operation.kind !== "delete") return;
    if (this.world.flushes > 0) return; // then nobody holds anything
    const item = this.world.server.items.get(operation.key);
    const name = RECORD_KEY.exec(operation.key)?.[1];
    if (item === undefined || name === undefined || !/^[RSD]/.test(party.name)) return;
    if (operation.cas !== undefined && operation.cas !== item.cas) return;
    if (operation.kind === "replace" && / r=/.test(operation.value.toString().split("\n")[0] ?? "")) {
      this.#markers.set(operation.key, party);
      return;
    }
    const decoded = decodeRecord(item.value);
    const marker = this.#markers.get(operation.key);
    const isRun =
      decoded.kind === "record" && decoded.record.run !== undefined && decoded.record.state === "ready";
    if (!isRun || marker === undefined || marker === party || marker.isDead || this.#holds(party, name))
      return;
    this.faults.push(`${party.name} settles ${name}, which ${marker.name} has marked`);
  }

  #holds(party: Party, name: string): boolean {
    const { control } = checkList(this.#items(), "q");
    const owners = new Set([...party.beats].map((key) => key.replace("mq:q:o", "")));
    return (control?.stakes ?? []).some(
      (stake) =>
        stake.kind === "tasks" &&
        owners.has(stake.owner) &&
        stake.entries.some((text) => parseEntry(text)?.name === name),
    );
  }

  /** What was started is charged, and nothing else is. `runs`: before this one. */
  #checkStart({ attempt, alone }: Claim, name: string, runs: number): void {
    const { world } = this;
    const isTold = world.misfortunes === this.#crashes && this.#putBacks === 0;
    if (!isTold || !this.#kept.has(name) || this.#excused.has(name)) return;
    const shown = `${name} is started as attempt ${String(attempt)} after ${String(runs)} runs`;
    if (attempt < runs + 1) this.faults.push(shown);
    if (world.misfortunes > 0) return;
    const isPoison = this.#natures.get(name)?.isPoison === true;
    if (isPoison && attempt > 1 && !alone) this.faults.push(`${name} is poison and not alone`);
    if (this.#plot.isFast) return;
    if (attempt !== runs + 1) this.faults.push(shown);
    if (alone && !isPoison && !this.#unsettled.has(name)) this.faults.push(`${name} is alone for no reason`);
  }

  /** Crashes that were a misfortune, not a task's doing. */
  get #crashes(): number {
    return this.#wereCrashes ?? this.#plot.faults.crashes - this.world.faults.crashes;
  }

  /** Once none may come any more. */
  #wereCrashes: number | undefined;

  /** Plays the plot to its end, drains what is left, and answers what was found wrong. */
  async play(): Promise<readonly string[]> {
    const { world } = this;
    world.watch = (party, operation) => {
      this.#watch(party, operation);
    };
    for (let n = 0; n < this.#plot.publishers; n++)
      this.#begin(`P${String(n)}`, (party) => this.#publish(party));
    for (let n = 0; n < this.#plot.runners; n++) this.#begin(`R${String(n)}`, (party) => this.#run(party, 6));
    if (this.#plot.acts.length > 0) this.#begin("A", (party) => this.#administer(party));
    let flushes = 0;
    for (let step = 0; await world.step(); step++) {
      if (world.flushes > flushes) {
        flushes = world.flushes;
        for (const name of this.#kept) this.#excused.add(name);
      }
      if (this.#plot.canDelay && world.dice.chance(1)) this.#letTimePass(world.dice.pick([1, 1, 2, 20, 61]));
      if (step % 25 === 0) this.#lookAround();
      if (this.faults.length > 0) return this.faults;
      if (step > MOST_STEPS) return ["it never ends"];
    }
    await this.#drain();
    this.#judge();
    return this.faults;
  }

  #letTimePass(seconds: number): void {
    this.world.tick(seconds);
    // Longer than a lease, and nobody renews meanwhile: whoever holds something has stalled.
    if (seconds <= 30) return;
    const stalled = this.world.parties.filter(({ isDead, isDone }) => !isDead && !isDone).length;
    this.world.misfortunes += stalled;
    this.world.lapses += stalled;
  }

  #begin(name: string, act: (party: Party) => Promise<void>): void {
    const party = this.world.join(name, this.#plot);
    act(party).then(
      () => {
        party.isDone = true;
      },
      (error: unknown) => {
        const isFull =
          error instanceof MemqError && error.code === "QUEUE_FULL" && this.#plot.faults.fulls > 0;
        if (isFull || (error instanceof MemqError && error.code === "BROKER_UNREACHABLE")) {
          // It stood still for too long, or found no memory even for the block, and leaves things as one that was killed.
          this.world.misfortunes += 1;
          this.#gaveUp += 1;
          return;
        }
        this.faults.push(
          `${name} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
        );
      },
    );
  }

  async #publish(party: Party): Promise<void> {
    const { dice } = this.world;
    for (let batch = 0; batch < this.#plot.batches; batch++) {
      const drafts = Array.from({ length: 1 + dice.roll(this.#plot.most) }, () => this.#draft());
      const flushes = this.world.flushes;
      const replacing = drafts.flatMap(({ key, onDuplicate }) =>
        onDuplicate === "replace" ? (key ?? []) : [],
      );
      for (const key of replacing) this.#replacing.push(key);
      const answers = await party.broker.publish(drafts);
      for (const key of replacing) this.#replacing.splice(this.#replacing.indexOf(key), 1);
      for (const [at, answer] of answers.entries()) {
        const name = nameOf(drafts[at]);
        const isFull =
          answer.kind === "refused" && answer.code === "QUEUE_FULL" && this.#plot.faults.fulls > 0;
        if (answer.kind === "refused" && !isFull) this.faults.push(`${name} was refused: ${answer.reason}`);
        if (answer.kind === "refused") this.#refuse(name);
        if (answer.kind === "duplicate") this.seen.duplicate += 1;
        if (answer.kind !== "kept") continue;
        this.#kept.add(name);
        this.#ids.set(name, answer.id);
        if (this.world.flushes > flushes) this.#excused.add(name);
        if (answer.replaced !== undefined) this.#replaced.add(answer.replaced);
      }
    }
    await party.broker.close();
  }

  #refuse(name: string): void {
    this.#refused.add(name);
    if (this.#isRefusalSure && this.#runs.has(name)) this.faults.push(`${name} was refused and has run`);
  }

  /** Whether nothing but want of memory was in the way of those who publish. */
  get #isRefusalSure(): boolean {
    return this.world.misfortunes === this.world.fullTurns;
  }

  #draft(): Draft {
    const { dice, now } = this.world;
    const { canDelay, canKey, failing, hasPoison } = this.#plot;
    const name = `t${String(this.#names++)}`;
    const isPoison = hasPoison && this.#names === 2;
    this.#natures.set(name, { fails: dice.chance(failing) ? dice.pick([1, 1, 2, 9]) : 0, isPoison });
    const dueAt = canDelay && dice.chance(30) ? now + dice.pick([1_000, 2_000, 61_000]) : undefined;
    if (dueAt !== undefined) this.#dueAt.set(name, dueAt);
    const key = canKey && !isPoison && dice.chance(40) ? dice.pick(["k", "l"]) : undefined;
    if (key !== undefined) this.#keys.set(name, key);
    return {
      method: "m",
      args: [name],
      ...(dueAt !== undefined && { dueAt }),
      ...(key !== undefined && { key, onDuplicate: dice.pick(["keep", "replace"] as const) }),
    };
  }

  async #run(party: Party, cycles: number): Promise<void> {
    const { dice } = this.world;
    const atOnce = 1 + dice.roll(2);
    const isGrouped = dice.chance(50);
    for (let cycle = 0, idles = 0; cycle < cycles && idles < 4; cycle++) {
      const limit = 1 + dice.roll(4);
      const { claims } = await party.broker.claim({ limit, atOnce });
      if (claims.length === 0) idles += 1;
      if (claims.some(({ alone }) => alone)) {
        this.seen.alone += 1;
        if (claims.length > 1) this.faults.push("what is to run alone came with others");
      }
      const fetched =
        claims.length > 0 && dice.chance(40) ? party.broker.claimAhead?.({ limit, atOnce }) : undefined;
      fetched?.catch(() => undefined); // who awaits it is told; a party that has died asks for nothing any more
      const ahead = dice.chance(20) ? await fetched : undefined;
      if (claims.length > 1 && dice.chance(15)) {
        await party.broker.release(claims.slice(1));
        await this.#work(party, claims.slice(0, 1), { atOnce, isGrouped });
      } else await this.#work(party, claims, { atOnce, isGrouped });
      const more = (ahead ?? (await fetched))?.claims ?? [];
      this.seen.ahead += more.length;
      if (more.some(({ alone }) => alone)) this.faults.push("what is to run alone was claimed ahead");
      await this.#work(party, more, { atOnce, isGrouped });
    }
    if (dice.chance(80)) await party.broker.close();
  }

  async #work(
    party: Party,
    claims: readonly Claim[],
    how: { readonly atOnce: number; readonly isGrouped: boolean },
  ): Promise<void> {
    let pending: Settlement[] = [];
    for (const claim of claims) {
      const settlement = await this.#attempt(party, claim);
      if (settlement !== undefined) pending.push(settlement);
      if (party.isDead) return;
      if (!how.isGrouped && pending.length >= how.atOnce) {
        await this.#settle(party, pending);
        pending = [];
      }
    }
    if (pending.length > 0) await this.#settle(party, pending);
  }

  async #attempt(party: Party, claim: Claim): Promise<Settlement | undefined> {
    const name = nameOf(claim.task);
    if (claim.attempt > MOST_ATTEMPTS) return { claim, outcome: { kind: "dead", reason: "used up" } };
    const started = await party.broker.start(claim, { last: claim.attempt === MOST_ATTEMPTS });
    if (started !== "started") return undefined;
    return { claim, outcome: this.#execute(party, name, claim) };
  }

  #execute(party: Party, name: string, claim: Claim): Outcome {
    const { world } = this;
    const runs = (this.#runs.get(name) ?? 0) + 1;
    this.#checkStart(claim, name, runs - 1);
    this.#runs.set(name, runs);
    this.#unsettled.add(name);
    world.tell(`${party.name} runs ${name} (${claim.task.id}), attempt ${String(claim.attempt)}`);
    if (this.#cancelled.has(name) && world.misfortunes === 0)
      this.faults.push(`${name} runs after its cancel`);
    if (this.#refused.has(name) && this.#isRefusalSure) this.faults.push(`${name} was refused and runs`);
    if ((this.#dueAt.get(name) ?? 0) > world.now) this.faults.push(`${name} runs early`);
    const nature = this.#natures.get(name) ?? { fails: 0, isPoison: false };
    if (nature.isPoison) {
      world.crash(party);
      this.#respawns += 1;
      if (this.#respawns < 30) this.#begin(`S${String(this.#respawns)}`, (next) => this.#run(next, 6));
      return { kind: "done" };
    }
    if (runs > nature.fails) return { kind: "done" };
    if (claim.attempt >= MOST_ATTEMPTS) return { kind: "dead", reason: "no luck" };
    return { kind: "retry", at: world.now + world.dice.pick([0, 0, 1_000, 2_000]), error: "no luck" };
  }

  async #settle(party: Party, settlements: readonly Settlement[]): Promise<void> {
    const answers = await party.broker.settle(settlements);
    for (const [at, answer] of answers.entries()) {
      const settlement = settlements[at];
      if (settlement === undefined) continue;
      const { claim, outcome } = settlement;
      const name = nameOf(claim.task);
      this.world.tell(`${party.name}: ${name} ${outcome.kind} is ${answer}`);
      this.#unsettled.delete(name);
      if (answer === "lost") this.seen.lost += 1;
      if (answer === "lost" && this.world.misfortunes === 0)
        this.faults.push(`${name} was lost without a misfortune`);
      if (answer !== "settled") continue;
      if (outcome.kind === "retry") this.seen.retried += 1;
      if (outcome.kind === "dead") this.seen.dead += 1;
      if (outcome.kind === "done") this.#done.set(claim.task.id, (this.#done.get(claim.task.id) ?? 0) + 1);
    }
  }

  async #administer(party: Party): Promise<void> {
    const { dice } = this.world;
    for (let act = 0; act < 6; act++) {
      const name = `t${String(dice.roll(Math.max(1, this.#names)))}`;
      const id = this.#ids.get(name) ?? "unknown";
      switch (dice.pick(this.#plot.acts)) {
        case "cancel": {
          if (id !== "unknown") this.#excused.add(name); // whatever comes of it: somebody did not want it run
          const cancelled = await party.broker.cancel(id);
          if (cancelled === "cancelled") this.#cancelled.add(name);
          if (cancelled === "cancelled") this.seen.cancelled += 1;
          break;
        }
        case "find":
          await party.broker.find(id);
          break;
        case "depth":
          await party.broker.depth();
          break;
        case "putBack":
          this.#putBacks += 1;
          await party.broker.putBack("all");
          break;
        case "purge":
          this.#purges += 1;
          await party.broker.purge(dice.pick([["waiting"], ["delayed"], ["dead", "waiting"]] as const));
          this.#purges -= 1;
          this.#excuseAll();
          break;
        case "list":
          await party.broker.list(dice.pick(["waiting", "delayed", "running", "dead"] as const), {
            limit: 3,
          });
          break;
      }
    }
    await party.broker.close();
  }

  /** What was published up to now, and may have been purged. */
  #excuseAll(): void {
    for (const name of this.#natures.keys()) this.#excused.add(name);
  }

  /** What was kept and not run is named somewhere, at every moment. */
  #lookAround(): void {
    if (this.#purges > 0) this.#excuseAll();
    const { orphans, faults, vanished, control } = checkList(this.#items(), "q");
    if (this.world.flushes === 0) this.faults.push(...faults);
    if (this.world.flushes === 0 && vanished > 0) this.faults.push("more is delayed than its buckets say");
    for (const orphan of orphans) {
      if (this.#plot.canKey && orphan.startsWith("k")) continue; // which of a key's tasks it is, is not told by its name
      const waiting = this.#tasksIn(orphan, control?.epoch ?? "").filter((name) => this.#isOwed(name));
      for (const name of waiting) this.faults.push(`${name} (${orphan}) is kept and stands nowhere`);
    }
  }

  #isOwed(name: string): boolean {
    return this.#kept.has(name) && !this.#excused.has(name) && !this.#runs.has(name);
  }

  #tasksIn(record: string, epoch: string): readonly string[] {
    const value = this.world.server.items.get(keysOf("q").record(epoch, record))?.value;
    const decoded = value && decodeRecord(value);
    if (decoded?.kind !== "record") return [];
    return decoded.record.members.flatMap(({ text }) => (text === undefined ? [] : [nameIn(text)]));
  }

  #items(): ReadonlyMap<string, Buffer> {
    return new Map([...this.world.server.items].map(([key, { value }]) => [key, value]));
  }

  /** Nothing goes wrong any more, everybody else is gone, time passes, and newcomers run whatever there is. */
  async #drain(): Promise<void> {
    const { world } = this;
    this.#wereCrashes = this.#crashes;
    for (const kind of ["crashes", "lapses", "unknowns", "flushes", "evictions", "fulls"] as const) {
      world.faults[kind] = 0;
    }
    world.server.limitBytes = Infinity;
    for (let round = 0; round < 40; round++) {
      for (const party of world.parties) {
        party.die();
        for (const beat of party.beats) world.server.evict(beat);
      }
      world.tick(120);
      this.#isDrained = false;
      this.#begin(`D${String(round)}`, async (party) => {
        this.#isDrained = await this.#drainOnce(party);
      });
      await this.#runToEnd();
      if (this.faults.length > 0 || this.#isOver()) return;
    }
    this.faults.push("the queue is never drained");
  }

  #isOver(): boolean {
    return this.#isDrained && this.world.lateCount === 0;
  }

  async #runToEnd(): Promise<void> {
    for (let step = 0; await this.world.step(); step++) {
      if (step > 20 * MOST_STEPS) this.faults.push("the drain never ends");
    }
  }

  async #drainOnce(party: Party): Promise<boolean> {
    for (let round = 0; round < 500; round++) {
      const { claims, idle } = await party.broker.claim({ limit: 4, atOnce: 1 });
      if (idle !== undefined) {
        await party.broker.close();
        return idle.kind === "empty";
      }
      await this.#work(party, claims, { atOnce: 1, isGrouped: false });
      if (party.isDead) return false;
    }
    this.faults.push("a drain claims for ever");
    return false;
  }

  #judge(): void {
    const { world } = this;
    if (this.#purges > 0) this.#excuseAll();
    const { control, dead, ready, cancelled } = checkList(this.#items(), "q");
    if (control === undefined) {
      if (this.#kept.size > this.#excused.size) this.faults.push("there is no control block");
      return;
    }
    if (world.flushes === 0 && control.lost > 0)
      this.faults.push(`${String(control.lost)} tasks are said to be lost, and none is`);
    if (control.stakes.length > 0) this.faults.push(`stakes are left: ${JSON.stringify(control.stakes)}`);
    for (const [name, id] of this.#ids) if (this.#replaced.has(id)) this.#excused.add(name);
    for (const [name, key] of this.#keys) if (this.#replacing.includes(key)) this.#excused.add(name);
    const deadNames = new Set(dead.flatMap((record) => this.#tasksIn(record, control.epoch)));
    for (const name of this.#kept) if (!this.#excused.has(name)) this.#judgeTask(name, deadNames.has(name));
    for (const [name, runs] of this.#runs) this.#judgeRuns(name, runs);
    // A record that arrives late, after it was run and settled, is another one; so is that of a member of a bundle
    // which an owner adds whose lease has ended. Nothing else makes two owners be believed.
    const lapsed = this.#plot.bundle > 1 ? world.lapses : 0;
    const mostDone = 1 + world.unknowns + world.crashes + this.#gaveUp + lapsed;
    for (const [id, times] of this.#done) {
      if (times > mostDone) this.faults.push(`${id} was settled as done ${String(times)} times`);
    }
    if (world.misfortunes === 0 && ready.length + cancelled.length > 0) {
      this.faults.push(`records are left: ${[...ready, ...cancelled].join(" ")}`);
    }
    const left = ready.flatMap((record) => this.#tasksIn(record, control.epoch));
    if (this.#isRefusalSure) {
      for (const name of left)
        if (this.#refused.has(name)) this.faults.push(`${name} was refused and stands`);
    }
    const owed = left.filter((name) => this.#isOwed(name));
    for (const name of owed) this.faults.push(`${name} is kept, and left for ever`);
  }

  #judgeTask(name: string, isDead: boolean): void {
    const { fails, isPoison } = this.#natures.get(name) ?? { fails: 0, isPoison: false };
    const runs = this.#runs.get(name) ?? 0;
    if (runs === 0 && !isDead) this.faults.push(`${name} is LOST`);
    if (isPoison && !isDead) this.faults.push(`${name} is poison and no dead letter`);
    if (fails > 0 && fails < MOST_ATTEMPTS && runs <= fails && !isDead)
      this.faults.push(`a retry of ${name} is LOST`);
    if (fails === 0 && !isPoison && isDead && this.world.misfortunes + this.#respawns < MOST_ATTEMPTS) {
      this.faults.push(`${name} is innocent and a dead letter`);
    }
  }

  #judgeRuns(name: string, runs: number): void {
    const { fails, isPoison } = this.#natures.get(name) ?? { fails: 0, isPoison: false };
    const { misfortunes, unknowns, flushes, lapses } = this.world;
    const again = 1 + this.#putBacks;
    // What docs/memcached-layout.md promises of starts.
    const cap = MOST_ATTEMPTS * again + unknowns + lapses;
    if (flushes === 0 && runs > cap)
      this.faults.push(`${name} was started ${String(runs)} times, at most ${String(cap)} are promised`);
    const most = isPoison
      ? MOST_ATTEMPTS * again + unknowns + flushes
      : (1 + Math.min(fails, MOST_ATTEMPTS - 1)) * again + misfortunes + this.#respawns;
    if (runs > most)
      this.faults.push(`${name} ran ${String(runs)} times, at most ${String(most)} were to be expected`);
  }
}

const RECORD_KEY = /^mq:q:\w+:b(.+)$/;
const nameOf = (task: { readonly args: readonly unknown[] } | undefined): string => String(task?.args[0]);
const nameIn = (text: string): string => /"a":\["(\w+)"\]/.exec(text)?.[1] ?? text;
