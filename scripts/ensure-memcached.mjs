// The tests of shared queues start memcached servers of their own. Installs Debian's where it is missing and
// this may be done; else says what will not be tested. Never fails: the other tests do not need it.
import { spawnSync } from "node:child_process";

if (!runs("memcached", ["-V"])) provide();

function provide() {
  const hindrance = whyNotInstalled();
  if (hindrance !== undefined) {
    warn(hindrance);
    return;
  }
  process.stderr.write("memcached is not there: installing Debian's (MEMQ_NO_INSTALL=1 forbids it)\n");
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  // An old package list names versions that the mirror no longer has.
  runs("apt-get", ["update", "-qq"], environment);
  runs("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "memcached"], environment);
  if (!runs("memcached", ["-V"])) warn("apt-get could not install it");
}

/** Undefined: nothing stands in the way. */
function whyNotInstalled() {
  if (process.env["MEMQ_NO_INSTALL"] === "1") return "MEMQ_NO_INSTALL=1 forbids to install it";
  if (process.getuid?.() !== 0) return "only root can install it";
  if (!runs("apt-get", ["--version"])) return "there is no apt-get to install it with";
  return undefined;
}

/** @param {string} reason */
function warn(reason) {
  const rule = "*".repeat(72);
  process.stderr.write(
    `${rule}\nmemcached was not found on PATH, and ${reason}.\nTHE TESTS OF SHARED QUEUES ARE SKIPPED.\n${rule}\n`,
  );
}

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 */
function runs(command, args, env = process.env) {
  return spawnSync(command, args, { stdio: "ignore", env, timeout: 300_000 }).status === 0;
}
