// The queues that are held against each other: memq on both brokers, and its peers as far as they are installed.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as daemons from "./daemons.mjs";
import { jsonIn } from "./json.mjs";
import { makeProject } from "./memq-project.mjs";
import { programNamed, versionSaidBy } from "./program.mjs";

/** @typedef {import("./daemons.mjs").Daemon} Daemon */
/** @typedef {import("./daemons.mjs").Home} Home */
/**
 * @typedef {object} Contender
 * @property {string} name
 * @property {string} client its file in clients
 * @property {boolean} isOurs
 * @property {"file" | "socket"} floor what of the machine it cannot do without
 * @property {string} keeps where tasks are when their publishing has returned
 * @property {string} settings how it is used, in words
 * @property {Daemon} [daemon]
 * @property {readonly string[]} packages of npm, in the peers' folder; the first is itself
 * @property {(home: Home) => void} [prepare]
 * @property {string} [store] where it keeps its tasks itself, in its folder
 */

/** @type {readonly Contender[]} */
const OURS = [
  {
    name: "memq, embedded",
    client: "memq",
    isOurs: true,
    floor: "file",
    keeps: "disk, synced",
    settings: "defaults",
    packages: [],
    prepare: ({ folder }) => {
      makeProject(folder, "");
    },
    store: "memq-data",
  },
  {
    name: "memq, memcached",
    client: "memq",
    isOurs: true,
    floor: "socket",
    keeps: "memory",
    settings: "defaults",
    daemon: daemons.memcached,
    packages: [],
    prepare: ({ folder, port }) => {
      makeProject(folder, `queueip = 127.0.0.1\nqueueport = ${String(port)}\n`);
    },
  },
];

/** @type {readonly Contender[]} */
const PEERS = [
  {
    name: "BullMQ",
    client: "bullmq",
    isOurs: false,
    floor: "socket",
    keeps: "memory, saved now and then",
    settings: "concurrency 100, removeOnComplete, bulks of 1,000",
    daemon: daemons.redis,
    packages: ["bullmq", "ioredis"],
  },
  {
    name: "bee-queue",
    client: "bee-queue",
    isOurs: false,
    floor: "socket",
    keeps: "memory, saved now and then",
    settings: "concurrency 100, removeOnSuccess, no events, no stored jobs, bulks of 1,000",
    daemon: daemons.redis,
    packages: ["bee-queue"],
  },
  {
    name: "beanstalkd",
    client: "beanstalkd",
    isOurs: false,
    floor: "socket",
    keeps: "memory",
    settings: "bare socket, 500 requests at once",
    daemon: daemons.beanstalkd,
    packages: [],
  },
  {
    name: "gearmand",
    client: "gearmand",
    isOurs: false,
    floor: "socket",
    keeps: "memory",
    settings: "bare socket, 500 requests at once, background jobs",
    daemon: daemons.gearmand,
    packages: [],
  },
  {
    name: "plainjob",
    client: "plainjob",
    isOurs: false,
    floor: "file",
    keeps: "disk, not synced",
    settings: "defaults on better-sqlite3, bulks of 1,000",
    packages: ["plainjob", "better-sqlite3"],
    store: ".",
  },
  {
    name: "RabbitMQ",
    client: "rabbitmq",
    isOurs: false,
    floor: "socket",
    keeps: "disk, synced",
    settings: "quorum queue, publisher confirms (5,000 at once), prefetch 1,000, amqplib",
    daemon: daemons.rabbitmq,
    packages: ["amqplib"],
  },
];

/**
 * Those that can be measured here, and a word on each that cannot.
 * @param {{ peers: string | undefined, smoke: boolean }} options `peers`: the folder of their packages
 */
export function contendersHere({ peers, smoke }) {
  const all = smoke ? OURS : [...OURS, ...PEERS];
  const judged = all.map((contender) => ({ contender, lack: lackOf(contender, peers) }));
  return {
    contenders: judged.filter(({ lack }) => lack === undefined).map(({ contender }) => contender),
    skipped: judged.flatMap(({ contender, lack }) =>
      lack === undefined ? [] : [`${contender.name} is skipped: ${lack}`],
    ),
  };
}

/** @param {Contender} contender @param {string | undefined} peers */
function lackOf({ daemon, packages }, peers) {
  if (daemon !== undefined && programNamed(daemon.program) === undefined) {
    return `${daemon.program} is not installed (Debian: ${daemon.package})`;
  }
  if (packages.length === 0) return undefined;
  if (peers === undefined) return `it needs ${packages.join(", ")} in a folder named by --peers`;
  const missing = packages.filter((name) => !existsSync(join(peers, "node_modules", name, "package.json")));
  return missing.length === 0 ? undefined : `the folder of --peers has no ${missing.join(", ")}`;
}

/**
 * What it is and how it is used, for the reader of the table.
 * @param {Contender} contender
 * @param {string} [peers] the folder of the peers' packages
 */
export function descriptionOf({ name, isOurs, daemon, packages, keeps, settings }, peers = ".") {
  const server =
    daemon === undefined
      ? []
      : [[daemon.program, versionSaidBy(daemon.version), daemon.settings].filter(Boolean).join(" ")];
  const itself = isOurs ? [`memq ${versionIn(join(import.meta.dirname, "../.."))}`] : [];
  const versions = [
    ...itself,
    ...packages.map((each) => `${each} ${versionIn(join(peers, "node_modules", each))}`),
    ...server,
  ];
  return { name, versions: versions.join(", "), keeps, settings };
}

/** @param {string} folder of a package */
function versionIn(folder) {
  const text = readFileSync(join(folder, "package.json"), "utf8");
  return /** @type {{ version: string }} */ (jsonIn(text)).version;
}
