import { describe, expect, test } from "vitest";
import type { Contender } from "../../../scripts/bench/contenders.mjs";
import { pageOf } from "../../../scripts/bench/page.mjs";
import { head, linesOf } from "../../../scripts/bench/table.mjs";
import type { Floors, Outcome, Row } from "../../../scripts/bench/trial.mjs";

const contender = (name: string, isOurs: boolean): Contender => ({
  name,
  client: name,
  isOurs,
  floor: "file",
  keeps: "disk",
  settings: "defaults",
  packages: [],
});
const memq = contender("memq", true);
const hare = contender("hare", false);
const tortoise = contender("tortoise", false);

const slower: Row = { key: "time", title: "some work", unit: "ms", better: "fall" };

interface Told {
  readonly row?: Row;
  readonly floors?: readonly Floors[];
  readonly failure?: string;
}

/** The line of a row, from the figures of memq, hare and tortoise by round. */
function lineOf(
  figures: readonly (readonly number[])[],
  { row = slower, floors, failure }: Told = {},
): string {
  const rounds = figures.map((byRound) => byRound.map((figure) => ({ [row.key]: figure })));
  const outcome: Outcome = {
    trial: { name: "work", about: "", rounds: 1, rows: [row], measure: () => Promise.resolve({}) },
    floors: floors ?? rounds[0]?.map(() => ({})) ?? [],
    found: new Map([
      [memq, { rounds: rounds[0] ?? [] }],
      [hare, { rounds: rounds[1] ?? [], ...(failure === undefined ? {} : { failure }) }],
      [tortoise, { rounds: rounds[2] ?? [] }],
    ]),
  };
  return linesOf(outcome)[0] ?? "";
}

describe("a line of the benchmark's table", () => {
  test("has a cell for every column of the head", () => {
    const cells = (line: string): number => line.split("|").length;
    expect(cells(lineOf([[1], [1], [1]]))).toBe(cells(head([memq, hare, tortoise]).split("\n")[0] ?? ""));
  });

  test("shows medians, and memq as times the best peer", () => {
    expect(
      lineOf([
        [20, 30, 900],
        [40, 60, 50],
        [200, 100, 100],
      ]),
    ).toBe("| some work | – | 30 ms | 50 ms | 100 ms | 0.50x of hare |");
  });

  test("takes the highest for the best where more is better", () => {
    const row: Row = { ...slower, unit: "tasks/s", better: "rise" };
    expect(lineOf([[3_000], [1_000], [2_000]], { row })).toContain("| 1.50x of tortoise |");
  });

  test("holds memq against its floor round by round", () => {
    const floors = [{ file: { time: 10 } }, { file: { time: 1_000 } }, { file: { time: 10 } }];
    expect(
      lineOf(
        [
          [20, 2_000, 20],
          [1, 1, 1],
          [2, 2, 2],
        ],
        { floors },
      ),
    ).toContain("| file 10 ms | 20 ms (2.00x of its floor) |");
  });

  test("takes an empty script away from what a command needs", () => {
    const row = { ...slower, isOver: true };
    const floors = [{ node: { time: 40 } }];
    expect(lineOf([[55], [100], [60]], { row, floors })).toBe(
      "| some work | node 40 ms | +15 ms | +60 ms | +20 ms | 0.75x of tortoise |",
    );
  });

  test("names a peer that failed, and compares with the others", () => {
    expect(lineOf([[20], [], [40]], { failure: "it ended" })).toBe(
      "| some work | – | 20 ms | failed | 40 ms | 0.50x of tortoise |",
    );
  });

  test("says that something took too long, instead of how long", () => {
    const row = { ...slower, beyond: "> 15 s" };
    expect(lineOf([[20], [Number.POSITIVE_INFINITY], [40]], { row })).toContain("| > 15 s | 40 ms |");
  });

  test("leaves open what was not measured", () => {
    expect(lineOf([[20], [], []])).toBe("| some work | – | 20 ms | – | – | – |");
  });
});

test("the benchmark's page has the table, the machine, what was measured, and what was skipped and why", () => {
  const page = pageOf({
    lines: ["| the table |"],
    descriptions: [{ name: "hare", versions: "hare 1.2.3", keeps: "memory", settings: "defaults" }],
    skipped: ["tortoise is skipped: it is not installed"],
    rounds: 3,
  });
  expect(page).toContain("\n| the table |\n");
  expect(page).toContain("| hare | hare 1.2.3 | memory | defaults |");
  expect(page).toContain("- tortoise is skipped: it is not installed");
  expect(page).toContain(`Node ${process.version}`);
  expect(page).not.toMatch(/undefined|NaN/);
});
