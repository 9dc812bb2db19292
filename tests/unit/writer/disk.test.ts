import { expect, test, vi } from "vitest";
import { createDisk } from "../../../src/writer/disk.js";
import { entryWith } from "../../harness/entries.js";
import { settled } from "./clock.js";
import { noCounts } from "./counts.js";
import { createFakeSpool } from "./fake_spool.js";

test("counts what the spool takes and refuses, and knows which it did last", async () => {
  const fake = createFakeSpool();
  const counts = noCounts();
  const disk = createDisk(fake.spool, counts);
  await disk.append(entryWith("a"), "{}");
  fake.mode = "full";
  await disk.append(entryWith("b"), "{}");
  expect(disk.takes).toBe(false);
  fake.mode = "ok";
  await disk.append(entryWith("c"), "{}");
  expect(disk.takes).toBe(true);
  expect(counts).toMatchObject({ spooled: 2, spoolRefused: 1 });
});

test("settles in one call what is let go of in one turn", async () => {
  const { spool } = createFakeSpool();
  const calls = vi.spyOn(spool, "settled");
  const disk = createDisk(spool, noCounts());
  disk.settle("a");
  disk.settle("b");
  await settled();
  disk.settle("c");
  await settled();
  expect(calls.mock.calls).toEqual([[["a", "b"]], [["c"]]]);
});
