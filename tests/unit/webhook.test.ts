import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { post } from "../../src/worker/webhook.js";

const cleanups: (() => void)[] = [];

afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** URL of a server on loopback. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/?token=hushhush`;
}

/** Posts, and gives whether that was accepted and what was told of each try. */
async function attempt(
  url: string,
  { timeout = 10_000, waits = [0, 0], abandon = new AbortController().signal } = {},
) {
  const told: [number, string | null, string][] = [];
  const accepted = await post(
    url,
    { n: 1 },
    (number, { code, message }) => told.push([number, code, message]),
    abandon,
    { timeout, waits },
  );
  expect(JSON.stringify(told)).not.toContain("hushhush");
  return { accepted, told };
}

test("is content with any status of 200 to 299, whatever the body", async () => {
  for (const status of [200, 202, 204]) {
    const url = await serve((_, response) => response.writeHead(status).end());
    expect(await attempt(url)).toEqual({ accepted: true, told: [] });
  }
});

test("tries three times and then gives up", async () => {
  let requests = 0;
  const url = await serve((_, response) => {
    requests++;
    response.writeHead(503).end("come back later");
  });
  const message = "the webhook answered 503";
  expect(await attempt(url)).toEqual({
    accepted: false,
    told: [1, 2, 3].map((number) => [number, "503", message]),
  });
  expect(requests).toBe(3);
});

test("does not follow a redirect, which would turn the POST into a GET", async () => {
  let requests = 0;
  const url = await serve((_, response) => {
    requests++;
    response.writeHead(302, { location: "/elsewhere" }).end();
  });
  const { accepted, told } = await attempt(url, { waits: [] });
  expect({ accepted, told, requests }).toEqual({
    accepted: false,
    told: [[1, "302", "the webhook answered 302"]],
    requests: 1,
  });
});

test("gives a server that never answers its time, and no more", async () => {
  const url = await serve(() => {});
  expect(await attempt(url, { timeout: 50, waits: [0] })).toEqual({
    accepted: false,
    told: [1, 2].map((number) => [number, null, "the webhook did not answer within 0.05 seconds"]),
  });
});

test("says why nobody can be reached", async () => {
  const url = await serve(() => {});
  for (const cleanup of cleanups.splice(0)) cleanup();
  const { told } = await attempt(url, { waits: [] });
  expect(told).toEqual([[1, "ECONNREFUSED", "the webhook cannot be reached"]]);
});

test("ends at once when it is abandoned, during a try and between two", async () => {
  const during = new AbortController();
  const silent = await serve(() => during.abort());
  expect(await attempt(silent, { abandon: during.signal })).toEqual({
    accepted: false,
    told: [[1, null, "the worker was stopped meanwhile"]],
  });

  const between = new AbortController();
  const failing = await serve((_, response) => {
    response.on("close", () => between.abort());
    response.writeHead(500).end();
  });
  const { accepted, told } = await attempt(failing, {
    waits: [1_000_000],
    abandon: between.signal,
  });
  expect(accepted).toBe(false);
  expect(told).toHaveLength(1);
});
