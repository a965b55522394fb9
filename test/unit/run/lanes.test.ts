import { describe, expect, test } from "vitest";
import type { Broker, Claim, Settlement, StartOptions } from "../../../src/ports/broker.ts";
import {
  altered,
  argsIn,
  drainWith,
  gate,
  ground,
  kinds,
  noted,
  numbered,
  publish,
  told,
  until,
  type Ground,
} from "./ground.ts";

/** A handler whose tasks end when they are let go, and that knows how many run. */
class Held {
  static readonly running = new Map<number, () => void>();
  static most = 0;
  static readonly started: number[] = [];
  static reset(): void {
    Held.running.clear();
    Held.most = 0;
    Held.started.length = 0;
  }
  async hold(index: number): Promise<void> {
    const { opened, open } = gate();
    Held.started.push(index);
    Held.running.set(index, open);
    Held.most = Math.max(Held.most, Held.running.size);
    await opened;
    Held.running.delete(index);
  }
  quick(index: number): void {
    Held.started.push(index);
  }
}

const letGo = (index: number): void => {
  Held.running.get(index)?.();
};

describe("concurrency", () => {
  test("of 1 keeps the order, whatever the tasks take", async () => {
    const place = ground();
    const seen: number[] = [];
    class Worker {
      async push(index: number): Promise<void> {
        if (index % 7 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
        if (index % 3 === 0) await Promise.resolve();
        seen.push(index);
      }
    }
    await publish(place.broker, ...numbered("push", 150));
    expect(await drainWith(place, { Worker })).toBe("empty");
    expect(seen).toEqual([...Array(150).keys()]);
    expect(told(place, "done").map(({ task }) => task.args[0])).toEqual(seen);
  });

  test.each([2, 5])("of %d runs as many at a time, and no more", async (concurrency) => {
    const place = ground();
    let running = 0;
    let most = 0;
    class Worker {
      async push(): Promise<void> {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 2));
        running--;
      }
    }
    await publish(place.broker, ...numbered("push", 40));
    expect(await drainWith(place, { Worker }, { concurrency })).toBe("empty");
    expect(most).toBe(concurrency);
    expect(told(place, "done")).toHaveLength(40);
  });

  test("tells the broker how many run at once", async () => {
    const place = ground();
    const requests: unknown[] = [];
    const broker = noted(place.broker, (name, [request]) => {
      if (name === "claim") requests.push(request);
    });
    await publish(broker, ...numbered("quick", 3));
    await drainWith({ ...place, broker }, { Held }, { concurrency: 4 });
    expect(requests).toMatchObject(requests.map(() => ({ atOnce: 4 })));
    expect(requests[0]).toMatchObject({ limit: 4 });
  });

  test("of any size tells the broker how long each attempt may take", async () => {
    const place = ground();
    const timeouts: unknown[] = [];
    const broker = noted(place.broker, (name, args) => {
      if (name === "start") timeouts.push((args[1] as StartOptions).timeoutMs);
    });
    class Worker {
      static readonly tasks = { slow: { timeout: "3h" }, push: {} };
      slow(): void {
        // how long it may take is what matters
      }
      push(): void {
        // likewise
      }
    }
    await publish(broker, { method: "push" }, { method: "slow" }, { method: "slow", timeoutMs: 7_200_000 });
    await drainWith({ ...place, broker }, { Worker }, { timeoutMs: 5_000 });
    expect(timeouts).toEqual([5_000, 10_800_000, 7_200_000]);
  });

  test("that is none is refused", async () => {
    for (const concurrency of [0, -1, 1.5, Number.NaN, 1_001]) {
      await expect(drainWith(ground(), { Held }, { concurrency })).rejects.toMatchObject({ code: "USAGE" });
    }
  });
});

