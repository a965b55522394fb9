import { EventEmitter } from "node:events";
import { builtinModules } from "node:module";
import { PassThrough, Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { findMethod, isHandlerClass, methodNames, type HandlerClass } from "../../../src/run/reflection.ts";

const read: string[] = [];

// To load these prints a warning.
const DEPRECATED = ["punycode", "sys", "_stream_wrap"];

/** What looks like a class to who writes handlers, of all modules that Node has. */
const nodeClasses = (): readonly (readonly [string, HandlerClass])[] =>
  builtinModules
    .filter((id) => !DEPRECATED.includes(id))
    .flatMap((id) =>
      Object.entries(process.getBuiltinModule(id) as Readonly<Record<string, unknown>>)
        .filter((entry): entry is [string, HandlerClass] => isHandlerClass(entry[1]))
        .map(([name, value]) => [`${id}.${name}`, value] as const),
    );

class Base {
  static ofBase(): void {}
  base(): string {
    return "base";
  }
  hidden(): string {
    return "base";
  }
  replaced(): string {
    return "base";
  }
  _private(): void {}
}

class Worker extends Base {
  static tasks: unknown = undefined;
  static ofClass(): void {}
  field = (): string => "field";
  data = "data";
  push(): string {
    return this.#secret();
  }
  async slow(): Promise<void> {
    await Promise.resolve();
  }
  override replaced(): string {
    return "own";
  }
  // @ts-expect-error -- plain JavaScript can do it
  get hidden(): () => string {
    read.push("hidden");
    return () => "getter";
  }
  get boom(): never {
    read.push("boom");
    throw new Error("read");
  }
  set only(_value: unknown) {
    read.push("only");
  }
  *generated(): Generator<number> {
    yield 1;
  }
  async *streamed(): AsyncGenerator<number> {
    yield await Promise.resolve(1);
  }
  [Symbol.iterator](): void {}
  #secret(): string {
    return "secret";
  }
}
Object.assign(Worker.prototype, { Inner: class Inner extends Base {}, number: 5, text: "push" });

const find = (name: string, handler: HandlerClass = Worker): unknown => findMethod(handler, name);

describe("what may be called", () => {
  test("is a public method of the class, synchronous or not", () => {
    expect(Reflect.apply(find("push") as () => unknown, new Worker(), [])).toBe("secret");
    expect(find("slow")).toBe(Worker.prototype.slow); // eslint-disable-line @typescript-eslint/unbound-method
  });

  test("is a method of the user's own base classes, the nearest one", () => {
    expect(Reflect.apply(find("base") as () => unknown, new Worker(), [])).toBe("base");
    expect(Reflect.apply(find("replaced") as () => unknown, new Worker(), [])).toBe("own");
  });

  test("can be listed", () => {
    expect(methodNames(Worker)).toEqual(["base", "push", "replaced", "slow"]);
  });
});

