import fc from "fast-check";
import { expect, test } from "vitest";
import { createRingBuffer } from "../../../src/writer/ring_buffer.js";

test("is a queue that pushes out its oldest, by count and by bytes", () => {
  const operation = fc.oneof(
    { weight: 3, arbitrary: fc.record({ push: fc.integer({ min: 1, max: 60 }) }) },
    { weight: 1, arbitrary: fc.record({ remove: fc.nat(40) }) },
  );
  fc.assert(
    fc.property(
      fc.array(operation, { maxLength: 60 }),
      fc.integer({ min: 1, max: 10 }),
      (operations, maxEntries) => {
        const buffer = createRingBuffer<{ bytes: number }>({ maxEntries, maxBytes: 100 });
        const all: { bytes: number }[] = [];
        let model: { bytes: number }[] = [];
        const sum = () => model.reduce((total, { bytes }) => total + bytes, 0);
        for (const each of operations) {
          if ("push" in each) {
            const value = { bytes: each.push };
            all.push(value);
            model.push(value);
            const expected = [];
            while (model.length > maxEntries || sum() > 100) expected.push(model.shift());
            expect(buffer.push(value, each.push)).toEqual(expected);
          } else {
            const value = all[each.remove % Math.max(1, all.length)];
            if (!value) continue;
            expect(buffer.has(value)).toBe(model.includes(value));
            expect(buffer.remove(value)).toBe(model.includes(value));
            model = model.filter((other) => other !== value);
          }
          expect(buffer.size).toBe(model.length);
          expect(buffer.bytes).toBe(sum());
          expect(buffer.full).toBe(model.length >= maxEntries || sum() >= 100);
          expect(buffer.oldest(100)).toEqual(model);
          expect(buffer.oldest(2)).toEqual(model.slice(0, 2));
        }
      },
    ),
  );
});

test("gives the oldest within so many bytes, and one at least", () => {
  const buffer = createRingBuffer<{ name: string }>({ maxEntries: 9, maxBytes: 1000 });
  for (const name of ["a", "b", "c"]) buffer.push({ name }, 100);
  expect(buffer.oldest(9, 200)).toEqual([{ name: "a" }, { name: "b" }]);
  expect(buffer.oldest(9, 1)).toEqual([{ name: "a" }]);
});

test("what is larger than all of it is pushed out at once", () => {
  const buffer = createRingBuffer<{ name: string }>({ maxEntries: 9, maxBytes: 10 });
  const value = { name: "large" };
  expect(buffer.push(value, 11)).toEqual([value]);
  expect(buffer.size).toBe(0);
});

test("a value that is pushed again moves to the end", () => {
  const buffer = createRingBuffer<{ name: string }>({ maxEntries: 9, maxBytes: 100 });
  const [first, second] = [{ name: "first" }, { name: "second" }];
  for (const value of [first, second, first]) buffer.push(value, 10);
  expect(buffer.oldest(9)).toEqual([second, first]);
  expect(buffer.bytes).toBe(20);
});
