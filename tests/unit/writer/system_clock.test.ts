import { expect, test } from "vitest";
import { systemClock } from "../../../src/writer/clock.js";

test("runs what is due, unless it was cancelled, and keeps no process alive", async () => {
  const ran: string[] = [];
  const before = process.getActiveResourcesInfo().filter((each) => each === "Timeout").length;
  systemClock.after(1, () => ran.push("cancelled"))();
  await new Promise<void>((resolve) => {
    systemClock.after(2, () => {
      ran.push("ran");
      resolve();
    });
    // Timers that keep the process alive are listed.
    const now = process.getActiveResourcesInfo().filter((each) => each === "Timeout").length;
    expect(now).toBe(before);
    // This one does, so that there is something to wait with.
    setTimeout(() => {}, 100);
  });
  expect(ran).toEqual(["ran"]);
  expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1000);
});
