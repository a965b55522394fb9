import { defineConfig } from "vitest/config";

// These start the real commands, so they need what the build makes.
const withCommands = ["test/process/**/*.test.ts", "test/package.test.ts", "test/docs.test.ts"];

// Where the counts go for a program that reads them, e.g. .ci/run.
const resultFile = process.env["MEMQ_TEST_RESULT"];
const shown = ["default", "./test/skip-reporter.ts"];

export default defineConfig({
  test: {
    pool: "forks",
    setupFiles: ["./test/seed.ts"],
    maxWorkers: 2, // more would only make the tests that measure time fail on a small machine
    reporters: resultFile === undefined ? shown : [...shown, ["json", { outputFile: resultFile }]],
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      reporter: ["text", "html"],
    },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: [...withCommands, "**/node_modules/**"],
          testTimeout: 60_000, // ends what hangs; on a loaded machine a sound test has taken fifteen seconds
        },
      },
      {
        extends: true,
        test: {
          name: "process",
          include: withCommands,
          globalSetup: "./test/global-setup.ts",
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
