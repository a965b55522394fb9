import type { Reporter, TestCase, TestModule } from "vitest/node";

/** Says at the end how many tests were skipped and why, so that a green run is not taken for a whole one. */
export default class SkipReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = new Map<string, number>();
    for (const test of modules.flatMap((module) => [...module.children.allTests("skipped")])) {
      const reason = reasonOf(test);
      counts.set(reason, (counts.get(reason) ?? 0) + 1);
    }
    for (const [reason, count] of counts) {
      process.stderr.write(`SKIPPED ${String(count)} ${count === 1 ? "test" : "tests"}: ${reason}\n`);
    }
  }
}

/** The note given to skip(), else the file. */
function reasonOf(test: TestCase): string {
  const result = test.result();
  const note = result.state === "skipped" ? result.note : undefined;
  return note ?? `in ${test.module.relativeModuleId}`;
}
