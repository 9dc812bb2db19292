/** A server on loopback that plays PostgREST: it keeps what it is sent and answers as it is told. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { vi } from "vitest";

/** A request as it came in. */
export interface Received {
  method: string;
  path: string;
  query: Record<string, string>;
  headers: IncomingHttpHeaders;
  body: unknown;
}

/** An answer, with JSON or with the page of a gateway; "hang" is none until the server is closed. */
export type Answer = { status: number; json?: unknown; html?: string } | "hang";

/** Starts one that gives every request the same answer. */
export async function startPostgrest(answer: Answer = { status: 201 }) {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://localhost");
    received.push({
      method: request.method ?? "",
      path: pathname,
      query: Object.fromEntries(searchParams),
      headers: request.headers,
      body: JSON.parse(await text(request)),
    });
    if (answer === "hang") return;
    const { status, json, html } = answer;
    const type = html === undefined ? "application/json" : "text/html";
    response.writeHead(status, { "content-type": type });
    response.end(html ?? (json === undefined ? "" : JSON.stringify(json)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    /** Resolves when that many requests have come in. */
    async until(count: number): Promise<void> {
      await vi.waitUntil(() => received.length >= count, { timeout: 20_000, interval: 5 });
    },
    async close(): Promise<void> {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
