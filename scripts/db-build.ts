import { Command } from "commander";
import { runCommand } from "./lib/command.js";
import { projectRoot } from "./lib/files.js";
import { sync } from "./lib/history.js";
import { buildReplay } from "./lib/replay.js";

const command = new Command("db-build")
  .description(
    "Compiles every changed file of sql/ into one migration, then brings migrations.sha256 and " +
      "supabase/migrations up to date.",
  )
  .argument("[slug]", "names the migration: <14 digits>_replay_<slug>.sql")
  .argument("[prefix...]", "files and folders of sql/ to take changes from (default: all of it)")
  .option("--amend", "rewrite the newest migration of this slug, as long as it is not committed")
  .option("--sync", "only bring migrations.sha256 and supabase/migrations up to date")
  .action((slug: string | undefined, prefixes: string[], options: Options) => {
    if (slug === undefined && !options.sync) command.error("error: give a slug, or --sync");
    if (slug !== undefined && options.sync) command.error("error: --sync takes no slug");
    if (slug !== undefined) build(slug, prefixes, options.amend ?? false);
    console.log(
      `${sync(projectRoot)} migrations listed in migrations.sha256 and copied to supabase/`,
    );
  });

interface Options {
  amend?: true;
  sync?: true;
}

function build(slug: string, prefixes: string[], amend: boolean): void {
  const { migration, sources } = buildReplay(projectRoot, { slug, prefixes, amend });
  if (migration === undefined) {
    console.log("nothing has changed in sql/: no migration written");
    return;
  }
  console.log(`migrations/${migration}`);
  for (const source of sources) console.log(`  ${source}`);
}

await runCommand(command);
