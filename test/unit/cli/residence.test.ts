import { describe, expect, test } from "vitest";
import { withoutOption } from "../../../src/cli/child-run.ts";
import { Residence, type ChildRun } from "../../../src/cli/residence.ts";
import { Metronome } from "../../../src/schedule/metronome.ts";
import { calendarOf } from "../../../src/schedule/schedule.ts";
import { zoneOf } from "../../../src/schedule/zone.ts";

const MINUTE_MS = 60_000;
const START = Date.UTC(2026, 0, 1, 8);

/** A run that ends when the test says so. */
class FakeRun implements ChildRun {
  readonly name: string;
  readonly signals: NodeJS.Signals[] = [];
  end: (how: string) => void = () => undefined;
  fail: (error: Error) => void = () => undefined;
  readonly ended = new Promise<string>((resolve, reject) => {
    this.end = resolve;
    this.fail = reject;
  });

  constructor(name: string) {
    this.name = name;
  }

  stop(signal: NodeJS.Signals): void {
    this.signals.push(signal);
  }
}

function settle(cron: string, mostRuns = 3) {
  const runs: FakeRun[] = [];
  const said: string[] = [];
  const complaints: string[] = [];
  const residence = new Residence({
    metronome: new Metronome(calendarOf(cron, zoneOf("UTC")), START),
    launch: () => {
      const run = new FakeRun(`run ${String(runs.length + 1)}`);
      runs.push(run);
      return run;
    },
    mostRuns,
    say: (line) => said.push(line),
    complain: (line) => complaints.push(line),
  });
  const tickAt = (minutes: number): void => {
    residence.tick(START + minutes * MINUTE_MS);
  };
  return { residence, runs, said, complaints, tickAt };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("a residence", () => {
  test("starts a run at each time of its cadence, and says one line per start and end", async () => {
    const { runs, said, tickAt } = settle("*/10 * * * *");
    for (const minute of [0, 5, 10, 10, 11, 15]) tickAt(minute);
    expect(runs).toHaveLength(1);
    runs[0]?.end("exit 0");
    await turn();
    tickAt(20);
    expect(runs).toHaveLength(2);
    expect(said).toEqual([
      "runjobs: run 1 started",
      expect.stringMatching(/^runjobs: run 1 ended after .* \(exit 0\)$/),
      "runjobs: run 2 started",
    ]);
  });

  test("lets runs overlap, up to as many as there are slots", async () => {
    const { runs, said, tickAt } = settle("* * * * *", 2);
    for (const minute of [1, 2, 3, 4]) tickAt(minute);
    expect(runs).toHaveLength(2);
    expect(said.filter((line) => line.includes("still at work"))).toHaveLength(2);
    runs[0]?.end("SIGKILL");
    await turn();
    tickAt(5);
    expect(runs).toHaveLength(3);
  });

  test("goes on after a run that could not be started", async () => {
    const { runs, complaints, tickAt } = settle("* * * * *", 1);
    tickAt(1);
    runs[0]?.fail(new Error("no memory"));
    await turn();
    tickAt(2);
    expect(runs).toHaveLength(2);
    expect(complaints).toEqual(["runjobs: a run could not be started: no memory"]);
  });

  test("passes a signal on, waits for its runs, and starts no more", async () => {
    const { residence, runs, tickAt } = settle("* * * * *");
    tickAt(1);
    tickAt(2);
    let isOver = false;
    const over = residence.end("SIGTERM").then(() => (isOver = true));
    tickAt(3);
    expect(runs.map(({ signals }) => signals)).toEqual([["SIGTERM"], ["SIGTERM"]]);
    runs[0]?.end("exit 0");
    await turn();
    expect(isOver).toBe(false);
    runs[1]?.end("exit 1");
    await over;
  });
});

describe("a run's command line", () => {
  test.each([
    [["--cron", "* * * * *", "push"], ["push"]],
    [
      ["--verbose", "--cron=* * * * *", "--max-runs", "2"],
      ["--verbose", "--max-runs", "2"],
    ],
    [
      ["push", "--", "--cron", "x"],
      ["push", "--", "--cron", "x"],
    ],
  ])("of %j is %j", (argv, args) => {
    expect(withoutOption(argv, "--cron")).toEqual(args);
  });
});
