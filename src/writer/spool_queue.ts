/** A queue of work, in which one thing is done after the other, in the order of the calls. */
export type Queue<T> = ReturnType<typeof createQueue<T>>;

/**
 * Makes a queue.
 *
 * @param doTogether does what was added side by side
 * @param onError told of what rejects
 */
export function createQueue<T>(
  doTogether: (some: readonly T[]) => Promise<void>,
  onError: (error: unknown) => void,
) {
  let last = Promise.resolve();
  /** What was added last, as long as nothing came after it and it has not begun. */
  let open: T[] | undefined;

  function run(work: () => Promise<void>): Promise<void> {
    open = undefined;
    last = last.then(work).catch(onError);
    return last;
  }

  return {
    /** Does something, and resolves when that and all before it is done. Never rejects. */
    run,
    /** Does something in turn, and settles as that does. */
    inTurn: <R>(work: () => Promise<R>): Promise<R> =>
      new Promise((resolve, reject) => {
        void run(() => work().then(resolve, reject));
      }),
    /** Adds something that is done together with its neighbours. */
    add(one: T): void {
      if (open) {
        open.push(one);
        return;
      }
      const some = [one];
      void run(() => {
        if (open === some) open = undefined;
        return doTogether(some);
      });
      open = some;
    },
  };
}
