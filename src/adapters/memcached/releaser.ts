import { becomes } from "./becomes.ts";
import { currentStake, withStake } from "./control.ts";
import type { Control, Stake, TaskStake } from "./control.ts";
import { NAME_LETTERS } from "./control-store.ts";
import { inTurn } from "./hold.ts";
import type { HeldRecord, HeldTask, Hold } from "./hold.ts";
import type { Holdings } from "./holdings.ts";
import type { Parts } from "./parts.ts";
import type { RecordWriter } from "./record-writer.ts";

/** Hands held tasks back: uncharged, in their order, to whoever claims next. */
export class Releaser {
  readonly #parts: Parts;
  readonly #holdings: Holdings;
  readonly #writer: RecordWriter;

  constructor(parts: Parts, tools: { readonly holdings: Holdings; readonly writer: RecordWriter }) {
    this.#parts = parts;
    this.#holdings = tools.holdings;
    this.#writer = tools.writer;
  }

  /** Tasks that another owner has by now are passed over. */
  async release(tasks: readonly HeldTask[]): Promise<void> {
    const held = tasks.filter(({ phase, record }) => phase !== "over" && !record.hold.isLost);
    const records = new Set(held.map(({ record }) => record));
    await inTurn([...records], () => this.#uncharge(held));
    for (const task of held) task.record.pool(task);
    await this.#giveBack([...new Set([...records].map(({ hold }) => hold))], false);
  }

  /** Everything; what was started stays charged, and is handed out alone to whoever claims next. */
  async releaseAll(): Promise<void> {
    await this.#giveBack([...this.#holdings.holds], true);
  }

  /** Starts that are on record are taken back there. */
  async #uncharge(tasks: readonly HeldTask[]): Promise<void> {
    for (const { record, index, phase, isLoose, claim } of tasks) {
      if (phase !== "started" || isLoose) continue;
      const next = becomes.uncharged(record.stored, index, claim.alone ? record.stored.run : undefined);
      await this.#writer.write([{ record, next }]); // refused: it is cancelled, or another's by now
    }
  }

  /** @param all what was started as well */
  async #giveBack(holds: readonly Hold[], all: boolean): Promise<void> {
    await this.#free(holds.filter(({ stake }) => stake.generation === 0));
    const backs = holds.flatMap((hold) => this.#back(hold, all));
    if (backs.length === 0) return;
    await this.#parts.control.change((control) => {
      const next = backs.reduce((block, back) => givenBack(block, back), control);
      return next === control ? undefined : next;
    });
    for (const { hold, records, isWhole } of backs) {
      for (const record of records) for (const task of record.open) record.letGo(task);
      hold.records = hold.records.filter((record) => !records.includes(record));
      if (isWhole) this.#holdings.remove(hold);
    }
  }

  /** Bundles of which a part is settled say whose they are; in a stake that nobody has they must not. */
  async #free(holds: readonly Hold[]): Promise<void> {
    const records = holds
      .flatMap((hold) => hold.records)
      .filter((record) => isIdle(record) && record.stored.run);
    const left = records.filter(({ hold, openCount }) => openCount > 0 && !hold.isLost);
    if (left.length === 0) return;
    await inTurn(left, () =>
      this.#writer.write(left.map((record) => ({ record, next: becomes.freed(record.stored) }))),
    );
  }

  #back(hold: Hold, all: boolean): readonly Back[] {
    if (hold.isLost) return [];
    const live = hold.records.filter((record) => record.openCount > 0);
    const isTakenOver = hold.stake.generation > 0;
    const records = live.filter((record) => all || (isTakenOver ? isIdle(record) : isUntouched(record)));
    const isWhole = records.length === live.length;
    // A stake that was taken over stays as it is, and can only be given back as one: it says who is suspect.
    if (isTakenOver && !isWhole) return [];
    if (records.length === 0 && !isWhole) return [];
    return [{ hold, records, isWhole, id: this.#parts.random(NAME_LETTERS) }];
  }
}

/** Records that leave a hold; `isWhole`: and nothing stays. `id`: of the stake that takes them. */
interface Back {
  readonly hold: Hold;
  readonly records: readonly HeldRecord[];
  readonly isWhole: boolean;
  readonly id: string;
}

/** It can go where nobody knows of this stake. */
const isUntouched = (record: HeldRecord): boolean =>
  isIdle(record) && !record.isInBlock && record.stored.run === undefined;
const isIdle = (record: HeldRecord): boolean => record.open.every(({ phase }) => phase === "pooled");

function givenBack(control: Control, back: Back): Control {
  const { hold } = back;
  const stake = hold.stands(control) ? currentStake(control, hold.stake) : undefined;
  if (stake === undefined) return control;
  const next = stake.generation > 0 ? wholeStake(stake, back) : partsOf(stake, back);
  return next === undefined ? control : withStake(control, stake, next);
}

const wholeStake = (stake: TaskStake, { records, hold }: Back): readonly Stake[] =>
  records.length > 0 || hold.stays ? [{ ...stake, owner: "" }] : [];

/** What becomes of a stake that nobody had before: what stays, and a fresh one; undefined: there is nothing to do. */
function partsOf(stake: TaskStake, back: Back): readonly Stake[] | undefined {
  const { hold, records, isWhole, id } = back;
  // What is struck out already was given back by a write that was not answered.
  const fresh = textsOf(hold, records.filter(isUntouched)).filter((text) => stake.entries.includes(text));
  if (fresh.length === 0 && !isWhole) return undefined;
  const entries = staying(stake, fresh, back);
  // What was started is suspect for whoever takes it: the stake counts as taken over once.
  const rest: Stake = isWhole
    ? { ...stake, owner: "", generation: 1, entries, loose: hold.startedLoose }
    : { ...stake, entries };
  return [...(entries.join("") === "" ? [] : [rest]), ...(fresh.length > 0 ? [freshStake(id, fresh)] : [])];
}

/** The entries that stay in a stake, each at its place. */
function staying(
  stake: TaskStake,
  fresh: readonly string[],
  { hold, records, isWhole }: Back,
): readonly string[] {
  const touched = textsOf(
    hold,
    records.filter((record) => !isUntouched(record)),
  );
  const isOver = (text: string): boolean => isWhole && !hold.stays && !touched.includes(text);
  return stake.entries.map((text) => (fresh.includes(text) || isOver(text) ? "" : text));
}

/** A stake that nobody has, and of which nothing was started. */
const freshStake = (id: string, entries: readonly string[]): TaskStake => ({
  kind: "tasks",
  id,
  owner: "",
  generation: 0,
  entries,
  loose: 0,
});

const textsOf = ({ stake }: Hold, records: readonly HeldRecord[]): readonly string[] =>
  [...records].sort((a, b) => a.place - b.place).flatMap(({ place }) => stake.entries[place] ?? []);
