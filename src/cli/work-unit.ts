import { stableNode } from "../cron/stable-node.ts";
import { workUnit } from "../cron/systemd-work.ts";
import { EXIT, MemqError } from "../errors.ts";
import { scriptPath } from "./package-files.ts";
import { userOf } from "./run-plan.ts";
import type { Session } from "./shell.ts";
import { chooseSound } from "./sound-queues.ts";
import { workOptions, workerOptions } from "./work-options.ts";

/** `memq work --systemd`: shows the unit that keeps such workers, and starts none. */
export function printWorkUnit(session: Session): number {
  const { parsed, print, say } = session;
  if (parsed.flag("if-not-running"))
    throw new MemqError("USAGE", "--if-not-running: systemd itself knows whether they run");
  const { log } = workOptions(session);
  const { memq, asked = [] } = chooseSound(session);
  const { file } = memq.config;
  if (file === undefined) throw new MemqError("BUG", "a command without a configuration file");
  const processes = parsed.text("processes");
  const { path, text } = workUnit({
    configFile: file,
    node: stableNode(),
    script: scriptPath("memq"),
    user: userOf(parsed),
    args: [
      ...(processes === undefined ? [] : [`--processes=${processes}`]),
      ...workerOptions(parsed, ["max-tasks", "max-memory", "concurrency", "timeout"]),
      ...(log === undefined ? [] : [`--log=${log}`]),
    ],
    queues: asked,
  });
  const name = path.split("/").at(-1) ?? "";
  if (parsed.flag("json")) print(JSON.stringify({ path, text }));
  else {
    print(`# ${path}\n${text}`.replace(/\n$/, ""));
    say(`Save it as root, then: systemctl daemon-reload && systemctl enable --now ${name}`);
  }
  return EXIT.ok;
}
