import { ERRORS, EXIT, type ErrorCode, type ExitCode } from "../errors.ts";
import type { BulkOutcome } from "../publish/publisher.ts";
import { printable } from "./printable.ts";
import type { Session } from "./shell.ts";

// More than a screenful of ids helps nobody; the summary says how many there are.
const MOST_IDS = 1_000;
const MOST_FAULTS = 20;

/** Counts what became of the lines of a bulk, and tells it as a person or a script wants to know it. */
export class BulkCount {
  readonly #session: Session;
  readonly #ids: string[] = [];
  readonly #count = { kept: 0, duplicate: 0, refused: 0 };
  #lastLine = 0;
  #isCutShort = false;

  constructor(session: Session) {
    this.#session = session;
  }

  /** The queue is full: what comes later would be refused too. */
  get isCutShort(): boolean {
    return this.#isCutShort;
  }

  /** How many lines were answered so far. */
  get total(): number {
    const { kept, duplicate, refused } = this.#count;
    return kept + duplicate + refused;
  }

  get exit(): ExitCode {
    if (this.isCutShort) return EXIT.tryLater;
    return this.#count.refused > 0 ? EXIT.data : EXIT.ok;
  }

  add(line: number, outcome: BulkOutcome | undefined): void {
    this.#lastLine = line;
    if (outcome === undefined) return;
    if (outcome.kind === "refused") {
      this.refused(line, outcome.code, outcome.reason);
      return;
    }
    this.#count[outcome.kind]++;
    // One more than is printed, so that it is seen that there are more.
    if (this.#ids.length <= MOST_IDS) this.#ids.push(outcome.kind === "kept" ? outcome.id : outcome.of);
  }

  refused(line: number, code: ErrorCode, reason: string): void {
    this.#lastLine = line;
    this.#count.refused++;
    this.#isCutShort ||= ERRORS[code].exit === EXIT.tryLater;
    if (this.#count.refused <= MOST_FAULTS)
      this.#session.complain(`line ${String(line)}: ${printable(reason)} [${code}]`);
  }

  /** Something failed on the way: tells what is known until there. */
  tellBroken(): void {
    if (this.#lastLine === 0) return;
    this.tell();
    this.#session.complain(
      `the lines up to ${String(this.#lastLine)} were answered; of the later ones nothing is known`,
    );
  }

  /** Ids or counts to stdout; to stderr what the ids do not say. */
  tell(): void {
    const { print, complain, parsed } = this.#session;
    const unsaid = this.#count.refused - MOST_FAULTS;
    if (unsaid > 0) complain(`… ${String(unsaid)} more lines were refused`);
    if (this.#isCutShort) complain(`the lines after ${String(this.#lastLine)} were not tried`);
    if (parsed.flag("json")) print(JSON.stringify(this.#count));
    else this.#tellPeople();
  }

  #tellPeople(): void {
    const { print, say, parsed } = this.#session;
    const { kept, duplicate, refused } = this.#count;
    const counts = `${String(kept)} kept, ${String(duplicate)} duplicate, ${String(refused)} refused`;
    if (parsed.flag("dry-run")) {
      say(`Nothing was published; it would be: ${counts}`);
      return;
    }
    const isListed = this.#ids.length <= MOST_IDS;
    if (isListed && this.#ids.length > 0) print(this.#ids.join("\n"));
    if (!isListed || refused > 0) say(counts);
  }
}
