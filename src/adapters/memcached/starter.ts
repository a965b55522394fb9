import type { StartOptions, Started } from "../../ports/broker.ts";
import type { Aftercare } from "./aftercare.ts";
import { becomes } from "./becomes.ts";
import type { BlockMarks } from "./block-marks.ts";
import type { Fetcher } from "./fetch.ts";
import { holdTask } from "./fetch.ts";
import { inTurn } from "./hold.ts";
import type { HeldRecord, HeldTask, Hold } from "./hold.ts";
import { memberId } from "./names.ts";
import type { Owner } from "./owner.ts";
import type { Pace } from "./pace.ts";
import type { Parts } from "./parts.ts";
import type { RecordWriter } from "./record-writer.ts";
import { isUnmarked, openMembers, sortRecord } from "./sorting.ts";
import type { OpenedMember } from "./sorting.ts";

const MOST_ROUNDS = 20; // each is a change by somebody else between reading and writing

/** What starting needs to know of all that this owner holds. */
interface Surroundings {
  /** How many tasks are started and not settled. */
  readonly started: () => number;
  /** A heartbeat; afterwards holds whose lease had ended say so. */
  readonly renew: () => Promise<void>;
  /** A task that is to be handed out anew. */
  readonly pool: (task: HeldTask) => void;
}

/** Starts held tasks: with a mark on the record, or without where that is not needed. */
export class Starter {
  readonly #parts: Parts;
  readonly #owner: Owner;
  readonly #writer: RecordWriter;
  readonly #fetcher: Fetcher;
  readonly #aftercare: Aftercare;
  readonly #marks: BlockMarks;
  readonly #pace: Pace;
  readonly #around: Surroundings;

  constructor(
    parts: Parts,
    tools: {
      readonly owner: Owner;
      readonly writer: RecordWriter;
      readonly fetcher: Fetcher;
      readonly aftercare: Aftercare;
      readonly marks: BlockMarks;
      readonly pace: Pace;
      readonly around: Surroundings;
    },
  ) {
    this.#parts = parts;
    this.#owner = tools.owner;
    this.#writer = tools.writer;
    this.#fetcher = tools.fetcher;
    this.#aftercare = tools.aftercare;
    this.#marks = tools.marks;
    this.#pace = tools.pace;
    this.#around = tools.around;
  }

  start(task: HeldTask, options: StartOptions): Started | Promise<Started> {
    // What is marked in any case says nothing about how fast the others are.
    if (!options.last) this.#pace.asked();
    if (task.phase === "started") return "started";
    if (isOver(task)) return refused(task);
    if (this.#owner.isFresh && canStartLoose(task, options)) return this.#startLoose(task);
    return this.#startMarked(task, options);
  }

  #startLoose(task: HeldTask): Started {
    task.record.start(task, true);
    this.#pace.answered(this.#around.started);
    return "started";
  }

  async #startMarked(task: HeldTask, options: StartOptions): Promise<Started> {
    if (!this.#owner.isFresh) await this.#around.renew();
    const started = await inTurn([task.record], async () => {
      if (isOver(task)) return refused(task);
      if (this.#isLooseByNow(task, options) || (await this.#loosen(task, options)))
        return this.#startLoose(task);
      return this.#mark(task);
    });
    if (started !== "started") task.record.letGo(task);
    this.#pace.answered(this.#around.started);
    return started;
  }

  /** What it had to wait for may have been all that was in the way. */
  #isLooseByNow(task: HeldTask, options: StartOptions): boolean {
    return this.#owner.isFresh && isLooseEnough(task, options);
  }