describe("what may not be called", () => {
  test.each([
    ["the constructor", "constructor"],
    ["a name with an underscore", "_private"],
    ["an accessor", "boom"],
    ["a setter", "only"],
    ["a getter that hides a base method", "hidden"],
    ["a static method", "ofClass"],
    ["a static method of a base class", "ofBase"],
    ["the list of tasks", "tasks"],
    ["a field that holds a function", "field"],
    ["a field", "data"],
    ["a private method", "#secret"],
    ["a private method without its mark", "secret"],
    ["a class on the prototype", "Inner"],
    ["a number on the prototype", "number"],
    ["a text on the prototype", "text"],
    ["a generator, whose body would not run", "generated"],
    ["an async generator", "streamed"],
    ["a symbol's text", "Symbol(Symbol.iterator)"],
    ["a symbol's name", "Symbol.iterator"],
    ["what is not there", "psuh"],
    ["nothing", ""],
    ["the prototype", "prototype"],
    ["__proto__", "__proto__"],
    ["__defineGetter__", "__defineGetter__"],
    ["toString", "toString"],
    ["hasOwnProperty", "hasOwnProperty"],
    ["isPrototypeOf", "isPrototypeOf"],
    ["call", "call"],
  ])("is %s", (_what, name) => {
    expect(find(name)).toBeUndefined();
  });

  test("is not even read", () => {
    methodNames(Worker);
    find("boom");
    find("hidden");
    expect(read).toEqual([]);
  });

  test.each<[string, HandlerClass, readonly string[]]>([
    [
      "EventEmitter",
      class extends EventEmitter {
        push(): void {}
      },
      ["emit", "on", "removeAllListeners"],
    ],
    [
      "Readable",
      class extends Readable {
        go(): void {}
      },
      ["push", "read", "destroy", "emit"],
    ],
    [
      "PassThrough",
      class extends PassThrough {
        go(): void {}
      },
      ["write", "push", "end", "pipe"],
    ],
    [
      "EventTarget",
      class extends EventTarget {
        push(): void {}
      },
      ["dispatchEvent", "addEventListener"],
    ],
    [
      "Array",
      class extends Array {
        go(): void {}
      },
      ["push", "pop", "map"],
    ],
    [
      "Map",
      class extends Map {
        go(): void {}
      },
      ["set", "get", "clear"],
    ],
    [
      "Promise",
      class extends Promise<void> {
        constructor() {
          super(() => undefined);
        }
        go(): void {}
      },
      ["then", "catch"],
    ],
    [
      "Error",
      class extends Error {
        go(): void {}
      },
      ["toString"],
    ],
  ])("is anything of %s", (_base, handler, names) => {
    for (const name of names)
      expect(find(name, handler)).toSatisfy((found) =>
        name === "push" ? ownOr(found, handler) : found === undefined,
      );
    expect(methodNames(handler)).toHaveLength(1);
  });

  /** `push` is the class's own method, or nothing. */
  const ownOr = (found: unknown, handler: HandlerClass): boolean =>
    Object.hasOwn(handler.prototype as object, "push") ? found !== undefined : found === undefined;

  test("is anything of any class that a module of Node exports", () => {
    const open = nodeClasses().filter(([, base]) => {
      class Handler extends base {
        go(): void {}
      }
      return methodNames(Handler).join() !== "go";
    });
    expect(open.map(([name]) => name)).toEqual([]);
    expect(nodeClasses().map(([name]) => name)).toEqual(
      expect.arrayContaining(["http.Agent", "async_hooks.AsyncLocalStorage", "worker_threads.Worker"]),
    );
  });

  test("is decided without making an instance", () => {
    class Dear {
      constructor() {
        read.push("made");
      }
      push(): void {}
    }
    expect(methodNames(Dear)).toEqual(["push"]);
    expect(read).toEqual([]);
  });
});

describe("a handler class", () => {
  test("is a class, with methods or without", () => {
    expect(isHandlerClass(Worker)).toBe(true);
    expect(isHandlerClass(class Empty extends Object {})).toBe(true);
  });

  test("may be a function with methods on its prototype, as compilers write it", () => {
    function Old(): void {}
    (Old.prototype as Record<string, unknown>)["push"] = function push(): number {
      return 1;
    };
    expect(isHandlerClass(Old)).toBe(true);
    expect(methodNames(Old as unknown as HandlerClass)).toEqual(["push"]);
  });

  test("is nothing else", () => {
    function plain(): void {}
    for (const value of [
      plain,
      () => 1,
      async () => Promise.resolve(),
      {},
      new Worker(),
      null,
      undefined,
      "class A {}",
      5,
    ]) {
      expect(isHandlerClass(value)).toBe(false);
    }
  });

  test("called like one that Node has is still the user's", () => {
    const handler = {
      Event: class Event {
        push(): void {}
      },
    }.Event;
    expect(methodNames(handler)).toEqual(["push"]);
    Object.assign(globalThis, { Mine: Worker });
    expect(find("push")).toBeDefined();
    delete (globalThis as { Mine?: unknown }).Mine;
  });
});
