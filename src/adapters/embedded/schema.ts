/** "memq" in the header of the file: another program's database is never touched. */
export const APPLICATION_ID = 0x6d656d71;

// Any change: add a line to UPGRADES, never edit one that stands there, add a fixture of the version before.
export const FIRST_VERSION = 1;

/** The states of a task as numbers on disk. */
export const STATE = { waiting: 0, delayed: 1, running: 2, dead: 3 } as const;

// Later than any time that is written in ms: a pause until it is resumed.
export const FOR_EVER = Number.MAX_SAFE_INTEGER;

/**
 * Indexes are partial: a task stands in the one of its state only, so that a waiting task costs one entry.
 * `at` is the place in the queue while waiting and running, the due time while delayed, the time of burial
 * when dead. A running task keeps its place, to go back to when its holder dies.
 */
export const FIRST_SCHEMA = `
CREATE TABLE store(
  prefix TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE TABLE queue(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  last_task INTEGER NOT NULL DEFAULT 0,
  paused_until INTEGER,
  waiting INTEGER NOT NULL DEFAULT 0,
  delayed INTEGER NOT NULL DEFAULT 0,
  running INTEGER NOT NULL DEFAULT 0,
  dead INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE holder(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  queue INTEGER NOT NULL,
  host TEXT NOT NULL,
  realm TEXT NOT NULL,
  pid INTEGER NOT NULL,
  started_at TEXT NOT NULL,
  lease_ends_at INTEGER NOT NULL,
  blocked_until INTEGER NOT NULL
) STRICT;
CREATE TABLE task(
  id INTEGER PRIMARY KEY,
  queue INTEGER NOT NULL,
  state INTEGER NOT NULL,
  at INTEGER NOT NULL,
  born INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  claims INTEGER NOT NULL DEFAULT 0,
  suspect INTEGER NOT NULL DEFAULT 0,
  started INTEGER NOT NULL DEFAULT 0,
  holder INTEGER,
  key TEXT,
  error TEXT,
  body TEXT NOT NULL
) STRICT;
CREATE INDEX task_waiting ON task(queue, at) WHERE state = 0 AND suspect = 0;
CREATE INDEX task_suspect ON task(queue, at) WHERE state = 0 AND suspect = 1;
CREATE INDEX task_delayed ON task(queue, at) WHERE state = 1;
CREATE INDEX task_running ON task(holder) WHERE state = 2;
CREATE INDEX task_dead ON task(queue, at) WHERE state = 3;
CREATE INDEX task_key ON task(queue, key, state) WHERE key IS NOT NULL;
CREATE VIEW tasks AS
  SELECT (SELECT prefix FROM store) || '-' || task.id AS id,
    queue.name AS queue,
    CASE task.state WHEN 0 THEN 'waiting' WHEN 2 THEN 'running' WHEN 3 THEN 'dead'
      ELSE iif(task.at <= unixepoch('subsec') * 1000, 'waiting', 'delayed') END AS state,
    strftime('%Y-%m-%d %H:%M:%S', task.at / 1000.0, 'unixepoch') AS at_utc,
    strftime('%Y-%m-%d %H:%M:%S', task.born / 1000.0, 'unixepoch') AS published_utc,
    task.attempts, task.key, holder.host || ':' || holder.pid AS holder, task.error, task.body
  FROM task JOIN queue ON queue.id = task.queue LEFT JOIN holder ON holder.id = task.holder
  ORDER BY task.queue, task.state, task.at, task.id;
`;

/** What leads from each version to the next: the first of them from 1 to 2. */
export const UPGRADES: readonly string[] = [
  `CREATE TABLE note(
     queue INTEGER NOT NULL,
     name TEXT NOT NULL,
     version INTEGER NOT NULL,
     value TEXT NOT NULL,
     PRIMARY KEY(queue, name)
   ) STRICT, WITHOUT ROWID;`,
  // The index has no state in it: claiming and settling leave it alone.
  `CREATE TABLE bulk(
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     queue INTEGER NOT NULL,
     name TEXT NOT NULL,
     version INTEGER NOT NULL,
     place TEXT NOT NULL,
     kept INTEGER NOT NULL,
     removed INTEGER NOT NULL,
     changed_at INTEGER NOT NULL,
     UNIQUE(queue, name)
   ) STRICT;
   ALTER TABLE task ADD COLUMN bulk INTEGER;
   CREATE INDEX task_bulk ON task(bulk) WHERE bulk IS NOT NULL;`,
  // On a clock that nobody sets.
  `ALTER TABLE holder ADD COLUMN blocked_until_up INTEGER;`,
  // A waiting row that stands in a range is running: the view is the only one that says so by itself.
  `CREATE TABLE held_range(
     queue INTEGER NOT NULL,
     first INTEGER NOT NULL,
     last INTEGER NOT NULL,
     holder INTEGER NOT NULL,
     PRIMARY KEY(queue, first)
   ) STRICT, WITHOUT ROWID;
   DROP VIEW tasks;
   CREATE VIEW tasks AS
     SELECT (SELECT prefix FROM store) || '-' || task.id AS id,
       queue.name AS queue,
       CASE task.state WHEN 0 THEN iif(held_range.holder IS NULL, 'waiting', 'running')
         WHEN 2 THEN 'running' WHEN 3 THEN 'dead'
         ELSE iif(task.at <= unixepoch('subsec') * 1000, 'waiting', 'delayed') END AS state,
       strftime('%Y-%m-%d %H:%M:%S', task.at / 1000.0, 'unixepoch') AS at_utc,
       strftime('%Y-%m-%d %H:%M:%S', task.born / 1000.0, 'unixepoch') AS published_utc,
       task.attempts, task.key, holder.host || ':' || holder.pid AS holder, task.error, task.body
     FROM task JOIN queue ON queue.id = task.queue
     LEFT JOIN held_range ON task.state = 0 AND held_range.queue = task.queue
       AND task.id BETWEEN held_range.first AND held_range.last
     LEFT JOIN holder ON holder.id = coalesce(task.holder, held_range.holder)
     ORDER BY task.queue, task.state, task.at, task.id;`,
  // The attempt whose handler first asked for a number of more runs.
  `ALTER TABLE task ADD COLUMN asked_from INTEGER;`,
  // Neither has a column of the task's: what keeps no results pays nothing for them.
  `CREATE TABLE result(
     task INTEGER PRIMARY KEY,
     queue INTEGER NOT NULL,
     expires_at INTEGER NOT NULL,
     text TEXT NOT NULL
   ) STRICT;
   CREATE INDEX result_expires ON result(expires_at);
   CREATE TABLE progress(
     task INTEGER PRIMARY KEY,
     holder INTEGER NOT NULL,
     claim INTEGER NOT NULL,
     done REAL NOT NULL,
     total REAL,
     at INTEGER NOT NULL
   ) STRICT;`,
  // Whoever has settled something looks for what is to follow: the index has next to nothing in it.
  `ALTER TABLE bulk ADD COLUMN then_body TEXT;
   ALTER TABLE bulk ADD COLUMN ended INTEGER NOT NULL DEFAULT 0;
   ALTER TABLE bulk ADD COLUMN concluded INTEGER NOT NULL DEFAULT 0;
   CREATE INDEX bulk_then ON bulk(queue) WHERE then_body IS NOT NULL AND concluded = 0;`,
  // An owner that died may have started it.
  `ALTER TABLE task ADD COLUMN presumed INTEGER NOT NULL DEFAULT 0;`,
];

/** The version that this memq reads and writes. */
export const STORE_VERSION = FIRST_VERSION + UPGRADES.length;
