import { join } from "node:path";
import { Bell, resultBellIn } from "../../host/bell.ts";
import type { ProcessIdentity } from "../../host/process-identity.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Codec } from "../../task/codec.ts";
import type { Bulks } from "../../ports/bulks.ts";
import type { Notes } from "../../ports/notes.ts";
import type { Results } from "../../ports/results.ts";
import { BulkConclusion } from "./bulk-conclusion.ts";
import { BulkLister } from "./bulk-lister.ts";
import { BulkStore } from "./bulk-store.ts";
import { BulkTally } from "./bulk-tally.ts";
import { MemcachedBulks } from "./bulks.ts";
import { BlockMarks } from "./block-marks.ts";
import { BundleSize } from "./bundle-size.ts";
import { Aftercare } from "./aftercare.ts";
import { Canceller } from "./canceller.ts";
import { Claimer } from "./claimer.ts";
import type { ClaimerTools } from "./claimer.ts";
import { ControlStore } from "./control-store.ts";
import { DeadLetters } from "./dead-letters.ts";
import { Delayed } from "./delayed.ts";
import { Ender } from "./ender.ts";
import { Fetcher } from "./fetch.ts";
import { Holdings } from "./holdings.ts";
import { Inspector } from "./inspector.ts";
import { KeyedPublisher } from "./keyed-publisher.ts";
import { Listing } from "./listing.ts";
import { ListPurger } from "./list-purger.ts";
import { Losses } from "./losses.ts";
import { MemcachedNotes } from "./notes.ts";
import { NamePages } from "./name-pages.ts";
import { keysOf } from "./names.ts";
import type { Random } from "./names.ts";
import { Owner } from "./owner.ts";
import { Pace } from "./pace.ts";
import type { Limits, Parts } from "./parts.ts";
import { Publisher } from "./publisher.ts";
import { Purger } from "./purger.ts";
import { PutBack } from "./put-back.ts";
import { RecordWriter } from "./record-writer.ts";
import { ProgressItems } from "./progress.ts";
import { Releaser } from "./releaser.ts";
import { Removal } from "./removal.ts";
import { Reserve } from "./reserve.ts";
import { ResultKeeper } from "./result-keeper.ts";
import { MemcachedResults } from "./results.ts";
import { Scout } from "./scout.ts";
import { ServerTime } from "./server-time.ts";
import { Session } from "./session.ts";
import { Starter } from "./starter.ts";
import { Sweeper } from "./sweeper.ts";
import { Vanished } from "./vanished.ts";
import { Waiter } from "./waiter.ts";
import { WaitingList } from "./waiting-list.ts";
import type { Wire } from "./wire.ts";

/** What the works of a queue are made from; everything decided. */
export interface Plan {
  readonly wire: Wire;
  readonly queue: string;
  readonly codec: Codec;
  readonly memory: string;
  readonly clock: Clock;
  readonly holder: ProcessIdentity;
  readonly leaseMs: number;
  readonly bundle: "auto" | number;
  readonly random: Random;
  readonly elapsedMs: () => number;
  readonly limits: Limits;
}

/** Everything that works on one queue for one owner, put together. */
export interface Workshop extends Looking {
  readonly parts: Parts;
  /** Heard by those of this host who wait for tasks of this queue. */
  readonly bell: Bell;
  readonly owner: Owner;
  readonly holdings: Holdings;
  readonly scout: Scout;
  readonly publisher: Publisher;
  readonly notes: Notes;
  readonly bulks: Bulks;
  readonly claimer: Claimer;
  readonly starter: Starter;
  readonly ender: Ender;
  readonly releaser: Releaser;
  readonly results: Results;
  readonly resultKeeper: ResultKeeper;
  readonly resultBell: Bell;
  readonly progress: ProgressItems;
  /** A heartbeat; when the lease had ended, what is held is known to be others'. */
  readonly renew: () => Promise<void>;
}

export function assemble(plan: Plan): Workshop {
  const parts = partsOf(plan);
  const bell = new Bell(join(plan.memory, "bells", plan.queue));
  const stock = stockOf(parts);
  const works = worksOf(parts, stock, plan);
  const { owner, holdings, writer } = works;
  const renew = async (): Promise<void> => {
    const before = owner.name;
    if (before !== undefined && (await owner.beat()) !== before) holdings.lapse();
  };
  const beat = (): Promise<void> => (owner.isFresh ? Promise.resolve() : renew());
  const sweeper = new Sweeper(parts, { ...stock, beat });
  const scout = new Scout(parts, { owner, holdings, sweeper });
  const putBack = new PutBack(parts, { owner, ...stock });
  const looking = lookingAt(parts, stock, { plan, owner, holdings, putBack, beat, bell });
  const idle: ClaimerTools["idle"] = (control) => looking.inspector.idle(control, looking.isMine);
  const around = { started: () => holdings.started, pool: holdings.addTask.bind(holdings), renew };
  return {
    ...looking,
    ...works,
    parts,
    bell,
    scout,
    renew,
    ...publishing(parts, stock, { plan, bell }),
    ...resultsOf(parts, plan, { holdings, inspector: looking.inspector }),
    claimer: new Claimer(parts, { ...looking, ...stock, ...works, scout, sweeper, idle }),
    starter: new Starter(parts, { ...works, around }),
    releaser: new Releaser(parts, { holdings, writer }),
  };
}

