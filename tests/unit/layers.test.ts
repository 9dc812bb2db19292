/** Keeps the layers of sql/ apart: core knows no other one, and nothing of what is audited. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { projectRoot } from "../../scripts/lib/files.js";
import { readSteps, type Source } from "../../scripts/lib/sources.js";

const DOMAIN_WORDS = /hlf|mentor|badge|certificate|acknowledg|coordinator|chapter|portal/i;

/** What core may name of schema public, and where: captured changes and acts are kept in audit_log. */
const WRITERS_OF_AUDIT_LOG = [
  "sql/functions/core/capture/_capture_body.sql",
  "sql/functions/core/capture/replay_failed_writes.sql",
  "sql/functions/core/capture/row_at.sql",
  "sql/functions/core/capture/track.sql",
  "sql/functions/core/trails/_record_act.sql",
];

const steps = readSteps(projectRoot);
const sourcesOf = (layer: string): readonly Source[] =>
  steps.filter((step) => step.layer === layer).flatMap(({ sources }) => sources);

describe("core", () => {
  const core = sourcesOf("core");

  test("is found", () => {
    expect(core.length).toBeGreaterThan(100);
  });

  test("has no word of the domain", () => {
    const knowing = core.filter(({ text }) => DOMAIN_WORDS.test(text));
    expect(knowing.map(({ path }) => path)).toEqual([]);
  });

  test("names nothing of schema public but audit_log, and that in few places", () => {
    const named = core.flatMap(({ path, text }) =>
      [...text.matchAll(/\bpublic\.(\w+)/g)].map(([, name]) => ({ path, name })),
    );
    expect([...new Set(named.map(({ name }) => name))]).toEqual(["audit_log"]);
    expect([...new Set(named.map(({ path }) => path))].sort()).toEqual(WRITERS_OF_AUDIT_LOG);
  });
});

test("audit_log has no word of the domain but the roles of its own members", () => {
  const knowing = sourcesOf("audit_log").filter(({ text }) => DOMAIN_WORDS.test(text));
  expect(knowing.map(({ path }) => path)).toEqual(["sql/tables/organisations.sql"]);
});

test("layers of the domain do not know each other", () => {
  const own = {
    certification: "coordinator_acknowledgement_audit",
    sync: "hlf_sync_audit_log",
    badges: "badge_evaluation_logs",
  };
  for (const table of Object.values(own)) {
    const naming = Object.keys(own).filter((layer) =>
      sourcesOf(layer).some(({ text }) => text.includes(table)),
    );
    expect(naming.map((layer) => own[layer as keyof typeof own])).toEqual([table]);
  }
});

test("the map of each layer is there", () => {
  const maps = ["schema.sql", "schema/certification.sql", "schema/sync.sql", "schema/badges.sql"];
  for (const map of maps) expect(readFileSync(join(projectRoot, map), "utf8")).toContain("table ");
});
