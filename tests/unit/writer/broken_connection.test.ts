import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { prepareEntry } from "../../../src/writer/entry.js";
import { pgTransport } from "../../../src/writer/transports.js";

const { entry } = prepareEntry(
  { action: "user.created" },
  () => "01890000-0000-7000-8000-000000000001",
);

/** A message of the protocol: its type, the length, the body. */
function message(type: string, body: string | Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(Buffer.byteLength(body) + 4);
  return Buffer.concat([Buffer.from(type), length, Buffer.from(body)]);
}

const authenticated = message("R", Buffer.alloc(4));
const ready = message("Z", "I");
const terminated = message("E", "SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0");

let server: Server;
let pool: pg.Pool;

beforeEach(async () => {
  // Says that it is ready and that it ends in one piece, as a server does that is told to end.
  server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end(Buffer.concat([authenticated, ready, terminated])));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  pool = new pg.Pool({ host: "127.0.0.1", port: (server.address() as AddressInfo).port });
});

afterEach(async () => {
  await pool.end();
  server.close();
});

test("a connection that ends as it is made rejects, and does not end the process", async () => {
  // An uncaught error would end an application, and fails a run of vitest.
  const uncaught: unknown[] = [];
  const note = (error: unknown) => uncaught.push(error);
  process.on("uncaughtExceptionMonitor", note);
  try {
    const inserting = pgTransport(pool)([entry], new AbortController().signal);
    await expect(inserting).rejects.toThrow(/terminat|not queryable/);
    expect(uncaught).toEqual([]);
  } finally {
    process.off("uncaughtExceptionMonitor", note);
  }
});
