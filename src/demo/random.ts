/** A sequence of pseudo-random numbers that a seed determines on every machine. */
export interface Random {
  /** Integer from 0 to 2^32 - 1. */
  bits(): number;
  /** Number from min (inclusive) to max (exclusive). */
  between(min: number, max: number): number;
  /** Integer from min to max, both inclusive. */
  integer(min: number, max: number): number;
  /** True in this share of all cases (0 to 1). */
  chance(share: number): boolean;
  pick<T>(items: readonly T[]): T;
}

/** mulberry32: small and fast, for sample data only. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const bits = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const between = (min: number, max: number) => min + (bits() / 2 ** 32) * (max - min);
  const integer = (min: number, max: number) => Math.floor(between(min, max + 1));
  return {
    bits,
    between,
    integer,
    chance: (share) => between(0, 1) < share,
    pick: (items) => {
      const item = items[integer(0, items.length - 1)];
      if (item === undefined) throw new RangeError("cannot pick from an empty list");
      return item;
    },
  };
}

/** A UUID of version 4. */
export function uuid4(random: Random): string {
  return format(randomHex(random, 32), "4");
}

/** A UUID of version 7 whose time is the given one, in milliseconds since 1970. */
export function uuid7(at: number, random: Random): string {
  return format(at.toString(16).padStart(12, "0") + randomHex(random, 20), "7");
}

function randomHex(random: Random, digits: number): string {
  let hex = "";
  while (hex.length < digits) hex += random.bits().toString(16).padStart(8, "0");
  return hex.slice(0, digits);
}

function format(hex: string, version: string): string {
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16);
  const marked = `${hex.slice(0, 12)}${version}${hex.slice(13, 16)}${variant}${hex.slice(17)}`;
  return marked.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
