import { expect, test } from "vitest";
import { createQueue } from "../../../src/writer/spool_queue.js";

function setUp() {
  const done: string[] = [];
  const errors: unknown[] = [];
  const queue = createQueue<string>(
    async (some) => {
      await Promise.resolve();
      done.push(some.join("+"));
    },
    (error) => errors.push(error),
  );
  return { queue, done, errors };
}

test("does what is added side by side together, and nothing out of order", async () => {
  const { queue, done } = setUp();
  queue.add("a");
  queue.add("b");
  void queue.run(async () => void done.push("settle"));
  queue.add("c");
  await queue.run(async () => {});
  expect(done).toEqual(["a+b", "settle", "c"]);
});

test("adds nothing to what has begun", async () => {
  const { queue, done } = setUp();
  queue.add("a");
  await Promise.resolve();
  await Promise.resolve();
  queue.add("b");
  await queue.run(async () => {});
  expect(done).toEqual(["a", "b"]);
});

test("goes on after what fails, and tells of it, or rejects to whoever waits for a result", async () => {
  const { queue, errors } = setUp();
  await queue.run(() => Promise.reject(new Error("one")));
  expect(errors).toEqual([new Error("one")]);
  await expect(queue.inTurn(() => Promise.reject(new Error("two")))).rejects.toThrow("two");
  expect(await queue.inTurn(async () => 3)).toBe(3);
  expect(errors).toHaveLength(1);
});
