import { byteLength } from "./byte_length.js";
import { within } from "./clock.js";
import type { Disk } from "./disk.js";
import { isLate, noAnswer } from "./failures.js";
import type { Settings } from "./options.js";
import { createRingBuffer } from "./ring_buffer.js";
import { jsonOf, type Rendered, type Tell } from "./tell.js";
import type { AuditEntry, Counts, Failure, LogResult } from "./types.js";

/**
 * Where an event is on its way into the database:
 *
 *     log() ──> waiting ── written ─────────────────────────────> done
 *                 │  └──── dropped: refused for good, or late ──> done
 *                 │
 *                 │ kept: failed for now, or the budget is over
 *                 ▼
 *              buffered ── flushed, dropped, or evicted ────────> done
 *
 *     disk ──> spooled ─── recovered, or dropped ───────────────> done
 *
 * That an insert is under way is no state: what is sent stays where it is until there is an answer,
 * which may come when another insert has brought one already, and changes nothing then. With a
 * spool, what is buffered is on disk as well, and what is evicted or late is only there.
 */
export type State =
  /** The caller of `log` waits for an answer; its budget is over unless `cancel` is called. */
  | { readonly name: "waiting"; settle(result: LogResult): void; cancel: (() => void) | undefined }
  /** In the buffer. The caller has its answer; `told` is whether the line about it was taken. */
  | { readonly name: "buffered"; failure: Failure; told: boolean }
  /** Read from disk, in order to be sent. */
  | { readonly name: "spooled" }
  /** Written, dropped or evicted. */
  | { readonly name: "done" };

type Waiting = Extract<State, { name: "waiting" }>;
type Buffered = Extract<State, { name: "buffered" }>;

/** An event on its way. */
export interface Item extends Rendered {
  /** When it came, in milliseconds since 1970. */
  readonly at: number;
  state: State;
}

/** The events on their way, and what moves them from state to state. Nothing of it throws. */
export type Items = ReturnType<typeof createItems>;

/** What items are moved with. */
export interface ItemsParts extends Pick<Settings, "clock" | "budgetMs" | "limits"> {
  disk: Disk | undefined;
  tell: Tell;
  /** Called when an item was put into the buffer. */
  onKeep: () => void;
}

const done: State = { name: "done" };
const spooled: State = { name: "spooled" };

/** Makes an empty collection of items. */
export function createItems(parts: ItemsParts, counts: Counts) {
  const { clock, budgetMs, limits, disk, tell, onKeep } = parts;
  const waiting = new Set<Item>();
  const buffer = createRingBuffer<Item>(limits);
  let dropped = 0;

  function newItem(entry: AuditEntry, state: State): Item {
    return { entry, at: clock.now(), json: null, state };
  }

  function budgetLeft({ at }: Item): number {
    return Math.max(0, at + budgetMs - clock.now());
  }

  /** Answers the caller, once the entry is on disk where it has to be, but within the budget. */
  function answer(
    item: Item,
    { settle, cancel }: Waiting,
    result: Omit<LogResult, "id">,
    onDisk?: Promise<void>,
  ): void {
    waiting.delete(item);
    cancel?.();
    const answered = () => settle({ ...result, id: item.entry.id });
    if (onDisk) void within(clock, budgetLeft(item), onDisk).then(answered);
    else answered();
  }

  function keep(item: Item, before: Waiting, failure: Failure): void {
    const state: Buffered = { name: "buffered", failure, told: false };
    item.state = state;
    counts.buffered += 1;
    state.told = tell(item, failure, "buffered");
    const onDisk = disk?.append(item.entry, jsonOf(item));
    for (const evicted of buffer.push(item, byteLength(jsonOf(item)))) evict(evicted);
    answer(item, before, { status: "buffered", reason: failure.message }, onDisk);
    onKeep();
  }

  function evict(item: Item): void {
    const { state } = item;
    if (state.name !== "buffered") return;
    item.state = done;
    // It is like those that other processes left.
    if (disk) disk.hasMore = true;
    counts.evicted += 1;
    tell(item, state.failure, "evicted", !state.told);
  }

  function drop(item: Item, failure: Failure): void {
    const { state } = item;
    if (state.name === "done") return;
    item.state = done;
    counts.dropped += 1;
    dropped += 1;
    const late = isLate(failure);
    if (state.name === "waiting") {
      const onDisk = late ? disk?.append(item.entry, jsonOf(item)) : undefined;
      tell(item, failure, "dropped");
      answer(item, state, { status: "dropped", reason: failure.message }, onDisk);
      return;
    }
    // What is late stays on disk, for the next process.
    if (!late) disk?.settle(item.entry.id);
    buffer.remove(item);
    tell(item, failure, "dropped");
  }

  return {
    /** Those whose callers wait. */
    waiting: waiting as ReadonlySet<Item>,
    buffer,
    /** How many were dropped so far. */
    get dropped() {
      return dropped;
    },
    /** An event whose caller waits. */
    wait(entry: AuditEntry, settle: (result: LogResult) => void): Item {
      const item = newItem(entry, { name: "waiting", settle, cancel: undefined });
      waiting.add(item);
      return item;
    },
    /** An event that was read from disk. */
    spooled: (entry: AuditEntry): Item => newItem(entry, spooled),
    /** Keeps an item if it still waits when its budget is over, after having called `overdue`. */
    limit(item: Item, overdue: () => void): void {
      const { state } = item;
      if (state.name !== "waiting") return;
      state.cancel = clock.after(budgetLeft(item), () => {
        overdue();
        keep(item, state, noAnswer(budgetMs));
      });
    },
    written(item: Item): void {
      const { state } = item;
      if (state.name === "done") return;
      item.state = done;
      if (state.name === "waiting") {
        counts.written += 1;
        answer(item, state, { status: "written" });
        return;
      }
      disk?.settle(item.entry.id);
      counts[buffer.remove(item) ? "flushed" : "recovered"] += 1;
    },
    /** Keeps an item, or drops it when it was refused for good. */
    failed(item: Item, failure: Failure): void {
      const { state } = item;
      if (failure.kind === "permanent") drop(item, failure);
      else if (state.name === "waiting") keep(item, state, failure);
      else if (state.name === "buffered") state.failure = failure;
    },
    drop,
    /** Drops those that wait, for a reason, and those in the buffer, each for its own. */
    dropAll(failure: Failure): void {
      for (const item of [...waiting, ...buffer.oldest(limits.maxEntries)]) {
        drop(item, item.state.name === "buffered" ? item.state.failure : failure);
      }
    },
  };
}
