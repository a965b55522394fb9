// The closing line of .ci/run: node scripts/tally.mjs RESULT STATUS
// RESULT is what vitest's json reporter wrote (if it came that far), STATUS the exit code of all checks.
import { existsSync, readFileSync, statSync } from "node:fs";

/**
 * @typedef {{ status: string, assertionResults: { status: string }[] }} FileResult
 * @typedef {{ numPassedTests: number, numFailedTests: number, numPendingTests: number, numTodoTests: number,
 *   testResults: FileResult[] }} Result
 */

const [resultFile = "", status = "1"] = process.argv.slice(2);
const result = read(resultFile);
const counts = count(result);

if (result === undefined) {
  process.stdout.write("The tests were not reached, see above; counted as 1 failed.\n");
} else if (status !== "0" && counts.failed === 0) {
  process.stdout.write("A check other than the tests failed, see above; counted as 1 failed.\n");
  counts.failed = 1;
}
process.stdout.write(
  `${String(counts.passed)} passed, ${String(counts.failed)} failed, ${String(counts.skipped)} skipped\n`,
);
process.exitCode = counts.failed > 0 ? 1 : 0;

/**
 * @param {string} path
 * @returns {Result | undefined}
 */
function read(path) {
  if (!existsSync(path) || statSync(path).size === 0) return undefined;
  /** @type {unknown} */
  const result = JSON.parse(readFileSync(path, "utf8"));
  return /** @type {Result} */ (result);
}

/** @param {Result | undefined} result */
function count(result) {
  // No result, or one without a single test that passed, is no success whatever the exit code says.
  if (result === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const failed = result.numFailedTests + result.testResults.filter(failedToLoad).length;
  return {
    passed: result.numPassedTests,
    failed: failed === 0 && result.numPassedTests === 0 ? 1 : failed,
    skipped: result.numPendingTests + result.numTodoTests,
  };
}

/**
 * A file that failed with none of its tests failing: it could not be read, or a hook broke.
 * @param {FileResult} file
 */
function failedToLoad(file) {
  return file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed");
}
