// The servers of the queues: how each is started in a folder and on a port of its own, with its default settings.
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { answerOf } from "./port.mjs";

/** @typedef {{ folder: string, port: number, spare: readonly [number, number] }} Home `spare`: more free ports */
/** @typedef {{ args: readonly string[], env?: NodeJS.ProcessEnv }} Start */
/**
 * @typedef {object} Daemon
 * @property {string} program
 * @property {readonly string[]} version the command that says its version
 * @property {string} package Debian's
 * @property {string} [settings] those that are not its defaults
 * @property {(home: Home) => Start} start
 * @property {{ program: string, start: (home: Home) => Start }} [companion] what it cannot do without, started before it
 * @property {(home: Home & { pid: number }) => Promise<number> | number} bytes what its tasks occupy, and what it needs without them
 */

const MEMCACHED_MB = 4096; // a million tasks need more than its default of 64 MB; -M: full is an error, not a loss

/** @type {Daemon} */
export const memcached = {
  program: "memcached",
  version: ["memcached", "--version"],
  package: "memcached",
  settings: `-m ${String(MEMCACHED_MB)} -M`,
  start: ({ port }) => {
    const user = process.getuid?.() === 0 ? ["-u", "nobody"] : [];
    return { args: ["-l", "127.0.0.1", "-p", String(port), "-m", String(MEMCACHED_MB), "-M", ...user] };
  },
  bytes: async ({ port }) => Number(/STAT bytes (\d+)/.exec(await answerOf(port, "stats\r\n", "END"))?.[1]),
};

/** @type {Daemon} */
export const redis = {
  program: "redis-server",
  version: ["redis-server", "--version"],
  package: "redis-server",
  start: ({ port, folder }) => ({ args: ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder] }),
  bytes: async ({ port }) =>
    Number(/used_memory:(\d+)/.exec(await answerOf(port, "info memory\r\n", "mem_fragmentation_ratio"))?.[1]),
};

/** @type {Daemon} */
export const beanstalkd = {
  program: "beanstalkd",
  version: ["beanstalkd", "-v"],
  package: "beanstalkd",
  start: ({ port }) => ({ args: ["-l", "127.0.0.1", "-p", String(port)] }),
  bytes: ({ pid }) => residentBytes(pid),
};

/** @type {Daemon} */
export const gearmand = {
  program: "gearmand",
  version: ["gearmand", "--version"],
  package: "gearman-job-server",
  start: ({ port, folder }) => {
    const user = process.getuid?.() === 0 ? ["-u", "root"] : [];
    const files = ["-l", join(folder, "gearmand.log"), "-P", join(folder, "gearmand.pid")];
    return { args: ["-L", "127.0.0.1", "-p", String(port), ...files, ...user] };
  },
  bytes: ({ pid }) => residentBytes(pid),
};

/** @type {Daemon} */
export const rabbitmq = {
  program: "rabbitmq-server",
  version: ["ls", "/usr/lib/rabbitmq/lib"], // its own command for it leaves a daemon of Erlang behind
  package: "rabbitmq-server",
  start: (home) => {
    writeFileSync(join(home.folder, "plugins"), "[].\n");
    return { args: [], env: { ...process.env, ...rabbitmqEnvironment(home) } };
  },
  // Erlang's name server: one that RabbitMQ has to start itself stays behind.
  companion: {
    program: "epmd",
    start: ({ spare: [port] }) => ({ args: ["-address", "127.0.0.1", "-port", String(port)] }),
  },
  bytes: ({ folder }) => bytesBelow(join(folder, "data")),
};

/** @param {Home} home */
const rabbitmqEnvironment = ({ folder, port, spare: [names, peers] }) => ({
  HOME: folder, // its cookie is kept there
  ERL_EPMD_ADDRESS: "127.0.0.1",
  ERL_EPMD_PORT: String(names),
  RABBITMQ_NODENAME: `bench${String(port)}@localhost`,
  RABBITMQ_NODE_IP_ADDRESS: "127.0.0.1",
  RABBITMQ_NODE_PORT: String(port),
  RABBITMQ_DIST_PORT: String(peers),
  RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "-kernel inet_dist_use_interface {127,0,0,1}",
  RABBITMQ_MNESIA_BASE: join(folder, "data"),
  RABBITMQ_LOG_BASE: join(folder, "log"),
  RABBITMQ_PID_FILE: join(folder, "pid"),
  RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, "plugins"),
  RABBITMQ_CONF_ENV_FILE: join(folder, "none"),
  RABBITMQ_CONFIG_FILE: join(folder, "none"),
});

/** What a server without a figure of its own occupies. @param {number} pid */
function residentBytes(pid) {
  const [, kib] = /VmRSS:\s*(\d+) kB/.exec(readFileSync(`/proc/${String(pid)}/status`, "utf8")) ?? [];
  return Number(kib) * 1_024;
}

/** @param {string} folder */
export function bytesBelow(folder) {
  if (!existsSync(folder)) return 0;
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
}
