import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { loadConfig } from "../../../src/config/load.ts";
import { errorFrom, faultsIn, folder, inspect, queueIn, read } from "./written.ts";

const env = {};

describe("the file", () => {
  const below = join(folder, "below");
  const named = (file: string): string | undefined => file;
  const write = (path: string, name: string): void => {
    writeFileSync(path, `queuename = ${name}`);
  };
  beforeEach(() => {
    rmSync(join(folder, "config.ini"), { force: true });
    mkdirSync(below, { recursive: true });
  });

  test("named by the caller comes before MEMQ_CONFIG, and that before ./config.ini", () => {
    write(join(folder, "config.ini"), "here");
    write(join(folder, "flag.ini"), "flag");
    write(join(folder, "variable.ini"), "variable");
    const nameOf = (path: string | undefined, variable: string | undefined): string =>
      loadConfig({
        ...(path !== undefined && { path }),
        cwd: folder,
        env: { MEMQ_CONFIG: variable },
      }).queues[0].name;
    expect(nameOf("flag.ini", "variable.ini")).toBe("flag");
    expect(nameOf(undefined, "variable.ini")).toBe("variable");
    expect(nameOf(undefined, "")).toBe("here");
    expect(nameOf(undefined, undefined)).toBe("here");
  });

  test("is never looked for in a parent folder", () => {
    write(join(folder, "config.ini"), "parent");
    const error = errorFrom(() => loadConfig({ cwd: below, env }));
    expect(error.code).toBe("CONFIG_MISSING");
    expect(error.message).toBe(`there is no ${join(below, "config.ini")}`);
    expect(error.cause).toBeInstanceOf(Error);
  });

  test("that is not there is missing, and the variable that named it is named", () => {
    const error = errorFrom(() => loadConfig({ cwd: folder, env: { MEMQ_CONFIG: "gone/x.ini" } }));
    expect(error.code).toBe("CONFIG_MISSING");
    expect(error.message).toBe(`there is no ${join(folder, "gone/x.ini")} (named by MEMQ_CONFIG)`);
  });

  test("whose folder is a file is missing", () => {
    write(join(folder, "flag.ini"), "x");
    const error = errorFrom(() => loadConfig({ path: "flag.ini/config.ini", cwd: folder, env }));
    expect(error.code).toBe("CONFIG_MISSING");
  });

  test("without a name is missing", () => {
    expect(errorFrom(() => loadConfig({ path: "", cwd: folder, env })).code).toBe("CONFIG_MISSING");
  });

  test("that is a folder cannot be read", () => {
    const error = errorFrom(() => loadConfig({ path: "below", cwd: folder, env }));
    expect(error.code).toBe("CONFIG_INVALID");
    expect(error.message).toBe("below cannot be read: it is a folder; name the file in it");
  });

  test("whose name is no path cannot be read", () => {
    const error = errorFrom(() => loadConfig({ path: "a\0b", cwd: folder, env }));
    expect(error.code).toBe("CONFIG_INVALID");
  });

  test("gives relative paths their start, wherever the command was started", () => {
    write(join(below, "config.ini"), "x");
    const config = loadConfig({ path: "below/config.ini", cwd: folder, env: { MEMQ_LOG: "l.log" } });
    expect(config.file).toBe(join(below, "config.ini"));
    expect(config.folder).toBe(below);
    expect(config.queues[0].storePath).toBe(join(below, "memq-data"));
    expect(config.queues[0].log).toBe(join(below, "l.log"));
  });

  test("that never ends is refused", () => {
    const error = errorFrom(() => loadConfig({ path: named("/dev/zero") ?? "", cwd: folder, env }));
    expect(error.message).toBe(
      "1 problem in /dev/zero:\n  the file is larger than 1 MB: is it a config.ini?",
    );
  });

  test("may be empty, and may be no file at all", () => {
    expect(loadConfig({ path: "/dev/null", cwd: folder, env }).queues[0].name).toBe("default");
  });

  test.each([
    ["little", Buffer.from("\uFEFFqueuename = x", "utf16le")],
    ["big", Buffer.from("\uFEFFqueuename = x", "utf16le").swap16()],
  ])("in UTF-16, %s end first, is told to become UTF-8", (_, bytes) => {
    expect(faultsIn(bytes)).toEqual(["the file is UTF-16 text: save it as UTF-8"]);
  });

  test("in another encoding has its lines at fault, comments aside", () => {
    const latin = Buffer.from("; gr\u00fc\u00dfe\nqueuename = gr\u00fcn\ntimeout = 5s", "latin1");
    expect(faultsIn(latin)).toEqual(["line 2: is not UTF-8 text (save the file as UTF-8)"]);
  });
});

