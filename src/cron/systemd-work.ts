import { basename, dirname } from "node:path";
import { assertPlain, type RunPlan } from "./run-plan.ts";
import { argument, assertWhole, literal, program, unit, type UnitFile } from "./systemd.ts";
import { unitName } from "./unit-name.ts";

/** Which workers systemd is to keep. Every path is absolute. */
export interface WorkPlan extends Pick<RunPlan, "configFile" | "node" | "user"> {
  /** The command `memq` of this package. */
  readonly script: string;
  /** Of the command line, besides the configuration. */
  readonly args: readonly string[];
  /** In their place: none = every queue of the configuration. */
  readonly queues: readonly string[];
}

/** The service that keeps workers. @throws MemqError USAGE when a path cannot stand in such a file. */
export function workUnit(plan: WorkPlan): UnitFile {
  assertPlain(plan);
  assertWhole(plan);
  const { configFile, user, queues } = plan;
  const name = unitName({ configFile, queue: queues.join("-") }).replace(/^memq/, "memq-work");
  const text = unit([
    "[Unit]",
    `Description=${literal(`memq workers of ${configFile}${queues.length === 0 ? "" : `, ${queues.join(", ")}`}`)}`,
    "After=network.target",
    "",
    "[Service]",
    `User=${user}`,
    `WorkingDirectory=${literal(dirname(configFile))}`,
    `ExecStart=${commandOf(plan)}`,
    "# systemctl reload: new handlers, one worker after the other.",
    "ExecReload=/bin/kill -HUP $MAINPID",
    "# The parent alone is told to end: it lets its workers finish, 10 s at most.",
    "KillMode=mixed",
    "TimeoutStopSec=60",
    "Restart=always",
    "RestartSec=5",
    "# What the command line or the configuration has wrong, no restart mends.",
    "RestartPreventExitStatus=64 78",
    "",
    "[Install]",
    "WantedBy=multi-user.target",
  ]);
  return { path: `/etc/systemd/system/${name}.service`, text };
}

function commandOf({ configFile, node, script, args, queues }: WorkPlan): string {
  const named = basename(configFile) === "config.ini" ? [] : [`--config=${basename(configFile)}`];
  const words = [script, "work", ...named, ...args, "--", ...queues];
  return [program(node), ...words.map(argument)].join(" ");
}