/** What starts and ends tasks. */
interface Works {
  readonly owner: Owner;
  readonly holdings: Holdings;
  readonly pace: Pace;
  readonly writer: RecordWriter;
  readonly marks: BlockMarks;
  readonly aftercare: Aftercare;
  readonly ender: Ender;
  readonly fetcher: Fetcher;
}

function worksOf(parts: Parts, stock: Stock, plan: Plan): Works {
  const writer = new RecordWriter(parts);
  const marks = new BlockMarks(parts);
  const aftercare = new Aftercare(parts, stock);
  const ender = new Ender(parts, { writer, aftercare, marks, ...stock });
  return {
    owner: new Owner(parts, plan),
    holdings: new Holdings(),
    pace: new Pace(plan.elapsedMs, plan.limits.markedStarts),
    writer,
    marks,
    aftercare,
    ender,
    fetcher: new Fetcher(parts, { aftercare, ender }),
  };
}

function resultsOf(
  parts: Parts,
  { memory }: Plan,
  { holdings, inspector }: { readonly holdings: Holdings; readonly inspector: Inspector },
): Pick<Workshop, "results" | "resultKeeper" | "resultBell" | "progress"> {
  const resultBell = new Bell(resultBellIn(memory));
  const progress = new ProgressItems(parts, holdings);
  const results = new MemcachedResults(parts, { inspector, bell: resultBell, progress });
  return { results, resultBell, progress, resultKeeper: new ResultKeeper(parts) };
}

function publishing(
  parts: Parts,
  stock: Stock,
  { plan, bell }: { readonly plan: Plan; readonly bell: Bell },
): Pick<Workshop, "notes" | "bulks" | "publisher"> {
  const notes = new MemcachedNotes(parts);
  const size = new BundleSize(plan.bundle, notes, plan.elapsedMs);
  const bundle = (): Promise<number> => size.now();
  const store = new BulkStore(parts);
  const lister = new BulkLister(parts, { store, ...stock });
  const publisher = new Publisher(parts, { ...stock, keyed: new KeyedPublisher(parts, stock), bundle });
  const tally = new BulkTally(parts, store);
  const conclusion = new BulkConclusion(parts, { notes, store, tally, publisher });
  const bulks = new MemcachedBulks(parts, { store, lister, tally, conclusion, bundle, bell });
  return { notes, publisher, bulks };
}

function partsOf({ wire, queue, codec, clock, random, limits }: Plan): Parts {
  const keys = keysOf(queue);
  const session = new Session(wire, clock);
  const time = new ServerTime(session, clock);
  const reserve = new Reserve(session, keys);
  const control = new ControlStore({ queue, keys, session, reserve, time, clock, random });
  return { queue, keys, codec, clock, random, session, reserve, time, control, limits };
}

/** Where tasks are kept. */
interface Stock {
  readonly waiting: WaitingList;
  readonly delayed: Delayed;
  readonly dead: DeadLetters;
}

function stockOf(parts: Parts): Stock {
  const waiting = new WaitingList(parts, "lists");
  const dead = new DeadLetters(parts, new WaitingList(parts, "deadLists"));
  return { waiting, delayed: new Delayed(parts, waiting), dead };
}

/** What looks at the queue and keeps it in order, without running anything. */
interface Looking {
  readonly inspector: Inspector;
  readonly listing: Listing;
  readonly waiter: Waiter;
  readonly canceller: Canceller;
  readonly purger: Purger;
  readonly putBack: PutBack;
  readonly listPurger: ListPurger;
  readonly deadLetters: DeadLetters;
  readonly losses: Losses;
  readonly isMine: (stakeId: string) => boolean;
}

interface Looker {
  readonly plan: Plan;
  readonly owner: Owner;
  readonly holdings: Holdings;
  readonly putBack: PutBack;
  readonly beat: () => Promise<void>;
  readonly bell: Bell;
}

function lookingAt(parts: Parts, { waiting, delayed, dead }: Stock, looker: Looker): Looking {
  const { plan, owner, holdings, putBack, beat, bell } = looker;
  const removal = new Removal(parts);
  const listPurger = new ListPurger(parts, { owner, waiting, removal, beat });
  const inspector = new Inspector(parts, delayed, plan.leaseMs);
  const pages = new NamePages(parts, delayed);
  const isMine = (id: string): boolean => holdings.holds.some(({ stake }) => stake.id === id);
  return {
    inspector,
    isMine,
    putBack,
    deadLetters: dead,
    listing: new Listing(parts, { pages, inspector }),
    waiter: new Waiter(parts, { delayed, isMine: (stake) => stake.owner === owner.name, bell }),
    canceller: new Canceller(parts, delayed),
    listPurger,
    purger: new Purger(parts, { pages, dead, delayed, removal, listPurger }),
    losses: new Losses(parts, plan.memory, new Vanished(parts, delayed)),
  };
}