  /** Has the stake say that tasks of it are started without a mark from now on, where they are that fast. */
  async #loosen(task: HeldTask, { last }: StartOptions): Promise<boolean> {
    const { hold } = task.record;
    const loose = this.#pace.loose(hold.startedLoose + 1);
    if (last || loose <= hold.loose || !mayBeLoose(task)) return false;
    const loosened = await this.#marks.change(task.record, (stake) =>
      stake.loose >= loose ? undefined : { ...stake, loose },
    );
    if (!loosened) return false;
    await this.#compare(hold);
    hold.loose = loose;
    return mayBeLoose(task);
  }

  // Whoever cancels looks at the block after the record was written: who wrote the block looks at the records.
  async #compare(hold: Hold): Promise<void> {
    const { session, keys } = this.#parts;
    const records = hold.records.filter(({ openCount }) => openCount > 0);
    const items = await session.getAll(records.map(({ name }) => keys.record(hold.epoch, name)));
    for (const [at, record] of records.entries()) record.isChanged ||= items[at]?.cas !== record.cas;
  }

  async #mark(task: HeldTask): Promise<Started> {
    const { record } = task;
    for (let round = 0; round < MOST_ROUNDS; round++) {
      if (!(await this.#stillStands(record.hold))) return "lost";
      if (record.stored.state === "cancelled") return this.#drop(record);
      if (record.stored.members[task.index]?.text === undefined) return "cancelled";
      const marked = await this.#writeMark(task);
      if (marked !== "again") return marked;
    }
    return "lost";
  }

  /**
   * Whose heartbeat was always there has been taken nothing from, and that is cheap to ask: the block may be large.
   * It is not what makes a mark safe. A record is only known as it was before a look at the block: who took the
   * stake over since then sees it as it was, and is refused its own mark then, or sees this one.
   */
  async #stillStands(hold: Hold): Promise<boolean> {
    if (await this.#owner.lives()) return true;
    const seen = await this.#parts.control.read();
    if (seen !== undefined && hold.stands(seen.control)) return true;
    hold.isLost = true;
    return false;
  }

  async #writeMark(task: HeldTask): Promise<Started | "again"> {
    const { record } = task;
    const { id: stake, generation } = record.hold.stake;
    const next = becomes.marked(record.stored, {
      run: { stake, generation },
      attempts: record.charges(task),
    });
    const [wrote] = await this.#writer.write([{ record, next }]);
    switch (wrote) {
      case "written":
        record.tighten();
        if (await this.#hasLeft(task)) return "lost";
        record.start(task, false);
        return "started";
      case "changed":
        return "again";
      case "full":
        return this.#markInBlock(task);
      default:
        return this.#lookAgain(task);
    }
  }

  /** Whether a member of a bundle that was taken over has got a record of its own from its owner before. */
  async #hasLeft({ record, index }: HeldTask): Promise<boolean> {
    if (!record.stored.bundled || record.hold.stake.generation === 0) return false;
    const name = memberId(record.name, index);
    const item = await this.#parts.session.get(this.#parts.keys.record(record.hold.epoch, name));
    if (item === undefined) return false;
    await this.#fetcher.dropChild(record, index, { name, item });
    return true;
  }

  /** The record is another than it was, but the stake may still be ours: then what it is now is up to us. */
  async #lookAgain(task: HeldTask): Promise<Started | "again"> {
    const { record } = task;
    const { hold, name } = record;
    const item = await this.#parts.session.get(this.#parts.keys.record(hold.epoch, name));
    const seen = await this.#parts.control.read();
    if (seen === undefined || !hold.stands(seen.control)) {
      hold.isLost = true;
      return "lost";
    }
    const entry = { name, members: 1, again: true };
    const { control } = seen;
    const sorted = sortRecord(item, { stake: hold.stake, entry, sweptTo: control.sweptTo, control });
    if (item === undefined || sorted.kind !== "tasks") {
      // An earlier owner's last write came late, or the task was listed twice.
      await this.#aftercare.lookAgain(record);
      return "cancelled";
    }
    const isReplaced = sorted.stored.nonce !== record.stored.nonce;
    record.stored = sorted.stored;
    record.cas = item.cas;
    return this.#startAnew(task, isReplaced);
  }

  /** It was started once more than its claim says, or is another task by now: then it is handed out anew. */
  #startAnew({ record, index, claim }: HeldTask, isReplaced: boolean): Started | "again" {
    const { hold, name, stored, place } = record;
    const members = openMembers(name, stored, { stake: hold.stake, place, codec: this.#parts.codec });
    const known = record.open.filter(({ phase }) => phase !== "started");
    for (const member of members) {
      const task = known.find((one) => one.index === member.index);
      if (task === undefined || (!isReplaced && task.claim.attempt === member.attempt)) continue;
      record.letGo(task);
      this.#poolAnew(record, member);
    }
    const now = members.find((member) => member.index === index);
    if (isReplaced || now === undefined) return "cancelled";
    return now.attempt === claim.attempt ? "again" : "lost";
  }

  #poolAnew(record: HeldRecord, member: OpenedMember): void {
    if (member.opened.kind === "task") this.#around.pool(holdTask(record, member));
    else record.hold.mustStand = true;
  }

  /** What was cancelled while it was claimed goes for good. */
  async #drop(record: HeldRecord): Promise<Started> {
    await this.#writer.write([{ record, next: undefined }]);
    return "cancelled";
  }

  async #markInBlock(task: HeldTask): Promise<Started> {
    const { index, claim, record } = task;
    const isMine = await this.#marks.mark(record, index, claim.attempt);
    if (isMine) record.start(task, false);
    return isMine ? "started" : "lost";
  }
}

/** After a lapse the stake has to stand, for whoever takes it over: what was not started is not over. */
function refused({ record }: HeldTask): Started {
  record.hold.mustStand ||= record.hold.hasLapsed;
  return "lost";
}

const isOver = ({ phase, record: { hold } }: HeldTask): boolean =>
  phase === "over" || hold.isLost || hold.hasLapsed;

/** Of an untouched record, in a stake that nobody had before, and in order: only such starts can be guessed later. */
function mayBeLoose(task: HeldTask): boolean {
  const { hold, stored } = task.record;
  return (
    hold.stake.generation === 0 &&
    !task.record.isChanged &&
    isUnmarked(stored, hold.stake) &&
    hold.isNext(task)
  );
}

/** Without a mark: not the last attempt, and no more at a time than the stake says. */
const isLooseEnough = (task: HeldTask, { last }: StartOptions): boolean =>
  !last && task.record.hold.startedLoose < task.record.hold.loose && mayBeLoose(task);

/** The same, when nobody is at work on the record who may not have reckoned with it. */
const canStartLoose = (task: HeldTask, options: StartOptions): boolean =>
  task.record.turn === undefined && isLooseEnough(task, options);
