import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { makeProject, type Project } from "../servers/project.ts";

const HANDLER = `export default class Worker { push() {} fail() { throw new Error("no room"); } }\n`;

let project: Project;
afterEach(() => {
  project.remove();
});

function makeReport(text: string): void {
  project = makeProject({ config: "on-result = ./report.js\nretry = none\n", handler: HANDLER });
  writeFileSync(join(project.folder, "package.json"), `{ "type": "module" }`);
  writeFileSync(join(project.folder, "report.js"), text);
}

test("a run tells each attempt to the module that config.ini names", async () => {
  makeReport(`
    import { appendFileSync } from "node:fs";
    export default async (...told) => {
      await new Promise((resolve) => setTimeout(resolve, 100));
      appendFileSync("report.log", JSON.stringify(told) + "\\n");
    };`);
  const ok = (await project.run("publish-task", ["push", "ann"])).stdout.trim();
  const bad = (await project.run("publish-task", ["fail"])).stdout.trim();
  expect((await project.run("runjobs")).code).toBe(1);
  const told = project.lines("report.log").map((line) => JSON.parse(line) as unknown[]);
  expect(told).toEqual([
    ["default", ok, "push", ["ann"], expect.any(Number), "ok."],
    ["default", bad, "fail", [], -1, "no room"],
  ]);
});

test("a module that fails, exits, or lets errors loose is said a few times, and changes nothing else", async () => {
  makeReport(`
    let calls = 0;
    export const onResult = () => {
      if (calls++ === 0) process.exit(3);
      if (calls === 2) setTimeout(() => { throw new Error("loose"); }, 1);
      if (calls > 2) throw new Error("bad day " + calls);
      return new Promise((resolve) => setTimeout(resolve, 50));
    };`);
  await project.run("publish-task", ["push", "x", "--count", "50"]);
  const { code, stderr } = await project.run("runjobs", ["--summary", "text"]);
  expect(code).toBe(0);
  expect(stderr).toContain("memq default: 50 done, 0 retried, 0 dead");
  expect(stderr).toContain("on-result: the handler called process.exit(3)");
  expect(stderr).toContain("an error outside any task: loose");
  expect(stderr.match(/: on-result: bad day/g)).toHaveLength(5 + 1); // with the line that counts the others
  expect(stderr).toMatch(/… 43 more like this: on-result: bad day/);
});
