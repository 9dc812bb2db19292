/** Requests to stop that this process has received. */
export interface StopRequests {
  /** Resolves at the first request. */
  readonly first: Promise<void>;
  /** Resolves at the second one, which does not want to wait. */
  readonly second: Promise<void>;
  /** Gives the signals back. */
  forget(): void;
}

/** Listens for requests to stop: SIGINT, SIGTERM and a closed terminal or pipe. */
export function listenForSignals(): StopRequests {
  const names = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const [first, second] = [defer(), defer()];
  let requested = Number.POSITIVE_INFINITY;
  const request = () => {
    // npm passes on what the terminal sends to both of us: one Ctrl-C can arrive twice.
    if (Date.now() - requested > 500) second.resolve();
    requested = Math.min(requested, Date.now());
    first.resolve();
  };
  for (const name of names) process.on(name, request);
  process.stdout.on("error", request);
  return {
    first: first.promise,
    second: second.promise,
    forget: () => {
      for (const name of names) process.off(name, request);
    },
  };
}

function defer() {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