describe("an idle lane", () => {
  test("takes what is published while another still works", async () => {
    Held.reset();
    const place = ground();
    await publish(place.broker, { method: "hold", args: [0] });
    const draining = drainWith(place, { Held }, { concurrency: 3 });
    await until(() => Held.running.has(0));
    await publish(place.queue.open(), { method: "hold", args: [1] }, { method: "quick", args: [2] });
    await until(() => Held.running.has(1) && Held.started.includes(2));
    letGo(0);
    await publish(place.queue.open(), { method: "quick", args: [3] });
    await until(() => Held.started.includes(3));
    letGo(1);
    expect(await draining).toBe("empty");
    expect(told(place, "done")).toHaveLength(4);
  });

  test("asks less and less often when its waits end at once and bring nothing", async () => {
    Held.reset();
    const place = ground();
    let looks = 0;
    const counting = noted(place.broker, (name) => {
      if (name === "claim") looks++;
    });
    const broker = altered(counting, { wait: () => new Promise(setImmediate) });
    await publish(broker, { method: "hold", args: [0] });
    const draining = drainWith({ ...place, broker }, { Held }, { concurrency: 2 });
    await until(() => Held.running.has(0));
    const asked = async (): Promise<number> => {
      for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
      return looks;
    };
    const first = await asked();
    expect(first).toBeLessThanOrEqual(4); // once is nothing: another owner was faster
    for (let ms = 0; ms < 10_000; ms += 50) {
      await place.clock.advance(50);
      await new Promise(setImmediate);
    }
    expect(await asked()).toBeGreaterThan(first);
    expect(looks).toBeLessThanOrEqual(first + 20);
    letGo(0);
    expect(await draining).toBe("empty");
  });

  test("takes what falls due while another still works", async () => {
    Held.reset();
    const place = ground();
    await publish(
      place.broker,
      { method: "hold", args: [0] },
      { method: "quick", args: [1], dueAt: place.clock.now() + 5_000 },
    );
    const draining = drainWith(place, { Held }, { concurrency: 2 });
    await until(() => Held.running.has(0));
    await place.clock.advance(10_000);
    await until(() => Held.started.includes(1));
    letGo(0);
    expect(await draining).toBe("empty");
  });

  test("looks again seldom while nothing happens", async () => {
    Held.reset();
    const place = ground();
    let claims = 0;
    const broker = noted(place.broker, (name) => {
      if (name === "claim") claims++;
    });
    await publish(broker, { method: "hold", args: [0] });
    const draining = drainWith({ ...place, broker }, { Held }, { concurrency: 8 });
    await until(() => Held.running.has(0));
    await place.clock.advance(10_000);
    expect(claims).toBeLessThanOrEqual(2 + 10 + 1);
    letGo(0);
    expect(await draining).toBe("empty");
  });

  test("ends with the last that works", async () => {
    Held.reset();
    const place = ground();
    await publish(place.broker, { method: "hold", args: [0] });
    const draining = drainWith(place, { Held }, { concurrency: 2 });
    await until(() => Held.running.has(0));
    letGo(0);
    expect(await draining).toBe("empty");
  });
});

/** What the broker was asked to claim, start and settle, one line each. */
function journal(place: Ground): { readonly lines: string[]; readonly broker: Broker } {
  const lines: string[] = [];
  const nameOf = (claim: Claim): string => JSON.stringify(claim.task.args[0]);
  const broker = noted(place.broker, (name, args) => {
    if (name === "start")
      lines.push(`start ${nameOf(args[0] as Claim)}${(args[1] as { last: boolean }).last ? " last" : ""}`);
    if (name === "settle")
      lines.push(`settle ${(args[0] as Settlement[]).map(({ claim }) => nameOf(claim)).join(",")}`);
    if (name === "claim") lines.push("claim");
  });
  return { lines, broker };
}

