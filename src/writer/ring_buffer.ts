/** How much a buffer holds. */
export interface BufferLimits {
  maxEntries: number;
  maxBytes: number;
}

/** A buffer of bounded size, in which what is new pushes out what is oldest. Every operation is O(1). */
export interface RingBuffer<T> {
  readonly size: number;
  /** Sum of the bytes that values were pushed with. */
  readonly bytes: number;
  /** Whether a further value pushes one out. */
  readonly full: boolean;
  /** Puts a value at the end. What it pushes out, oldest first, is returned; that may be itself. */
  push(value: T, bytes: number): T[];
  /** Takes a value out, wherever it stands. False when it is not in the buffer. */
  remove(value: T): boolean;
  has(value: T): boolean;
  /** The oldest values, which stay: at most `maxEntries`, and more than one only within `maxBytes`. */
  oldest(maxEntries: number, maxBytes?: number): T[];
}

/** Makes an empty buffer. Values are told apart by identity. */
export function createRingBuffer<T extends object>({
  maxEntries,
  maxBytes,
}: BufferLimits): RingBuffer<T> {
  // Places are numbered in order and never used again, so that the first is found without a search.
  const places = new Map<number, { value: T; bytes: number }>();
  const placeOf = new Map<T, number>();
  let first = 0;
  let next = 0;
  let bytesHeld = 0;

  function remove(value: T): boolean {
    const place = placeOf.get(value);
    if (place === undefined) return false;
    bytesHeld -= places.get(place)?.bytes ?? 0;
    places.delete(place);
    placeOf.delete(value);
    // Each place is passed once.
    while (first < next && !places.has(first)) first += 1;
    return true;
  }

  return {
    get size() {
      return places.size;
    },
    get bytes() {
      return bytesHeld;
    },
    get full() {
      return places.size >= maxEntries || bytesHeld >= maxBytes;
    },
    push(value, bytes) {
      remove(value);
      places.set(next, { value, bytes });
      placeOf.set(value, next);
      next += 1;
      bytesHeld += bytes;
      const evicted: T[] = [];
      while (places.size > maxEntries || bytesHeld > maxBytes) {
        const oldest = places.get(first);
        if (!oldest) break;
        remove(oldest.value);
        evicted.push(oldest.value);
      }
      return evicted;
    },
    remove,
    has: (value) => placeOf.has(value),
    oldest(count, limit = Number.POSITIVE_INFINITY) {
      const found: T[] = [];
      let bytes = 0;
      for (let place = first; place < next && found.length < count; place += 1) {
        const held = places.get(place);
        if (!held) continue;
        bytes += held.bytes;
        if (found.length > 0 && bytes > limit) break;
        found.push(held.value);
      }
      return found;
    },
  };
}
