import { afterEach, beforeEach, describe, expect, test, vi, type TestContext } from "vitest";
import { noMemcached, startMemcached, type MemcachedServer } from "../servers/memcached-server.ts";
import { startPasswordServer } from "../servers/password-server.ts";
import { makeProject, type Ended, type Project } from "../servers/project.ts";

const PASSWORD = "s3cret-äöü=1";
const LONGEST = "x".repeat(255);
const WRONG = "wr0ng-passw0rd";

// What a process list shows of the process that runs tasks, and of the one that started it.
const HANDLER = `
import { appendFileSync, readFileSync } from "node:fs";
const wordsOf = (pid) => readFileSync("/proc/" + pid + "/cmdline", "utf8").replaceAll("\\0", " ");
export default class Worker {
  note(what) {
    const shown = process.platform === "linux" ? wordsOf(process.pid) + wordsOf(process.ppid) : "";
    appendFileSync("worker.log", what + " " + shown.replaceAll("\\n", " ") + "\\n");
    throw new Error("so that the log has something to say of it");
  }
}
`;

const closing: (() => unknown)[] = [];
let server: MemcachedServer | undefined;

beforeEach(async () => {
  if (noMemcached !== undefined) return;
  const passwords = await startPasswordServer({ push: PASSWORD, long: LONGEST });
  closing.push(() => {
    passwords.close();
  });
  vi.stubEnv("SASL_CONF_PATH", passwords.folder);
  // One that was built without SASL does not start.
  server = await startMemcached(["-S", "-M"]).catch(() => undefined);
  if (server !== undefined) closing.push(() => server?.stop());
});

afterEach(async () => {
  vi.unstubAllEnvs();
  for (const close of closing.splice(0).reverse()) await close();
  server = undefined;
});

function projectOn({ host, port }: MemcachedServer, lines: string): Project {
  const config = `queueip = ${host}\nqueueport = ${String(port)}\nretry = none\nlog = task.log\n${lines}`;
  const project = makeProject({ config, handler: HANDLER });
  closing.push(() => {
    project.remove();
  });
  return project;
}

const COMMANDS = [
  ["publish-task", "note", "a"],
  ["runjobs"],
  ["memq", "status", "--json"],
  ["memq", "list", "dead", "--json"],
  ["memq", "doctor", "--verbose"],
  ["memq", "doctor", "--json"],
] as const;

/** Every command once, in order; `words` stand before each. */
async function runAll(project: Project, words: readonly string[] = []): Promise<readonly Ended[]> {
  const ended: Ended[] = [];
  for (const [command, ...args] of COMMANDS) ended.push(await project.startOn(words, command, args).ended);
  return ended;
}

/** All that anybody can read of it afterwards. */
const traces = (project: Project, ended: readonly Ended[]): string =>
  JSON.stringify([
    ended.map(({ stdout, stderr }) => stdout + stderr),
    project.lines(),
    project.lines("task.log"),
  ]);

function needUsers(context: TestContext): MemcachedServer {
  return server ?? context.skip("this memcached was built without SASL");
}

describe.skipIf(noMemcached !== undefined)(`a memcached with users (${noMemcached ?? "all there"})`, () => {
  const RIGHT = [
    { where: "in the configuration", user: "push", password: PASSWORD, says: PASSWORD },
    { where: "in the environment", user: "push", password: PASSWORD, says: "env:CACHE_PASSWORD" },
    { where: "as long as can be", user: "long", password: LONGEST, says: "env:CACHE_PASSWORD" },
  ];
  test.for(RIGHT)(
    "lets every command in with the right password $where, and none tells it",
    async ({ user, password, says }, context) => {
      const project = projectOn(needUsers(context), `username = ${user}\npassword = ${says}\n`);
      const ended = await runAll(project, ["env", `CACHE_PASSWORD=${password}`]);
      expect(ended.map(({ code }) => code)).toEqual([0, 1, 0, 0, 0, 0]);
      expect(ended[3]?.stdout).toContain('"method":"note"');
      expect(ended[5]?.stdout).toContain("it took the user name and the password");
      expect(project.lines()).toEqual([expect.stringMatching(/^a /)]);
      expect(traces(project, ended)).not.toContain(password);
    },
  );

  test("is signed in to by workers, whose command lines do not say the password", async (context) => {
    const project = projectOn(needUsers(context), `username = push\npassword = ${PASSWORD}\n`);
    const workers = project.start("memq", ["work", "-p", "1"]);
    expect((await project.run("publish-task", ["note", "a"])).code).toBe(0);
    await vi.waitUntil(() => project.lines("task.log").length > 0, { timeout: 10_000 });
    workers.process.kill("SIGTERM");
    const ended = await workers.ended;
    expect(ended.code).toBe(0);
    expect(project.lines()).toEqual([expect.stringMatching(/^a /)]);
    expect(traces(project, [ended])).not.toContain(PASSWORD);
  });

  test("refuses a wrong password to every command, in a sentence that does not have it", async (context) => {
    const project = projectOn(needUsers(context), `username = push\npassword = ${WRONG}\n`);
    const ended = await runAll(project);
    expect(ended.map(({ code }) => code)).toEqual([69, 69, 69, 69, 69, 69]);
    for (const { stdout, stderr } of ended) {
      expect(stdout + stderr).toMatch(/refused the user \\*"push/);
    }
    expect(project.lines()).toEqual([]);
    expect(traces(project, ended)).not.toContain(WRONG);
  });

  test("refuses everybody who names no user, and says what it wants", async (context) => {
    const ended = await runAll(projectOn(needUsers(context), ""));
    expect(ended.map(({ code }) => code)).toEqual([69, 69, 69, 69, 69, 69]);
    for (const { stdout, stderr } of ended) {
      expect(stdout + stderr).toContain("wants a user name and a password");
    }
  });

  test.for([
    { lacks: "its password", lines: "username = push\n", says: "username needs a password beside it" },
    { lacks: "its user", lines: `password = ${WRONG}\n`, says: "password needs a username beside it" },
    {
      lacks: "a length that can be sent",
      lines: `username = push\npassword = ${WRONG.repeat(300)}\n`,
      says: "password is longer than 255 bytes, or holds a NUL",
    },
  ])("is not even asked by a configuration that lacks $lacks", async ({ lines, says }, context) => {
    const project = projectOn(needUsers(context), lines);
    const ended = await runAll(project);
    expect(ended.map(({ code }) => code)).toEqual([78, 78, 78, 78, 78, 78]);
    for (const { stdout, stderr } of ended) expect(stdout + stderr).toContain(says);
    expect(traces(project, ended)).not.toContain(WRONG);
  });
});

describe.skipIf(noMemcached !== undefined)(`one without users (${noMemcached ?? "all there"})`, () => {
  test("is not told a password, and the commands say how to go on", async () => {
    const open = await startMemcached(["-M"]);
    closing.push(() => open.stop());
    const project = projectOn(open, `username = push\npassword = ${PASSWORD}\n`);
    const ended = await runAll(project);
    expect(ended.map(({ code }) => code)).toEqual([69, 69, 69, 69, 69, 69]);
    for (const { stdout, stderr } of ended) {
      expect(stdout + stderr).toContain("knows no users: start it with -S, or remove username and password");
    }
    expect(traces(project, ended)).not.toContain(PASSWORD);
  });
});