describe("settling", () => {
  test("groups fast tasks, and is done before the next claim", async () => {
    const place = ground();
    const { lines, broker } = journal(place);
    await publish(broker, ...numbered("quick", 300));
    await drainWith({ ...place, broker }, { Held });
    const settles = lines.filter((line) => line.startsWith("settle"));
    expect(settles.length).toBeLessThan(60);
    const open = new Set<string>();
    for (const line of lines) {
      const [verb, names = ""] = line.split(" ");
      if (verb === "start") open.add(names);
      else if (verb === "settle") for (const name of names.split(",")) open.delete(name);
      else expect([...open]).toEqual([]);
    }
  });

  test("records a last attempt before the handler is called, and its end before the next start", async () => {
    const place = ground();
    const { lines, broker } = journal(place);
    await publish(broker, ...numbered("quick", 5));
    await drainWith({ ...place, broker }, { Held }, { policy: { waitsMs: [] } });
    const steps = lines.filter((line) => line !== "claim");
    expect(steps).toEqual(
      [0, 1, 2, 3, 4].flatMap((index) => [`start ${String(index)} last`, `settle ${String(index)}`]),
    );
  });

  test("lets a group wait at most 5 ms, even behind a slow task", async () => {
    Held.reset();
    const place = ground();
    await publish(place.broker, ...numbered("quick", 6), { method: "hold", args: [6] });
    const draining = drainWith(place, { Held });
    await until(() => Held.running.has(6));
    await until(() => told(place, "done").length === 6);
    expect(Held.running.has(6)).toBe(true);
    letGo(6);
    await draining;
  });

  test("acknowledges a slow task on its own", async () => {
    const place = ground();
    const { lines, broker } = journal(place);
    class Worker {
      slow(): void {
        const endAt = performance.now() + 6;
        while (performance.now() < endAt);
      }
    }
    await publish(broker, ...numbered("slow", 3));
    await drainWith({ ...place, broker }, { Worker });
    expect(lines.filter((line) => line.startsWith("settle"))).toEqual(["settle 0", "settle 1", "settle 2"]);
  });

  test("that is refused is told as a lost lease, not as done", async () => {
    const place = ground();
    class Worker {
      stall(): void {
        place.queue.endLease(place.broker);
      }
      other(): void {}
    }
    const [id] = await publish(place.broker, { method: "stall" });
    const thief = place.queue.open();
    const broker = altered(place.broker, {
      settle: async (settlements) => {
        await thief.claim({ limit: 10, atOnce: 1 });
        return place.broker.settle(settlements);
      },
    });
    expect(await drainWith({ ...place, broker }, { Worker })).toBe("held");
    expect(place.events).toMatchObject([{ kind: "leaseLost", queue: "q", task: { id } }]);
  });

  test("of very many that end together goes in groups that every broker takes", async () => {
    const place = ground();
    const { opened, open } = gate();
    let running = 0;
    class Worker {
      async push(): Promise<void> {
        if (++running === 900) open();
        await opened;
      }
    }
    const groups: number[] = [];
    const broker = noted(place.broker, (name, [group]) => {
      if (name === "settle") groups.push((group as unknown[]).length);
    });
    await publish(broker, ...numbered("push", 900));
    await drainWith({ ...place, broker }, { Worker }, { concurrency: 900 });
    expect(Math.max(...groups)).toBeLessThanOrEqual(512);
    expect(told(place, "done")).toHaveLength(900);
  });

  test("grows its claims for tasks that do nothing to hundreds", async () => {
    const place = ground();
    const limits: number[] = [];
    const broker = noted(place.broker, (name, [request]) => {
      if (name === "claim") limits.push((request as { limit: number }).limit);
    });
    await publish(broker, ...numbered("quick", 1_000));
    await publish(broker, ...numbered("quick", 200));
    await drainWith({ ...place, broker }, { Held });
    expect(Math.max(...limits)).toBeGreaterThanOrEqual(128);
    expect(limits[0]).toBe(1);
  });

  test("hands back what waits behind tasks that turned slow", async () => {
    Held.reset();
    const place = ground();
    const { clock } = place;
    class Worker {
      async push(index: number): Promise<void> {
        if (index < 200) return;
        // A clock that says so is quicker than to be so slow.
        await Promise.resolve();
        slow = true;
      }
    }
    let slow = false;
    const realNow = performance.now.bind(performance);
    let added = 0;
    performance.now = () => {
      if (slow) added += 30_000;
      slow = false;
      return realNow() + added;
    };
    try {
      await publish(place.broker, ...numbered("push", 600));
      let released = 0;
      const broker = noted(place.broker, (name, [claims]) => {
        if (name === "release") released += (claims as unknown[]).length;
      });
      await drainWith({ ...place, broker, clock }, { Worker });
      expect(released).toBeGreaterThan(0);
    } finally {
      performance.now = realNow;
    }
    expect(told(place, "done").map(({ task }) => task.args[0])).toEqual([...Array(600).keys()]);
  });
});

