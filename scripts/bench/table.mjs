// The figures of a trial as lines of a table.
import { median } from "./median.mjs";

/** @typedef {import("./trial.mjs").Outcome} Outcome */
/** @typedef {import("./trial.mjs").Row} Row */
/** @typedef {import("./contenders.mjs").Contender} Contender */
/** @typedef {{ contender: Contender, byRound: readonly number[], failure?: string | undefined }} Column */

const NOTHING = "–";

/** @param {readonly Contender[]} contenders */
export function head(contenders) {
  const ours = contenders.filter(({ isOurs }) => isOurs);
  const cells = [
    "",
    "floor",
    ...contenders.map(({ name }) => name),
    ...ours.map(({ name }) => `${name}, to the best peer`),
  ];
  return [lineOf(cells), lineOf(cells.map(() => "---"))].join("\n");
}

/** The table's lines of a trial; a ratio is the median of the rounds' ratios. @param {Outcome} outcome */
export function linesOf(outcome) {
  return outcome.trial.rows.map((row) => {
    const columns = [...outcome.found].map(([contender, { rounds, failure }]) => ({
      contender,
      byRound: rounds.map((figures, nth) => figureOf(row, figures, outcome.floors[nth])),
      failure,
    }));
    const best = bestPeer(row, columns);
    return lineOf([
      row.title,
      floorCell(outcome, row),
      ...columns.map((column) => cellOf(outcome, row, column)),
      ...columns.filter(({ contender }) => contender.isOurs).map((own) => againstPeer(own, best)),
    ]);
  });
}

/** @param {readonly string[]} cells */
const lineOf = (cells) => `| ${cells.join(" | ")} |`;

/** @param {Row} row @param {import("./trial.mjs").Figures} figures @param {import("./trial.mjs").Floors} [floors] */
function figureOf({ key, isOver }, figures, floors) {
  const figure = figures[key] ?? Number.NaN;
  return isOver === true ? figure - (floors?.node?.[key] ?? Number.NaN) : figure;
}

/** @param {Outcome} outcome @param {Row} row */
function floorCell({ floors }, row) {
  const kinds = /** @type {const} */ (["file", "socket", "node"]);
  const cells = kinds.flatMap((kind) => {
    const figures = floors.flatMap((round) => round[kind]?.[row.key] ?? []);
    return figures.length === 0 ? [] : [`${kind} ${written(median(figures), row.unit)}`];
  });
  return cells.length === 0 ? NOTHING : cells.join(", ");
}

/** @param {Outcome} outcome @param {Row} row @param {Column} column */
function cellOf({ floors }, row, { contender, byRound, failure }) {
  if (failure !== undefined) return "failed";
  const figure = median(byRound);
  if (Number.isNaN(figure)) return NOTHING;
  if (figure === Number.POSITIVE_INFINITY) return row.beyond ?? NOTHING;
  const text = `${row.isOver === true && figure >= 0 ? "+" : ""}${written(figure, row.unit)}`;
  const ratios = byRound.map((each, nth) => each / (floors[nth]?.[contender.floor]?.[row.key] ?? Number.NaN));
  const ratio = median(ratios);
  return contender.isOurs && !Number.isNaN(ratio) ? `${text} (${ratioText(ratio)} of its floor)` : text;
}

/** @param {Row} row @param {readonly Column[]} columns @returns {Column | undefined} */
function bestPeer({ better }, columns) {
  const sign = better === "fall" ? 1 : -1;
  return columns
    .filter(
      ({ contender, byRound, failure }) =>
        !contender.isOurs && failure === undefined && Number.isFinite(median(byRound)),
    )
    .sort((one, other) => sign * (median(one.byRound) - median(other.byRound)))[0];
}

/** @param {Column} own @param {Column | undefined} best */
function againstPeer({ byRound, failure }, best) {
  const ratio = median(byRound.map((figure, nth) => figure / (best?.byRound[nth] ?? Number.NaN)));
  if (best === undefined || failure !== undefined || !Number.isFinite(ratio)) return NOTHING;
  return `${ratioText(ratio)} of ${best.contender.name}`;
}

/** @param {number} ratio */
const ratioText = (ratio) => `${ratio >= 10 ? String(Math.round(ratio)) : ratio.toFixed(2)}x`;

/** @param {number} figure @param {string} unit */
function written(figure, unit) {
  const digits = Math.abs(figure) >= 10 ? 0 : 2;
  const space = unit === "x" ? "" : " ";
  return figure.toLocaleString("en", { maximumFractionDigits: digits }) + space + unit;
}
