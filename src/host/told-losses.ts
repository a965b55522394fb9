import type { LedgerEntry } from "./ledger-entry.ts";

/** A loss that a run or a worker of this host has told of. */
export interface ToldLoss {
  /** When it was found out, in ms since 1970. */
  readonly at: number;
  /** For people. */
  readonly text: string;
}

/** What a ledger's entries tell to be lost, the latest first. */
export const toldLossesIn = (entries: readonly LedgerEntry[]): readonly ToldLoss[] =>
  entries
    .flatMap((entry) => {
      const texts = entry.kind === "began" ? [] : (entry.losses ?? []);
      return texts.map((text) => ({ at: entry.at, text }));
    })
    .sort((one, other) => other.at - one.at);