describe("the faults", () => {
  test("come all at once, with their lines, in the order of the file", () => {
    const { error } = inspect("queueprot = 1\n[queue.a]\ntimeout = 60 sec\n[queue.b\n[schedule.s]\ncall = f");
    expect(error?.exit).toBe(78);
    expect(error?.message).toBe(
      [
        "4 problems in config.ini:",
        '  line 1: unknown key "queueprot" (did you mean "queueport"?)',
        '  line 3: timeout = "60 sec" is not a duration (try 60s or 5m)',
        '  line 4: "[queue.b" is a section without its closing ]',
        "  line 5: [schedule.s] needs cron = …",
      ].join("\n"),
    );
  });

  test("are shown up to twenty", () => {
    const { error } = inspect("x = 1\n[queue.a]\n".repeat(30));
    expect(error?.message.split("\n")).toHaveLength(22);
    expect(error?.message).toMatch(/^59 problems in config\.ini:\n[^]*\n {2}and 39 more$/);
  });

  test("of the environment are named by their variable", () => {
    const broken = { MEMQ_TIMEOUT: "60 sec" };
    expect(inspect("timeout = 5s", { env: broken }).error?.message).toBe(
      '1 problem in the environment:\n  MEMQ_TIMEOUT = "60 sec" is not a duration (try 60s or 5m)',
    );
    expect(inspect("timeout = x", { env: broken }).error?.message).toMatch(
      /^2 problems in config\.ini and the environment:/,
    );
  });

  test("of the environment alone are corrected where the variable is set, not in the file", () => {
    const broken = { MEMQ_TIMEOUT: "60 sec" };
    expect(inspect("timeout = 5s", { env: broken }).error?.next).toMatch(/^Correct the variable/);
    expect(inspect("timeout = x", { env: broken }).error?.next).toContain("memq check reads the file again");
  });

  test("of a flag are a matter of usage, named by the flag", () => {
    const error = errorFrom(() => read("timeout = x", { flags: { timeout: "60 sec" } }));
    expect(error.code).toBe("USAGE");
    expect(error.message).toBe('--timeout "60 sec" is not a duration (try 60s or 5m)');
  });
});

describe("a setting", () => {
  const text = "timeout = 3s\n[queue.push]\ntimeout = 4s\n[queue.plain]\n";
  const timeouts = (around: Parameters<typeof read>[1]): number[] =>
    read(text, around).queues.map(({ timeoutMs }) => timeoutMs);

  test("is the section's, else the top level's, else the default", () => {
    expect(timeouts({})).toEqual([3_000, 4_000, 3_000]);
    expect(read("[queue.push]").queues.map(({ timeoutMs }) => timeoutMs)).toEqual([600_000, 600_000]);
  });

  test("of the environment hides the file's, for every queue", () => {
    expect(timeouts({ env: { MEMQ_TIMEOUT: "2s" } })).toEqual([2_000, 2_000, 2_000]);
  });

  test("of a flag hides the environment's, for every queue", () => {
    expect(timeouts({ env: { MEMQ_TIMEOUT: "2s" }, flags: { timeout: "1s" } })).toEqual([
      1_000, 1_000, 1_000,
    ]);
  });

  test("of the environment has the key's name in capitals", () => {
    const around = {
      env: { MEMQ_MAX_SIZE: "1KB", MEMQ_QUEUEIP: "h", MEMQ_QUEUEPORT: " 7 ", MEMQ_QUEUENAME: "q" },
    };
    expect(read("", around).queues[0]).toMatchObject({
      name: "q",
      maxTaskBytes: 1_024,
      server: { host: "h", port: 7 },
    });
  });

  test("of the environment can bring every queue back to this machine", () => {
    const config = read("queueip = a\n[queue.b]\nqueueip = b", { env: { MEMQ_QUEUEIP: "none" } });
    expect(config.queues.map(({ server }) => server)).toEqual([undefined, undefined]);
  });

  test("of the environment that is empty, or no key, is left alone", () => {
    const around = {
      env: { MEMQ_TIMEOUT: "", MEMQ_NO_INSTALL: "1", MEMQ_CONFG: "x", MEMQ_QUEUEPROT: "x", MEMQ_: "x" },
    };
    expect(read("", around)).toEqual(read(""));
  });

  test("of the environment stands for itself", () => {
    expect(faultsIn("", { env: { MEMQ_QUEUEIP: "env:HOST", HOST: "h" } })).toHaveLength(1);
  });

  test("renamed by the environment finds its section", () => {
    const config = read(text, { env: { MEMQ_QUEUENAME: "push" } });
    expect(config.queues.map(({ name, timeoutMs }) => [name, timeoutMs])).toEqual([
      ["push", 4_000],
      ["plain", 3_000],
    ]);
  });
});

