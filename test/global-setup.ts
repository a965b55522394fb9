import { execFileSync } from "node:child_process";

/** Builds the commands once for all tests that start them, unless nothing changed since the last build. */
export default function buildOnce(): void {
  execFileSync(process.execPath, ["scripts/build.mjs", "--for-tests"], { stdio: "inherit" });
}