describe("what was running when its run died", () => {
  /** Queue with `poison` started by a run that died, and neighbours that it held or did not. */
  async function afterDeath(names: readonly number[], started: number): Promise<Ground> {
    const place = ground();
    await publish(place.broker, ...names.map((name) => ({ method: "hold", args: [name] })));
    await dieRunning(place, place.queue.open(), started);
    return place;
  }

  async function dieRunning(place: Ground, dying: Broker, started = 1): Promise<void> {
    const { claims } = await dying.claim({ limit: 100, atOnce: started });
    for (const claim of claims.slice(0, started)) await dying.start(claim, { last: false });
    place.queue.endLease(dying);
  }

  test("runs with nothing else held or running, and is settled before the next claim", async () => {
    Held.reset();
    const place = await afterDeath([0, 1, 2, 3], 2);
    const { lines, broker } = journal(place);
    const draining = drainWith({ ...place, broker }, { Held }, { concurrency: 4 });
    for (const alone of [0, 1]) {
      await until(() => Held.running.has(alone));
      await place.clock.advance(5_000);
      expect([...Held.running.keys()]).toEqual([alone]);
      expect(lines.at(-1)).toBe(`start ${String(alone)}`);
      expect(await place.broker.depth()).toMatchObject({ running: 1 });
      letGo(alone);
    }
    await until(() => Held.running.size === 2);
    expect(lines.filter((line) => line.startsWith("settle"))).toEqual(["settle 0", "settle 1"]);
    letGo(2);
    letGo(3);
    expect(await draining).toBe("empty");
  });

  test("waits until the tasks of other lanes have ended, and no other begins beside it", async () => {
    Held.reset();
    const place = ground();
    const broker = altered(place.broker, {
      claim: async (request) => {
        const claimed = await place.broker.claim(request);
        return {
          ...claimed,
          claims: claimed.claims.map((claim) => ({ ...claim, alone: claim.task.args[0] === 9 })),
        };
      },
    });
    await publish(broker, { method: "hold", args: [0] });
    const draining = drainWith({ ...place, broker }, { Held }, { concurrency: 3 });
    await until(() => Held.running.has(0));
    await publish(place.queue.open(), { method: "hold", args: [9] });
    await place.clock.advance(5_000);
    expect(await place.broker.depth()).toMatchObject({ running: 2 });
    expect([...Held.running.keys()]).toEqual([0]);
    letGo(0);
    await until(() => Held.running.has(9));
    await publish(place.queue.open(), { method: "hold", args: [10] }, { method: "hold", args: [11] });
    await place.clock.advance(5_000);
    expect([...Held.running.keys()]).toEqual([9]);
    letGo(9);
    await until(() => Held.running.has(10) && Held.running.has(11));
    letGo(10);
    letGo(11);
    expect(await draining).toBe("empty");
  });

  test("runs alone even when it was claimed together with others", async () => {
    Held.reset();
    const place = ground();
    const broker = altered(place.broker, {
      claim: async (request) => {
        const claimed = await place.broker.claim({ ...request, limit: 10 });
        return {
          ...claimed,
          claims: claimed.claims.map((claim) => ({ ...claim, alone: claim.task.args[0] === 0 })),
        };
      },
    });
    await publish(broker, ...numbered("hold", 3));
    const draining = drainWith({ ...place, broker }, { Held }, { concurrency: 3 });
    await until(() => Held.running.has(0));
    await place.clock.advance(5_000);
    expect([...Held.running.keys()]).toEqual([0]);
    letGo(0);
    await until(() => Held.running.size === 2);
    letGo(1);
    letGo(2);
    expect(await draining).toBe("empty");
  });

  test("is not run again when its attempts are used up, and says so", async () => {
    const place = await afterDeath([0], 1);
    Held.reset();
    expect(await drainWith(place, { Held }, { policy: { waitsMs: [] } })).toBe("empty");
    expect(Held.started).toEqual([]);
    expect(told(place, "dead")).toMatchObject([
      { attempt: 1, error: { message: "its attempts (1) are used up; the last one ended with its process" } },
    ]);
    expect(await argsIn(place.broker, "dead")).toEqual([0]);
  });
});

describe("a claim that must not be started", () => {
  test.each(["lost", "cancelled"] as const)("because it is %s is told and not run", async (answer) => {
    Held.reset();
    const place = ground();
    const broker = altered(place.broker, {
      start: (claim, options) =>
        claim.task.args[0] === 1 ? Promise.resolve(answer) : place.broker.start(claim, options),
    });
    await publish(broker, ...numbered("quick", 3));
    await drainWith({ ...place, broker }, { Held });
    expect(Held.started).toEqual([0, 2]);
    expect(kinds(place)).toContain(answer === "lost" ? "leaseLost" : "cancelled");
    expect(told(place, "done")).toHaveLength(2);
  });
});

test("findings of a claim are told", async () => {
  const place = ground();
  const [broken, newer] = await publish(
    place.broker,
    { method: "quick" },
    { method: "quick" },
    { method: "quick" },
  );
  place.queue.corrupt(broken ?? "", "{");
  place.queue.corrupt(newer ?? "", '{"v":99}');
  await drainWith(place, { Held });
  expect(told(place, "finding").map(({ finding }) => finding)).toContainEqual({
    kind: "buried",
    id: broken,
    reason: "the stored bytes are not JSON",
  });
  expect(told(place, "finding").map(({ finding }) => finding)).toContainEqual({ kind: "newer", id: newer });
  expect(told(place, "done")).toHaveLength(1);
});
