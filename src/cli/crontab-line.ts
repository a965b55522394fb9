import { basename, dirname } from "node:path";
import { scriptPath } from "./package-files.ts";

// Nothing in it means something to a shell.
const PLAIN = /^[\w@+=:,./-]+$/;

/**
 * The crontab line that runs a configuration every ten minutes. Cron has no PATH to speak of and starts in
 * the home folder, so the line says where everything is. Undefined when a path cannot stand in a crontab.
 */
export function crontabLine(configFile: string, nodePath = process.execPath): string | undefined {
  const named = basename(configFile) === "config.ini" ? [] : ["--config", shellWord(basename(configFile))];
  const run = [shellWord(nodePath), shellWord(scriptPath("runjobs")), ...named].join(" ");
  const line = `*/10 * * * * cd ${shellWord(dirname(configFile))} && ${run}`;
  return line.includes("\n") ? undefined : forCrontab(line);
}

const shellWord = (text: string): string => (PLAIN.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** In a crontab a bare `%` ends the command and begins its standard input. */
const forCrontab = (line: string): string => line.replaceAll("%", "\\%");