describe("a secret", () => {
  test("is read from the variable that it names", () => {
    expect(read("secret = env:KEY", { env: { KEY: "hunter2" } }).queues[0].secret).toBe("hunter2");
    expect(read('secret = "env:KEY"', { env: { KEY: "a ; #b" } }).queues[0].secret).toBe("a ; #b");
  });

  test("does not stand in the file, and is not shown when it does", () => {
    expect(faultsIn("\nsecret = hunter2")).toEqual([
      "line 2: secret must not stand here itself: write secret = env:NAME, and set that variable",
    ]);
  });

  test("that is not set, or empty, is a fault that names the variable", () => {
    expect(faultsIn("secret = env:KEY")).toEqual([
      "line 1: secret = env:KEY, but KEY is not set in the environment",
    ]);
    expect(faultsIn("secret = env:KEY", { env: { KEY: "" } })).toEqual([
      "line 1: secret = env:KEY, but KEY is empty",
    ]);
  });

  test("is inherited, and can be taken back", () => {
    const config = read("secret = env:KEY\n[queue.a]\n[queue.b]\nsecret = none", { env: { KEY: "s" } });
    expect(config.queues.map(({ secret }) => secret)).toEqual(["s", "s", undefined]);
  });

  test("goes only where the file sends it", () => {
    const around = { env: { MEMQ_SECRET: "s", MEMQ_USERNAME: "u", MEMQ_PASSWORD: "p" } };
    const config = read("queueip = h\n[queue.a]\nsecret = env:MEMQ_SECRET", around);
    expect(config.queues.map(({ secret }) => secret)).toEqual([undefined, "s"]);
    expect(config.queues[0].server).toEqual({ host: "h", port: 11_211 });
  });

  test("that is too long is not shown either", () => {
    const password = "hunter2".repeat(100);
    const text = "queueip = h\nusername = u\npassword = env:PW";
    expect(faultsIn(text, { env: { PW: password } })).toEqual([
      "line 3: password = env:PW, and PW is longer than 255 bytes, or holds a NUL",
    ]);
  });
});

describe("env:NAME", () => {
  test("works for every key of the file", () => {
    const around = { env: { HOST: "h", PORT: "7", URL: "https://h/#x" } };
    const config = read("queueip = env:HOST\n[queue.a]\nqueueport = env:PORT\nping = env:URL", around);
    expect(queueIn(config, "a")).toMatchObject({ server: { host: "h", port: 7 }, ping: "https://h/#x" });
  });

  test.each(["env:", "env:MY-KEY", "env: KEY", "env:9", "ENV:KEY"])(
    "is not %s, which is not taken as it is",
    (text) => {
      for (const key of ["password", "classname", "secret"]) {
        expect(faultsIn(`${key} = ${text}`, { env: { KEY: "x" } })).toEqual([
          `line 1: ${key} is not env:NAME (a variable's name has letters, digits and _, and no digit first)`,
        ]);
      }
    },
  );

  test("with a wrong value is a fault that names the variable and quotes it", () => {
    expect(faultsIn("timeout = env:T", { env: { T: "60 sec" } })).toEqual([
      'line 1: timeout = env:T, and T = "60 sec" is not a duration (try 60s or 5m)',
    ]);
  });
});
