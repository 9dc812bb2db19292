import { parseArgs } from "node:util";
import { capture } from "./capture.js";
import { chain } from "./chain.js";
import { ids } from "./ids.js";
import { insert } from "./insert.js";
import { page } from "./page.js";
import { parts } from "./parts.js";
import { prove } from "./prove.js";
import { purge } from "./purge.js";
import { keep, type Report, show } from "./report.js";
import { seal } from "./seal.js";
import { type BenchServer, startServer } from "./server.js";
import { summary } from "./summary.js";
import { trails } from "./trails.js";
import { writer } from "./writer.js";

/** Every benchmark by its name, in the order in which they run. */
const benchmarks: Record<string, (server: BenchServer, short: boolean) => Promise<Report>> = {
  insert,
  page,
  parts,
  ids,
  seal,
  chain,
  prove,
  summary,
  trails,
  purge,
  capture,
  writer,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { short: { type: "boolean", default: false } },
});
const unknown = positionals.find((name) => !Object.hasOwn(benchmarks, name));
if (unknown !== undefined) {
  console.error(
    `there is no benchmark "${unknown}"; there are ${Object.keys(benchmarks).join(", ")}`,
  );
  process.exit(2);
}

const server = await startServer();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void server.stop().finally(() => process.exit(1)));
}
try {
  for (const [name, benchmark] of Object.entries(benchmarks)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    const report = await benchmark(server, values.short);
    show(report);
    await keep(name, report, { postgres: server.version, short: values.short });
  }
} finally {
  await server.stop();
}
