import { expect, test } from "vitest";
import { isAlive, nameOf, ownerOf, thisProcess } from "../../../src/writer/spool_owner.js";

test("a name says whose the file is", () => {
  const owner = { pid: 12, started: 345, host: "a.host" };
  expect(ownerOf(nameOf(owner))).toEqual(owner);
});

test("a file that changes hands keeps the place of its name", () => {
  const former = nameOf({ pid: 12, started: 345, host: "one" });
  const name = nameOf({ pid: 67, started: 8, host: "two" }, former);
  expect(name.slice(0, 36)).toBe(former.slice(0, 36));
  expect(ownerOf(name)).toEqual({ pid: 67, started: 8, host: "two" });
});

test.each([
  "notes.txt",
  "x.1.2.host.ndjson",
  `${nameOf({ pid: 1, started: 1, host: "h" })}.damaged`,
])("%s is none of a spool", (name) => {
  expect(ownerOf(name)).toBeUndefined();
});

test("this process is alive, one of its pid that began at another time is not", async () => {
  const self = await thisProcess();
  expect(self.pid).toBe(process.pid);
  expect(await isAlive(self)).toBe(true);
  expect(await isAlive({ ...self, pid: 999_999_999 })).toBe(false);
  // Where the system does not say when a process began, its pid is all there is.
  expect(await isAlive({ ...self, started: self.started + 1 })).toBe(self.started === 0);
});
