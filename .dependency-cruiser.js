// Imports run one way: commands -> memq.ts -> publish | run -> ports -> task. Whatever this table does not
// allow is an error, so that a new folder has to be given its place here. Checked by test/architecture.test.ts.

// The shape of a resolved configuration: types only, and nothing is imported there.
const settings = "config/config.ts";

/** @type {Readonly<Record<string, readonly string[]>>} */
const mayImport = {
  "errors.ts": ["exit.ts", "describe-error.ts"],
  task: ["errors.ts"],
  host: ["task", "errors.ts"],
  ports: ["task", "errors.ts"],
  telemetry: ["ports", "task", "host", "errors.ts"],
  config: ["task", "errors.ts"],
  cron: ["config", "task", "errors.ts"],
  publish: ["telemetry", "ports", "task", "host", settings, "errors.ts"],
  calls: ["publish", "ports", "task", "errors.ts"],
  schedule: ["config", "publish", "ports", "task", "host", "errors.ts"],
  run: ["telemetry", "ports", "task", "host", settings, "errors.ts"],
  "brokers.ts": ["adapters", "config", "ports", "task", "host", "errors.ts"],
  "consumers.ts": ["cron", "run", "telemetry", "ports", "task", "host", settings, "errors.ts"],
  "memq.ts": [
    "brokers.ts",
    "consumers.ts",
    "adapters",
    "config",
    "publish",
    "calls",
    "run",
    "telemetry",
    "ports",
    "task",
    "host",
    "errors.ts",
  ],
  "index.ts": ["memq.ts", "calls", "publish", "run", "telemetry", "ports", "task", settings, "errors.ts"],
  "testing.ts": ["adapters/memory", "memq.ts", "publish", "run", "telemetry", "ports", "task", "errors.ts"],
  handlers: ["index.ts"],
  doctor: ["memq.ts", "config", "cron", "ports", "task", "errors.ts"],
  cli: [
    "memq.ts",
    "config",
    "cron",
    "doctor",
    "calls",
    "publish",
    "run",
    "schedule",
    "telemetry",
    "ports",
    "task",
    "host",
    "errors.ts",
  ],
};

// Each engine has one door; elsewhere its name is unknown.
/** @type {Readonly<Record<string, string>>} */
const engines = {
  memjs: "adapters/memcached",
  "@photostructure/sqlite": "adapters/embedded",
  ini: "config",
  jiti: "run",
  croner: "(config|publish|run|cli)",
  "node-cron": "cli",
};

/** @param {string} place */
const inside = (place) => (place.endsWith(".ts") ? `^src/${place.replace(".", "\\.")}$` : `^src/${place}/`);

/** @type {import("dependency-cruiser").IAllowedRuleType[]} */
const allowed = [
  ...Object.entries(mayImport).map(([from, to]) => ({
    from: { path: inside(from) },
    to: { path: to.map(inside) },
  })),
  { from: { path: "^src/(?!adapters/)([^/]+)/" }, to: { path: "^src/$1/" } },
  // An adapter sees the ports and itself, never another adapter.
  {
    from: { path: "^src/adapters/([^/]+)/" },
    to: { path: ["^src/adapters/$1/", ...["ports", "task", "host", settings, "errors.ts"].map(inside)] },
  },
  // Node itself is for the edges: what a task is, and what a port promises, needs none of it.
  { from: { path: "^src/", pathNot: "^src/(task|ports)/" }, to: { dependencyTypes: ["core"] } },
  ...Object.entries(engines).map(([name, place]) => ({
    from: { path: inside(place) },
    to: { path: `^node_modules/${name}/`, dependencyTypesNot: [/** @type {const} */ ("npm-dev")] },
  })),
];

/** @type {import("dependency-cruiser").IConfiguration} */
export default {
  allowedSeverity: "error",
  allowed,
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    { name: "resolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: "^node_modules/" },
    tsPreCompilationDeps: true, // an import of a type is an import too
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default"] },
  },
};
