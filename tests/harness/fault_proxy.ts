import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";

/**
 * What is wrong with the network. A fault holds for connections that are open and for new ones. A
 * connection that lost bytes to one stays silent after it is over, as behind a firewall that forgot
 * it: what came later would make no sense without them.
 *
 * - `none`: everything passes.
 * - `refused`: nobody listens. Open connections go on.
 * - `black hole`: connections are accepted, and nothing passes.
 * - `half-open`: what the client sends arrives, and no answer comes back.
 * - `latency`: each piece arrives that many milliseconds late, either way.
 * - `cut`: a connection is reset after that many bytes of answers.
 */
export type Fault =
  | { kind: "none" | "refused" | "black hole" | "half-open" }
  | { kind: "latency"; milliseconds: number }
  | { kind: "cut"; bytes: number };

/** A TCP proxy on 127.0.0.1 whose faults are switched by a test. */
export interface FaultProxy {
  /** Where it listens, also after it refused. */
  readonly port: number;
  /** Connections that are open. */
  readonly connections: number;
  /** Puts another fault in place of the present one. */
  set(fault: Fault): Promise<void>;
  /** Resets the open connections (RST), whatever the fault. Returns how many. */
  reset(): number;
  /** Stops listening and resets what is open. */
  close(): void;
}

/** Starts a proxy without a fault in front of a port of 127.0.0.1. */
export async function startFaultProxy(targetPort: number): Promise<FaultProxy> {
  let fault: Fault = { kind: "none" };
  const clients = new Set<Socket>();
  let server: Server | undefined = await listen(0);
  const { port } = server.address() as AddressInfo;

  async function listen(at: number): Promise<Server> {
    // That one side has ended is passed on, and the other decides when it ends.
    const listening = createServer({ allowHalfOpen: true }, serve);
    listening.listen(at, "127.0.0.1");
    await once(listening, "listening");
    return listening;
  }

  async function serve(client: Socket): Promise<void> {
    clients.add(client);
    client.once("close", () => clients.delete(client));
    const target = connect({ port: targetPort, host: "127.0.0.1", allowHalfOpen: true });
    try {
      await Promise.all([
        pipeline(client, (pieces: AsyncIterable<Buffer>) => requests(pieces), target),
        pipeline(target, (pieces: AsyncIterable<Buffer>) => answers(pieces, client), client),
      ]);
    } catch {
      // An end without a farewell on one side is one on the other.
      client.resetAndDestroy();
      target.resetAndDestroy();
    }
  }

  async function* requests(pieces: AsyncIterable<Buffer>) {
    let lost = false;
    for await (const piece of pieces) {
      if (fault.kind === "latency") await delay(fault.milliseconds);
      lost ||= fault.kind === "black hole";
      if (!lost) yield piece;
    }
  }

  async function* answers(pieces: AsyncIterable<Buffer>, client: Socket) {
    let lost = false;
    let bytes = 0;
    for await (const piece of pieces) {
      if (fault.kind === "latency") await delay(fault.milliseconds);
      lost ||= fault.kind === "black hole" || fault.kind === "half-open";
      if (lost) continue;
      if (fault.kind === "cut" && bytes + piece.length > fault.bytes) {
        const rest = piece.subarray(0, Math.max(0, fault.bytes - bytes));
        // A reset would overtake what has not left yet.
        await new Promise((left) => client.write(rest, left));
        client.resetAndDestroy();
        return;
      }
      bytes += piece.length;
      yield piece;
    }
  }

  function reset(): number {
    const open = [...clients];
    for (const client of open) client.resetAndDestroy();
    return open.length;
  }

  return {
    port,
    get connections() {
      return clients.size;
    },
    async set(next) {
      fault = next;
      if (fault.kind === "refused") {
        // It stops listening at once; its connections would keep `close` from being told.
        server?.close();
        server = undefined;
      } else {
        server ??= await listen(port);
      }
    },
    reset,
    close() {
      server?.close();
      reset();
    },
  };
}
