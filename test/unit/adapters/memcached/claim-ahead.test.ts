import { expect, test } from "vitest";
import type { Broker, Claim } from "../../../../src/ports/broker.ts";
import { FakeMemcached } from "../../../servers/fake-memcached.ts";
import { ELSEWHERE, ownerAt } from "./ground.ts";

const HALF_MINUTE = 32_000;

function scene(): {
  readonly open: (wishes?: { readonly holder?: typeof ELSEWHERE }) => Broker;
  readonly server: FakeMemcached;
  readonly sent: () => number;
  readonly pass: (ms: number) => void;
} {
  let now = 1_700_000_000_000;
  let sent = 0;
  const clock = (): number => now;
  const server = new FakeMemcached(clock);
  const open = (wishes: { readonly holder?: typeof ELSEWHERE } = {}): Broker => {
    const wire = server.wire();
    const counted = {
      ...wire,
      batch: (operations: Parameters<typeof wire.batch>[0]) => {
        sent += 1;
        return wire.batch(operations);
      },
    };
    return ownerAt(clock, { wire: counted, bundle: 10, ...wishes });
  };
  return { open, server, sent: () => sent, pass: (ms) => (now += ms) };
}

const publish = (broker: Broker, count: number): Promise<unknown> =>
  broker.publish(Array.from({ length: count }, (_, index) => ({ method: "work", args: [index] })));

const request = { limit: 10, atOnce: 1 };
const ahead = async (broker: Broker): Promise<readonly Claim[]> =>
  (await broker.claimAhead?.(request))?.claims ?? [];
const claimed = async (broker: Broker): Promise<readonly Claim[]> => (await broker.claim(request)).claims;
const numbers = (claims: readonly Claim[]): unknown[] => claims.map(({ task }) => task.args[0]);
const from = (first: number): number[] => Array.from({ length: 10 }, (_, index) => first + index);

/** Two claims, after which it knows that nobody else is at it. */
async function settledIn(broker: Broker): Promise<readonly Claim[]> {
  return [...(await claimed(broker)), ...(await claimed(broker))];
}

test("what is claimed ahead stands next in the list, and takes one round trip", async () => {
  const { open, sent } = scene();
  const owner = open();
  await publish(owner, 60);
  expect(numbers(await settledIn(owner))).toEqual([...from(0), ...from(10)]);
  const before = sent();
  expect(numbers(await ahead(owner))).toEqual(from(20));
  expect(sent() - before).toBe(1);
  expect(numbers(await claimed(owner))).toEqual(from(30));
});

test("who does not know whether others are at it claims nothing ahead, and asks nothing", async () => {
  const { open, sent } = scene();
  const owner = open();
  await publish(owner, 20);
  const before = sent();
  expect(await ahead(owner)).toEqual([]);
  expect(sent()).toBe(before);
});

test("of two owners who claim at the same time one gets what stands next, ahead or not", async () => {
  const { open } = scene();
  const [one, other] = [open(), open()];
  await publish(one, 60);
  await settledIn(one);
  const both = await Promise.all([ahead(one), claimed(other)]);
  const rest = [...(await claimed(one)), ...(await claimed(one)), ...(await claimed(one))];
  expect(numbers([...both.flat(), ...rest]).sort()).toEqual(
    [...from(20), ...from(30), ...from(40), ...from(50)].sort(),
  );
});

test("nothing is claimed ahead while what a dead owner has left waits for empty hands", async () => {
  const { open, pass } = scene();
  const [owner, dying] = [open(), open({ holder: ELSEWHERE })];
  await publish(owner, 80);
  const [first] = await claimed(dying);
  if (first === undefined) throw new Error("nothing was claimed");
  await dying.start(first, { last: false });
  await settledIn(owner);
  await owner.renew();
  pass(HALF_MINUTE / 2);
  await owner.renew();
  pass(HALF_MINUTE / 2 + 1_000);
  const again = await settledIn(owner);
  expect(again.length).toBeGreaterThan(0);
  expect(await ahead(owner)).toEqual([]);
});

test("what was met on the way ahead is told with it, as nobody may claim after it", async () => {
  const { open, server } = scene();
  const owner = open();
  await publish(owner, 60);
  await settledIn(owner);
  const [next] = [...server.items.keys()].filter((key) => server.text(key)?.includes('"a":[20]') === true);
  server.evict(next ?? "");
  expect(await owner.claimAhead?.(request)).toEqual({
    claims: [],
    findings: [{ kind: "missing", count: 1 }],
  });
});

test("what was claimed ahead is handed back with everything else", async () => {
  const { open } = scene();
  const [owner, other] = [open(), open()];
  await publish(owner, 50);
  await settledIn(owner);
  expect(await ahead(owner)).toHaveLength(10);
  await owner.close();
  const all: Claim[] = [];
  for (let part = await claimed(other); part.length > 0; part = await claimed(other)) all.push(...part);
  expect(numbers(all)).toEqual([...from(0), ...from(10), ...from(20), ...from(30), ...from(40)]);
});
