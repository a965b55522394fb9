import type { TrialStep } from "../../ports/examination.ts";
import { randomName } from "./names.ts";
import type { Answer, Operation, Wire } from "./wire.ts";

// No queue's names begin like this.
const PREFIX = "mqdoctor:";
const NAME_LETTERS = 16;

// Whatever becomes of this process, the item is gone then.
const TTL_SECONDS = 60;

/**
 * Tries every operation that a queue needs, on an item of its own, until one does otherwise than it should. The
 * item is removed again. @throws MemqError when the server cannot be reached.
 */
export async function tryOperations(wire: Wire): Promise<readonly TrialStep[]> {
  const key = PREFIX + randomName(NAME_LETTERS);
  const trial = new Trial(wire, key);
  try {
    await trial.run();
  } finally {
    if (!trial.isOver) await wire.batch([{ kind: "delete", key }]).catch(ignoreGone);
  }
  return trial.steps;
}

const ignoreGone = (): void => undefined; // it ends by itself, and why the server is away is told already

class Trial {
  readonly steps: TrialStep[] = [];
  readonly #wire: Wire;
  readonly #key: string;
  isOver = false;

  constructor(wire: Wire, key: string) {
    this.#wire = wire;
    this.#key = key;
  }

  /** Each step begins only when the one before went as it should. */
  async run(): Promise<void> {
    const key = this.#key;
    const added = await this.#expect(
      "add",
      { kind: "add", key, value: "one", ttlSeconds: TTL_SECONDS },
      "ok",
    );
    if (!added) return;
    if (!(await this.#expect("add refused where there is one", { kind: "add", key, value: "x" }, "exists")))
      return;
    const first = await this.#read("get", "one");
    if (first === undefined || !(await this.#change(first))) return;
    const last = await this.#read("get after append", "two, three");
    if (last === undefined) return;
    const touched = await this.#expect("touch", { kind: "touch", key, ttlSeconds: TTL_SECONDS }, "ok");
    if (!touched || !(await this.#end(first))) return;
    this.isOver = await this.#expect("get of what is gone", { kind: "get", key }, "missing");
  }

  async #change(cas: bigint): Promise<boolean> {
    const key = this.#key;
    return (
      (await this.#expect("replace with cas", { kind: "replace", key, value: "two", cas }, "ok")) &&
      (await this.#expect("stale cas refused", { kind: "replace", key, value: "x", cas }, "exists")) &&
      (await this.#expect("append", { kind: "append", key, value: ", three" }, "ok"))
    );
  }

  async #end(stale: bigint): Promise<boolean> {
    const key = this.#key;
    if (
      !(await this.#expect("delete with a stale cas refused", { kind: "delete", key, cas: stale }, "exists"))
    )
      return false;
    const cas = await this.#read("get after touch", "two, three");
    return cas !== undefined && this.#expect("delete with cas", { kind: "delete", key, cas }, "ok");
  }

  async #expect(step: string, operation: Operation, kind: Answer["kind"]): Promise<boolean> {
    const answer = await this.#ask(operation);
    if (answer.kind === kind) return this.#pass(step);
    return this.#fail({ step, fault: wordsOf(answer), ...(answer.kind === "full" && { isFull: true }) });
  }

  /** The version of the item, when it has this value. */
  async #read(step: string, value: string): Promise<bigint | undefined> {
    const answer = await this.#ask({ kind: "get", key: this.#key });
    const isThat = answer.kind === "ok" && answer.value?.toString() === value && answer.cas !== 0n;
    if (!isThat) {
      this.#fail({
        step,
        fault: answer.kind === "ok" ? "it gave another value, or no cas" : wordsOf(answer),
      });
      return undefined;
    }
    this.#pass(step);
    return answer.cas;
  }

  async #ask(operation: Operation): Promise<Answer> {
    const [answer] = await this.#wire.batch([operation]);
    return answer ?? { kind: "unknown" };
  }

  #pass(step: string): true {
    this.steps.push({ step });
    return true;
  }

  #fail(step: TrialStep): false {
    this.steps.push(step);
    return false;
  }
}

function wordsOf(answer: Answer): string {
  switch (answer.kind) {
    case "ok":
      return "it was done all the same";
    case "missing":
      return "the item is not there";
    case "exists":
      return "it was refused: the item is there, or is another by now";
    case "full":
      return "there is no memory for it";
    case "tooLarge":
      return "it is too large";
    case "unknown":
      return "there was no answer";
  }
}
