import { EventEmitter } from "node:events";
import { expect, test, vi } from "vitest";
import { prepareEntry } from "../../../src/writer/entry.js";
import {
  type PgPool,
  type PgPoolClient,
  pgTransport,
  postgrestTransport,
} from "../../../src/writer/transports.js";
import { settled } from "./clock.js";
import { pgError } from "./fake_transport.js";

const id = "01890000-0000-7000-8000-000000000001";
const { entry } = prepareEntry({ action: "user.created" }, () => id);
const never = new AbortController().signal;

function fakePool(query: () => Promise<unknown> = async () => {}) {
  const client = Object.assign(new EventEmitter(), { query: vi.fn(query), release: vi.fn() });
  const connect = vi.fn<PgPool["connect"]>((callback) => callback(undefined, client));
  const pool = Object.assign(new EventEmitter(), { connect });
  return { client, pool: pool as typeof pool & PgPool };
}

test("errors of idle connections and of the one in use do not end the process", async () => {
  let client: EventEmitter | undefined;
  const fake = fakePool(async () => client?.emit("error", new Error("in use")));
  client = fake.client;
  const transport = pgTransport(fake.pool);
  pgTransport(fake.pool);
  expect(fake.pool.listenerCount("error")).toBe(1);
  fake.pool.emit("error", new Error("idle"));
  await transport([entry], never);
  expect(fake.client.release).toHaveBeenCalledWith();
  expect(fake.client.listenerCount("error")).toBe(0);
});

test("a connection on which something failed is closed, whatever it was", async () => {
  // Its session is read-only, and would stay so when the database no longer is.
  const refused = fakePool(() => Promise.reject(pgError("25006")));
  await expect(pgTransport(refused.pool)([entry], never)).rejects.toThrow("25006");
  expect(refused.client.release).toHaveBeenCalledWith(true);
  const broken = fakePool(() => Promise.reject(new Error("Connection terminated")));
  await expect(pgTransport(broken.pool)([entry], never)).rejects.toThrow("terminated");
  expect(broken.client.release).toHaveBeenCalledWith(true);
});

test("an id that is there already is left alone; a key of somebody's own refuses", async () => {
  const taken = pgError("23505", "duplicate key", { constraint: "audit_log_2026_11_pkey" });
  const fake = fakePool(() => Promise.reject(taken));
  await pgTransport(fake.pool)([entry], never);
  expect(fake.client.query).toHaveBeenCalledTimes(1);

  fake.client.query.mockClear().mockRejectedValueOnce(taken).mockResolvedValueOnce({});
  await pgTransport(fake.pool)([entry, entry], never);
  const texts = (fake.client.query.mock.calls as unknown as [string][]).map(([text]) => text);
  expect(texts).toEqual([texts[0], `${texts[0]} on conflict (id) do nothing`]);
  expect(fake.client.release.mock.calls).toEqual([[], []]);

  const own = pgError("23505", "duplicate key", { constraint: "one_login_a_day" });
  fake.client.query.mockRejectedValue(own);
  await expect(pgTransport(fake.pool)([entry], never)).rejects.toBe(own);
  await expect(pgTransport(fake.pool)([entry, entry], never)).rejects.toBe(own);
});

test("names the columns that entries fill, and all of them without entries", async () => {
  const { client, pool } = fakePool();
  const transport = pgTransport(pool);
  const { entry: other } = prepareEntry({ action: "a", details: { n: 1 } }, () => id);
  for (const entries of [[entry], [other], [entry, other], []]) await transport(entries, never);
  const calls = client.query.mock.calls as unknown as [string, string[]][];
  const columns = calls.map(([text]) => /[(](.*?)[)]/.exec(text)?.[1]?.split(", "));
  expect(columns).toEqual([
    ["id", "organisation_id", "actor_kind", "action"],
    ["id", "organisation_id", "actor_kind", "action", "details"],
    ["id", "organisation_id", "actor_kind", "action", "details"],
    expect.objectContaining({ length: 14 }),
  ]);
  expect(calls[1]?.[1]).toEqual([id, entry.organisation_id, "service", "a", '{"n":1}']);
  expect(calls[2]?.[1]).toEqual([JSON.stringify([entry, other])]);
  expect(calls[3]?.[1]).toEqual(["[]"]);
});

test("waits neither for an answer nor for a connection longer than the signal", async () => {
  const { pool, client } = fakePool(() => new Promise(() => {}));
  const transport = pgTransport(pool);
  const first = new AbortController();
  const waiting = transport([entry], first.signal);
  await settled();
  first.abort(new Error("too long"));
  await expect(waiting).rejects.toThrow("too long");
  expect(client.release.mock.calls).toEqual([[true]]);

  let connected: (error: undefined, client: PgPoolClient) => void = () => {};
  pool.connect.mockImplementation((callback) => {
    connected = callback;
  });
  const second = new AbortController();
  const connecting = transport([entry], second.signal);
  second.abort(new Error("too long"));
  await expect(connecting).rejects.toThrow("too long");
  connected(undefined, client);
  await settled();
  // The connection came too late, and goes back unused.
  expect(client.release.mock.calls).toEqual([[true], []]);
  expect(client.query).toHaveBeenCalledTimes(1);
  await expect(transport([entry], AbortSignal.abort(new Error("over")))).rejects.toThrow("over");
});

test("over supabase-js, entries are upserted and what is there is left alone", async () => {
  const abortSignal = vi.fn(async (_signal: AbortSignal) => ({ error: null, status: 201 }));
  const upsert = vi.fn(() => ({ abortSignal }) as never);
  const from = vi.fn(() => ({ upsert }));
  await postgrestTransport({ from })([entry], never);
  expect(from).toHaveBeenCalledWith("audit_log");
  expect(upsert).toHaveBeenCalledWith([entry], { onConflict: "id", ignoreDuplicates: true });
  expect(abortSignal).toHaveBeenCalledWith(never);
});

test("over supabase-js, what it returns as an error is thrown with its status", async () => {
  const answer = (error: unknown, status: number) => ({
    from: () => ({ upsert: async () => ({ error, status }) }),
  });
  const refused = postgrestTransport(answer({ code: "PGRST002", message: "no schema" }, 503));
  await expect(refused([entry], never)).rejects.toEqual({
    code: "PGRST002",
    message: "no schema",
    status: 503,
  });
  await expect(postgrestTransport(answer("text", 500))([entry], never)).rejects.toBe("text");
});
