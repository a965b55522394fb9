import { exitOf, type Diagnosis, type Verdict } from "../doctor/verdict.ts";
import { EXIT } from "../errors.ts";
import { columns } from "./columns.ts";
import { heading } from "./emphasis.ts";
import type { Io } from "./io.ts";
import { counted, printableLines } from "./printable.ts";

const INDENT = "  ";

/** What was found, for people: each thing with its checks, and the fix below what is not in order. */
export function diagnosisLines(diagnoses: readonly Diagnosis[], io: Io): readonly string[] {
  // Laid out together, so that all stand in the same columns.
  const rows = columns(diagnoses.flatMap(({ verdicts }) => verdicts.map(headOf)));
  const margin = " ".repeat(Math.max(0, ...rows.map((row) => row.length)) + INDENT.length);
  let at = 0;
  return diagnoses.flatMap(({ about, verdicts }) => [
    heading(printableLines(about), io),
    ...verdicts.flatMap((verdict) =>
      linesOf(verdict, (rows[at++] ?? "").padEnd(margin.length - INDENT.length), margin),
    ),
  ]);
}

const headOf = ({ verdict, check }: Verdict): readonly string[] => [`${INDENT}${verdict}`, check];

function linesOf({ says, fix }: Verdict, head: string, margin: string): readonly string[] {
  const [first = "", ...rest] = printableLines(says).split("\n");
  const more = fix === undefined ? rest : [...rest, `fix: ${fix}`];
  return [`${head}${INDENT}${first}`, ...more.map((line) => margin + line)];
}

/** The whole in one line. */
export function summaryLine(diagnoses: readonly Diagnosis[]): string {
  const count = (wanted: Verdict["verdict"]): number =>
    diagnoses.flatMap(({ verdicts }) => verdicts).filter(({ verdict }) => verdict === wanted).length;
  const [failures, warnings] = [count("fail"), count("warn")];
  if (failures + warnings === 0) return "Everything is in order.";
  return `${counted(failures, "failure")}, ${counted(warnings, "warning")}.`;
}

/** The same for programs. */
export function diagnosisJson(diagnoses: readonly Diagnosis[]): object {
  const exit = exitOf(diagnoses);
  return { ok: exit === EXIT.ok, exit, diagnoses };
}
