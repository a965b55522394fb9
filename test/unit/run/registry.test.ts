import { describe, expect, test } from "vitest";
import { Registry, registryOf, type Target } from "../../../src/run/registry.ts";

class Worker {
  saveToLocal(): void {}
  push(): void {}
}
class Mailer {
  send(): void {}
}
const missing = expect.objectContaining({ code: "HANDLER_MISSING" }) as unknown;
const target = (registry: Registry, className: string, method: string): Target => {
  const found = registry.target(className, method);
  if (typeof found === "string") throw new Error(found);
  return found;
};

describe("a registry", () => {
  const registry = registryOf({ Worker, Mailer }, "Worker");

  test("knows its classes and their methods", () => {
    expect(registry.classNames).toEqual(["Mailer", "Worker"]);
    expect(registry.methods("Worker")).toEqual(["push", "saveToLocal"]);
    expect(registry.methods("Nobody")).toEqual([]);
  });

  test("finds the method a task calls, the same each time", () => {
    const found = target(registry, "Worker", "push");
    expect(found).toMatchObject({ className: "Worker", handler: Worker, settings: {} });
    expect(found.method).toBe(Worker.prototype.push); // eslint-disable-line @typescript-eslint/unbound-method
    expect(target(registry, "Worker", "push")).toBe(found);
  });

  test("says what is not there, with what was probably meant", () => {
    expect(registry.target("Worker", "saveToLcal")).toBe(
      'class "Worker" has no method "saveToLcal", did you mean "saveToLocal"?',
    );
    expect(registry.target("Wroker", "push")).toBe(
      'there is no handler class "Wroker", did you mean "Worker"?',
    );
    expect(registry.target("Zzzzzz", "push")).toBe('there is no handler class "Zzzzzz"');
  });

  test("does not take what every object has for a class or a method", () => {
    for (const name of ["constructor", "__proto__", "toString", "prototype"]) {
      expect(registry.target(name, "push")).toContain("there is no handler class");
      expect(registry.target("Worker", name)).toContain("has no method");
    }
  });

  test("takes the same class twice under one name, but not two", () => {
    const own = new Registry();
    own.add("Worker", Worker);
    own.add("Worker", Worker);
    expect(() => {
      own.add("Worker", Mailer);
    }).toThrow('two handler classes are called "Worker"');
  });

  test("without the queue's own class is refused, with what was probably meant", () => {
    expect(() => registryOf({ Worker }, "Woker")).toThrow(missing);
    expect(() => registryOf({ Worker }, "Woker")).toThrow(/\(Worker\), did you mean "Worker"\?$/);
    expect(() => registryOf({}, "Worker")).toThrow(/\(none\)$/);
  });

  test("of values that are no classes is refused", () => {
    expect(() => registryOf({ Worker: () => 1 }, "Worker")).toThrow('handler "Worker" is no class');
  });
});

describe("static tasks", () => {
  const registered = (tasks: unknown, name = "Narrow"): Registry => {
    class Narrow extends Worker {
      static tasks = tasks;
    }
    return registryOf({ [name]: Narrow }, name);
  };

  test("as a list narrow what may be called", () => {
    const registry = registered(["push"]);
    expect(registry.methods("Narrow")).toEqual(["push"]);
    expect(target(registry, "Narrow", "push").settings).toEqual({});
    expect(registry.target("Narrow", "saveToLocal")).toBe(
      'class "Narrow" does not list "saveToLocal" in its static tasks',
    );
    expect(registry.target("Narrow", "psuh")).toContain('did you mean "push"?');
  });

  test("as an object set retry and timeout too", () => {
    const registry = registered({
      push: { retry: "1s, 1m,1h", timeout: "30s" },
      saveToLocal: { retry: "none", timeout: 500 },
    });
    expect(target(registry, "Narrow", "push").settings).toEqual({
      waitsMs: [1_000, 60_000, 3_600_000],
      timeoutMs: 30_000,
    });
    expect(target(registry, "Narrow", "saveToLocal").settings).toEqual({ waitsMs: [], timeoutMs: 500 });
  });

  test.each([
    ["true", { push: true }, {}],
    ["null", { push: null }, {}],
    ["an empty object", { push: {} }, {}],
    ["one wait", { push: { retry: "5s" } }, { waitsMs: [5_000] }],
    ["a wait in ms", { push: { retry: 5_000 } }, { waitsMs: [5_000] }],
    ["waits in a list", { push: { retry: ["5s", 10] } }, { waitsMs: [5_000, 10] }],
    ["no wait", { push: { retry: [] } }, { waitsMs: [] }],
  ])("take %s for a method's settings", (_what, tasks, settings) => {
    expect(target(registered(tasks), "Narrow", "push").settings).toEqual(settings);
  });

  test.each<[string, unknown, RegExp]>([
    ["a text", "push", /static tasks of Narrow is no list and no object/],
    ["a number", 5, /is no list/],
    ["null", null, /is no list/],
    ["a function", () => ["push"], /is no list/],
    [
      "a misspelt method",
      ["psuh"],
      /static tasks of Narrow: there is no method "psuh", did you mean "push"\?/,
    ],
    [
      "a misspelt setting",
      { push: { timout: "5s" } },
      /Narrow\.push has an unknown setting "timout", did you mean "timeout"\?/,
    ],
    ["a setting that there is not", { push: { colour: 1 } }, /\(there are retry and timeout\)/],
    ["settings that are none", { push: "5s" }, /has settings that are no object/],
    ["a wait that is none", { push: { retry: "5 s" } }, /"5 s" is not a duration/],
    ["no waits at all", { push: { retry: "" } }, /is not a duration/],
    ["a timeout that is none", { push: { timeout: "soon" } }, /"soon" is not a duration/],
    ["a timeout of 0", { push: { timeout: 0 } }, /timeout of 0/],
    ["a timeout of another type", { push: { timeout: {} } }, /no text and no number/],
    ["what may never be called", ["constructor"], /there is no method "constructor"/],
  ])("are refused as %s", (_what, tasks, message) => {
    expect(() => registered(tasks)).toThrow(missing);
    expect(() => registered(tasks)).toThrow(message);
  });

  test("of a base class narrow its subclasses, unless these have their own", () => {
    class Base extends Worker {
      static tasks: readonly string[] = ["push"];
    }
    class Wide extends Base {
      static override tasks = ["push", "saveToLocal"];
    }
    class Same extends Base {
      more(): void {}
    }
    const registry = registryOf({ Wide, Same }, "Same");
    expect(registry.methods("Same")).toEqual(["push"]);
    expect(registry.methods("Wide")).toEqual(["push", "saveToLocal"]);
  });
});

test("close is the end of a run, and never a task", () => {
  class Closing {
    push(): void {}
    close(): void {}
  }
  const registry = registryOf({ Closing }, "Closing");
  expect(registry.methods("Closing")).toEqual(["push"]);
  expect(registry.target("Closing", "close")).toBe(
    '"close" is what a run calls at its end, and never a task',
  );
});
