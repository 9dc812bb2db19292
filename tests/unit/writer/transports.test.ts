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
