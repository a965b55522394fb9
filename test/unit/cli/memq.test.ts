import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { main } from "../../../src/cli/memq.ts";
import { makeFolder, say, type Folder } from "./fake-io.ts";

describe("memq", () => {
  test("--help lists the subcommands with a line each", async () => {
    const { code, out, err } = await say(main, ["--help"]);
    expect([code, err]).toEqual([0, ""]);
    for (const name of ["init", "check", "status", "list", "show", "retry", "cancel", "purge"]) {
      expect(out).toMatch(new RegExp(`^  ${name} +\\S.*$`, "m"));
    }
  });

  test("alone it is a misuse that shows the same", async () => {
    const { code, out, err } = await say(main, []);
    expect([code, out]).toEqual([64, ""]);
    expect(err).toContain("Subcommands:");
  });

  test("help X and X --help are the same", async () => {
    const asked = await say(main, ["help", "list"]);
    expect(asked.code).toBe(0);
    expect(asked.out).toMatch(/^Usage: memq list /);
    expect(await say(main, ["list", "--help"])).toEqual(asked);
    expect(await say(main, ["--help", "list"])).toEqual(asked);
  });

  test("an unknown subcommand is refused with the one that was meant", async () => {
    expect(await say(main, ["lst"])).toMatchObject({ code: 64, out: "" });
    expect((await say(main, ["lst"])).err).toContain(`unknown subcommand "lst", did you mean "list"?`);
    expect((await say(main, ["help", "statsu"])).err).toContain(`did you mean "status"?`);
    expect((await say(main, ["frobnicate"])).err).toContain("there are init, check, doctor, status");
  });

  test.each([["show"], ["why"], ["list", "dead"], ["wait", "a"], ["init"], ["status"]])(
    "what %s does not take is refused under its name, said once",
    async (...line) => {
      const words = line[0] === "show" || line[0] === "why" ? ["a", "b"] : ["b"];
      const { code, err } = await say(main, [...line, ...words]);
      expect(code).toBe(64);
      expect(err).toMatch(new RegExp(`^memq ${line[0]}: takes `));
    },
  );

  test("--version says the version of the package", async () => {
    expect((await say(main, ["--version"])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test("without a configuration every subcommand says where it was looked for", async () => {
    for (const line of [["status"], ["list"], ["check"], ["show", "x"], ["retry", "x"], ["purge", "dead"]]) {
      const { code, err } = await say(main, line, { cwd: "/nonexistent" });
      expect([line, code]).toEqual([line, 78]);
      expect(err).toContain("there is no /nonexistent/config.ini [CONFIG_MISSING]");
    }
  });

  test("under --json an error is one line of JSON, on stderr", async () => {
    const { code, out, err } = await say(main, ["status", "--json"], { cwd: "/nonexistent" });
    expect([code, out]).toEqual([78, ""]);
    expect(JSON.parse(err)).toMatchObject({ error: { code: "CONFIG_MISSING" } });
  });
});

describe("options before the subcommand", () => {
  let folder: Folder;
  beforeEach(() => {
    folder = makeFolder("[queue.push]\n");
  });
  afterEach(() => folder.remove());

  test("are the subcommand's", async () => {
    const { code, out } = await folder.say(main, ["-q", "push", "--limit", "3", "--json", "list", "dead"]);
    expect([code, out]).toEqual([0, `{"tasks":[]}\n`]);
  });

  test("a queue that is not there is refused with the one that was meant", async () => {
    const { code, err } = await folder.say(main, ["status", "-q", "psh"]);
    expect(code).toBe(64);
    expect(err).toContain(`no queue "psh", did you mean "push"?`);
  });
});
