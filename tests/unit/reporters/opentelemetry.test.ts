import { metrics } from "@opentelemetry/api";
import { logs, SeverityNumber } from "@opentelemetry/api-logs";
import {
  InMemoryLogRecordExporter,
  LoggerProvider,
  SimpleLogRecordProcessor,
} from "@opentelemetry/sdk-logs";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { afterEach, expect, test } from "vitest";
import { openTelemetryReporter } from "../../../src/reporters/opentelemetry.js";
import { report } from "./reports.js";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

function sdk() {
  const metricExporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter: metricExporter });
  const meters = new MeterProvider({ readers: [reader] });
  const logExporter = new InMemoryLogRecordExporter();
  const loggers = new LoggerProvider({
    processors: [new SimpleLogRecordProcessor({ exporter: logExporter })],
  });
  closing.push(
    () => meters.shutdown(),
    () => loggers.shutdown(),
  );
  return {
    meter: meters.getMeter("pgtrail"),
    logger: loggers.getLogger("pgtrail"),
    /** The counter as it is exported. */
    async counter() {
      await reader.forceFlush();
      return metricExporter
        .getMetrics()
        .at(-1)
        ?.scopeMetrics.flatMap((scope) => scope.metrics);
    },
    async records() {
      await loggers.forceFlush();
      return logExporter.getFinishedLogRecords();
    },
  };
}

test("failures are counted by code, kind and status", async () => {
  const { meter, counter } = sdk();
  const reporter = openTelemetryReporter({ meter });
  reporter.report(report());
  reporter.report(report());
  reporter.report(report({ code: "23514", kind: "permanent" }, { status: "dropped" }));
  reporter.report(report({ code: null }));
  const [metric, ...others] = (await counter()) ?? [];
  expect(others).toEqual([]);
  expect(metric?.descriptor).toMatchObject({
    name: "pgtrail.audit.write.failures",
    unit: "{event}",
  });
  expect(metric?.dataPoints.map(({ attributes, value }) => [attributes, value])).toEqual([
    [{ code: "ECONNREFUSED", kind: "transient", status: "buffered" }, 2],
    [{ code: "23514", kind: "permanent", status: "dropped" }, 1],
    [{ code: "none", kind: "transient", status: "buffered" }, 1],
  ]);
});

test("each is a log record, without what the event changed", async () => {
  const { logger, records } = sdk();
  const { entry } = report();
  openTelemetryReporter({ logger }).report(
    report({ code: null }, { entry: { ...entry, actor_id: null } }),
  );
  const [record, ...others] = await records();
  expect(others).toEqual([]);
  expect(record).toMatchObject({
    eventName: "pgtrail.audit_write_failed",
    severityNumber: SeverityNumber.WARN,
    severityText: "WARN",
    body: "[AUDIT] Database write failed",
  });
  expect(record?.attributes).toEqual({
    "pgtrail.kind": "transient",
    "pgtrail.status": "buffered",
    "pgtrail.error": "connect ECONNREFUSED",
    "pgtrail.event_id": entry.id,
    "pgtrail.action": "badge.awarded",
    "pgtrail.entity_type": "badge",
    "pgtrail.entity_id": "b7",
    "pgtrail.organisation_id": entry.organisation_id,
  });
});

test("the user and the code are attributes where there are any", async () => {
  const { logger, records } = sdk();
  openTelemetryReporter({ logger }).report(report());
  expect((await records())[0]?.attributes).toMatchObject({
    "enduser.id": "ida",
    "pgtrail.code": "ECONNREFUSED",
  });
});

test("the API without an SDK takes it and does nothing", () => {
  const reporter = openTelemetryReporter({
    meter: metrics.getMeter("pgtrail"),
    logger: logs.getLogger("pgtrail"),
  });
  expect(() => reporter.report(report())).not.toThrow();
});

test("a meter that throws is not noticed, and the record is written all the same", async () => {
  const { logger, records } = sdk();
  const reporter = openTelemetryReporter({
    meter: {
      createCounter: () => ({
        add() {
          throw new Error("boom");
        },
      }),
    },
    logger,
  });
  reporter.report(report());
  expect(await records()).toHaveLength(1);
});

test("a logger that throws is not noticed", () => {
  const reporter = openTelemetryReporter({
    logger: {
      emit() {
        throw new Error("boom");
      },
    },
  });
  expect(() => reporter.report(report())).not.toThrow();
});
