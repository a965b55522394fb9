// Nothing in it means something to a shell.
const PLAIN = /^[\w@+=:,./-]+$/;

/**
 * A text as one word of a command for /bin/sh. A `%` is left outside of the quotes, so that the backslash which
 * a crontab wants before it is never part of the word, whether cron takes it away or the shell does.
 */
export const shellWord = (text: string): string =>
  text === "" ? "''" : text.split("%").map(quoted).join("%");

const quoted = (text: string): string =>
  text === "" || PLAIN.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/** A command as it stands in a crontab, where a bare `%` ends it and begins its standard input. */
export const forCrontab = (command: string): string => command.replaceAll("%", "\\%");

/** The command that cron hands to the shell. What stands behind a bare `%` is its input, and no part of it. */
export const fromCrontab = (command: string): string => {
  const end = /^(?:[^\\%]|\\.?)*/su.exec(command)?.[0].length ?? 0;
  return command.slice(0, end).replaceAll("\\%", "%");
};
