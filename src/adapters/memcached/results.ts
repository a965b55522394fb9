import type { Bell } from "../../host/bell.ts";
import { lookOut } from "../../host/lookout.ts";
import type { Claim } from "../../ports/broker.ts";
import { sealName } from "../../ports/results.ts";
import type { Results, TaskEnd } from "../../ports/results.ts";
import { decodeResult } from "../../task/result.ts";
import type { Progress, TaskResult } from "../../task/result.ts";
import type { Inspector } from "./inspector.ts";
import type { Parts } from "./parts.ts";
import type { ProgressItems } from "./progress.ts";
import type { Item } from "./session.ts";

// On this host a bell tells; a task of another host ends half of this earlier on average.
const FASTEST_LOOK_MS = 50;
const SLOWEST_LOOK_MS = 1_000;

/** What results are read with. */
interface Tools {
  readonly inspector: Inspector;
  readonly bell: Pick<Bell, "hang" | "listen">;
  readonly progress: ProgressItems;
}

/** The results of a queue: an item each, that counts once its task is not there any more. A dead letter is its own. */
export class MemcachedResults implements Results {
  readonly #parts: Parts;
  readonly #tools: Tools;

  constructor(parts: Parts, tools: Tools) {
    this.#parts = parts;
    this.#tools = tools;
  }

  async find(id: string): Promise<TaskResult | undefined> {
    const [end] = await this.#endsOf([id]);
    return end?.kind === "gone" ? undefined : end;
  }

  async wait(ids: readonly string[], untilMs: number, signal: AbortSignal): Promise<readonly TaskEnd[]> {
    this.#tools.bell.hang();
    const gone = new Set<string>();
    const look = async (): Promise<readonly TaskEnd[] | undefined> => {
      const ends = (await this.#endsOf(ids)).filter(
        (end) => end.kind !== "gone" || isSeenAgain(gone, end.id),
      );
      return ends.length > 0 ? ends : undefined;
    };
    const { clock } = this.#parts;
    const pace = { fastestMs: FASTEST_LOOK_MS, slowestMs: SLOWEST_LOOK_MS };
    return (await lookOut(look, { bell: this.#tools.bell, clock, untilMs, signal, ...pace })) ?? [];
  }

  report(claim: Claim, progress: Progress): Promise<void> {
    return this.#tools.progress.write(claim, progress);
  }

  async progress(ids: readonly string[]): Promise<ReadonlyMap<string, Progress>> {
    return this.#tools.progress.read(await this.#tools.inspector.showIds(ids));
  }

  /** The records first: a result was written before its record went. */
  async #endsOf(ids: readonly string[]): Promise<readonly TaskEnd[]> {
    const there = await this.#tools.inspector.showIds(ids);
    const gone = ids.filter((id) => !there.has(id));
    const items = await this.#parts.session.getAll(gone.map((id) => this.#parts.keys.result(id)));
    const results = new Map(gone.map((id, at) => [id, this.#resultIn(id, items[at])]));
    return ids.flatMap((id): readonly TaskEnd[] => {
      const record = there.get(id)?.record;
      if (record === undefined) return [results.get(id) ?? { kind: "gone", id }];
      if (record.state !== "dead") return [];
      const { attempts: attempt, error: reason = "", at } = record;
      return [{ kind: "dead", id, reason, attempt, at }];
    });
  }

  #resultIn(id: string, item: Item | undefined): TaskResult | undefined {
    const text = item && this.#parts.codec.unseal(sealName(id), item.value.toString("utf8"));
    return text === undefined ? undefined : decodeResult(id, text);
  }
}

/** Once is not enough: a task may move from one record to another between the looks at the two. */
function isSeenAgain(seen: Set<string>, id: string): boolean {
  if (seen.has(id)) return true;
  seen.add(id);
  return false;
}
