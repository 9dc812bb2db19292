import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type FaultProxy, startFaultProxy } from "../harness/fault_proxy.js";
import { useDatabase, withClient } from "../harness/index.js";

const database = useDatabase();

let proxy: FaultProxy;
const clients: pg.Client[] = [];

beforeEach(async () => {
  await database.superuser.query("create table if not exists public.heard (word text)");
  await database.superuser.query("truncate public.heard");
  proxy = await startFaultProxy(Number(new URL(database.url()).port));
});

afterEach(async () => {
  proxy.close();
  await Promise.all(clients.splice(0).map((client) => client.end().catch(() => {})));
});

/** A client that connects through the proxy, and how it does. */
function through(): { client: pg.Client; connected: Promise<unknown> } {
  const url = new URL(database.url());
  url.port = String(proxy.port);
  const client = new pg.Client({ connectionString: url.href });
  // A query that is under way tells, too.
  client.on("error", () => {});
  clients.push(client);
  return { client, connected: client.connect() };
}

async function open(): Promise<pg.Client> {
  const { client, connected } = through();
  await connected;
  return client;
}

const say = (client: pg.Client, word: string) =>
  client.query("insert into public.heard values ($1)", [word]);

async function heard(): Promise<string[]> {
  const { rows } = await database.superuser.query("select word from public.heard order by word");
  return rows.map(({ word }) => word);
}

/** Whether the promise is still pending after everything else has had its turn on another connection. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let pending = true;
  promise.then(
    () => {
      pending = false;
    },
    () => {
      pending = false;
    },
  );
  // Longer than the same takes where it passes.
  await withClient(database.url(), (client) => client.query("select pg_sleep(0.2)"));
  return pending;
}

test("passes everything, however large", async () => {
  const client = await open();
  const text = "é".repeat(3_000_000);
  const { rows } = await client.query("select $1::text as text", [text]);
  expect(rows[0].text === text).toBe(true);
  expect(proxy.connections).toBe(1);
  await client.end();
  await expect.poll(() => proxy.connections).toBe(0);
});

test("refuses new connections, lets open ones go on, and listens again on the same port", async () => {
  const client = await open();
  await proxy.set({ kind: "refused" });
  await expect(through().connected).rejects.toMatchObject({ code: "ECONNREFUSED" });
  await say(client, "open");
  await proxy.set({ kind: "none" });
  await say(await open(), "again");
  expect(await heard()).toEqual(["again", "open"]);
});

test("swallows both ways in a black hole, and what was lost stays lost", async () => {
  const client = await open();
  await proxy.set({ kind: "black hole" });
  const said = say(client, "lost");
  const { connected } = through();
  for (const promise of [said, connected]) promise.catch(() => {});
  expect(await isPending(said)).toBe(true);
  expect(await isPending(connected)).toBe(true);

  await proxy.set({ kind: "none" });
  await say(await open(), "afterwards");
  expect(await isPending(said)).toBe(true);
  expect(await heard()).toEqual(["afterwards"]);
});

test("half-open, the server hears and the client does not hear of it", async () => {
  const client = await open();
  await proxy.set({ kind: "half-open" });
  const said = say(client, "heard");
  said.catch(() => {});
  await expect.poll(heard).toEqual(["heard"]);
  expect(await isPending(said)).toBe(true);
});

test("is late by what was asked for", async () => {
  const client = await open();
  const undelayed: number[] = [];
  for (let n = 0; n < 20; n++) {
    const start = performance.now();
    await client.query("select");
    undelayed.push(performance.now() - start);
  }

  await proxy.set({ kind: "latency", milliseconds: 100 });
  const delayed = performance.now();
  await Promise.all([say(client, "late"), say(client, "later")]);
  // Either way adds its own 100; timers may be a millisecond early.
  expect(performance.now() - delayed).toBeGreaterThan(195);
  // Of a busy machine not each takes less.
  expect(Math.min(...undelayed)).toBeLessThan(195);
  expect(await heard()).toEqual(["late", "later"]);
});

test("resets what is open", async () => {
  const client = await open();
  const asked = client.query("select pg_sleep(60)");
  const refused = expect(asked).rejects.toMatchObject({ code: "ECONNRESET" });
  expect(proxy.reset()).toBe(1);
  await refused;
  await expect.poll(() => proxy.connections).toBe(0);
});

test("cuts an answer after so many bytes", async () => {
  const client = await open();
  await proxy.set({ kind: "cut", bytes: 1_000_000 });
  expect((await client.query("select repeat('x', 1000) as text")).rows).toHaveLength(1);
  await expect(client.query("select repeat('x', 2000000) as text")).rejects.toMatchObject({
    code: "ECONNRESET",
  });

  // Committed, and the answer is what was cut off.
  await proxy.set({ kind: "none" });
  const other = await open();
  await proxy.set({ kind: "cut", bytes: 0 });
  await expect(say(other, "unanswered")).rejects.toMatchObject({ code: "ECONNRESET" });
  expect(await heard()).toEqual(["unanswered"]);
});
