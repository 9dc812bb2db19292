import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseDocument } from "yaml";
import { projectRoot } from "../../scripts/lib/files.js";
import { failureLine, newEntry } from "../harness/failure_line.js";

const path = "infra/cloudwatch/pgtrail-audit-writes.yaml";

/** Short forms of CloudFormation's functions, as the long ones. */
const functions = ["Ref", "Sub", "GetAtt", "If", "Equals"].flatMap((name) => {
  const full = name === "Ref" ? name : `Fn::${name}`;
  const tag = `!${name}`;
  return [
    { tag, resolve: (text: string) => ({ [full]: name === "GetAtt" ? text.split(".") : text }) },
    {
      tag,
      collection: "seq" as const,
      resolve: (list: unknown) => ({ [full]: (list as { toJSON(): unknown }).toJSON() }),
    },
  ];
});

interface Resource {
  Type: string;
  DependsOn?: string;
  DeletionPolicy?: string;
  UpdateReplacePolicy?: string;
  Properties: Record<string, unknown>;
}

interface Template {
  AWSTemplateFormatVersion: string;
  Description: string;
  Parameters: Record<string, { Type: string; AllowedValues?: string[]; AllowedPattern?: string }>;
  Conditions: Record<string, unknown>;
  Resources: Record<string, Resource>;
  Outputs: Record<string, { Value: unknown }>;
}

const document = parseDocument(readFileSync(join(projectRoot, path), "utf8"), {
  customTags: functions,
  strict: true,
});
const template = document.toJS() as Template;

type Environment = "production" | "non-production";

/** What CloudFormation makes of the template with these parameters. Raises what does not resolve. */
function deploy(environment: Environment): Record<string, Resource> {
  const parameters: Record<string, string> = {
    Environment: environment,
    LogGroupName: "/app/api",
    AlarmTopicArn: "arn:aws:sns:eu-north-1:123456789012:on-call",
    OperationsTopicArn: "arn:aws:sns:eu-north-1:123456789012:operations",
  };
  expect(Object.keys(parameters).sort()).toEqual(Object.keys(template.Parameters).sort());
  for (const [name, { AllowedPattern: pattern, AllowedValues: values }] of Object.entries(
    template.Parameters,
  )) {
    if (pattern) expect(parameters[name]).toMatch(new RegExp(`^(?:${pattern})$`));
    if (values) expect(values).toContain(parameters[name]);
  }
  const reference = (name: string): unknown => {
    if (Object.hasOwn(parameters, name)) return parameters[name];
    // The Ref of each of these resources is its name.
    if (Object.hasOwn(template.Resources, name)) return name;
    throw new Error(`${name} is neither a parameter nor a resource`);
  };
  const resolve = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(resolve);
    if (typeof value !== "object" || value === null) return value;
    const [[name, argument] = ["", undefined], ...others] = Object.entries(value);
    if (others.length === 0) {
      switch (name) {
        case "Ref":
          return reference(argument as string);
        case "Fn::Sub":
          return (argument as string).replace(/\$\{(\w+)\}/g, (_, each) => String(reference(each)));
        case "Fn::GetAtt":
          return `${reference(argument[0])}.${argument[1]}`;
        case "Fn::Equals":
          return resolve(argument[0]) === resolve(argument[1]);
        case "Fn::If": {
          const [condition, yes, no] = argument as [string, unknown, unknown];
          if (!Object.hasOwn(template.Conditions, condition)) throw new Error(`no ${condition}`);
          return resolve(resolve(template.Conditions[condition]) ? yes : no);
        }
      }
    }
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, resolve(each)]));
  };
  resolve(template.Outputs);
  return resolve(template.Resources) as Record<string, Resource>;
}

const production = deploy("production");
const ofType = (resources: Record<string, Resource>, type: string) =>
  Object.values(resources).filter((resource) => resource.Type === type);
const properties = (resources: Record<string, Resource>, type: string) =>
  ofType(resources, type).map((resource) => resource.Properties);

describe("the template", () => {
  test("is YAML without mistakes, and its functions are known", () => {
    expect(document.errors).toEqual([]);
    expect(document.warnings).toEqual([]);
  });

  test("has the sections of a template, and every function in it resolves", () => {
    expect(template.AWSTemplateFormatVersion).toBe("2010-09-09");
    expect(Object.keys(template).sort()).toEqual(
      [
        "AWSTemplateFormatVersion",
        "Conditions",
        "Description",
        "Outputs",
        "Parameters",
        "Resources",
      ].sort(),
    );
    for (const environment of ["production", "non-production"] as const) {
      expect(JSON.stringify(deploy(environment))).not.toMatch(/"(Ref|Fn::\w+)"|\$\{/);
    }
    for (const name of Object.keys(template.Resources)) expect(name).toMatch(/^[A-Za-z0-9]+$/);
  });

  test("uses each parameter and condition", () => {
    const { Parameters: parameters, Conditions: conditions, ...rest } = template;
    const used = JSON.stringify([rest, conditions]);
    for (const name of [...Object.keys(parameters), ...Object.keys(conditions)]) {
      expect(used).toMatch(new RegExp(`"${name}"|\\$\\{${name}\\}`));
    }
  });

  test("has resources of known types, with properties of theirs only", () => {
    const known: Record<string, { required: string[]; optional: string[] }> = {
      "AWS::Logs::LogGroup": {
        required: [],
        optional: ["LogGroupName", "RetentionInDays", "KmsKeyId"],
      },
      "AWS::Logs::MetricFilter": {
        required: ["FilterPattern", "LogGroupName", "MetricTransformations"],
        optional: ["FilterName"],
      },
      "AWS::CloudWatch::Alarm": {
        required: [
          "ComparisonOperator",
          "EvaluationPeriods",
          "MetricName",
          "Namespace",
          "Period",
          "Statistic",
          "Threshold",
        ],
        optional: [
          "ActionsEnabled",
          "AlarmActions",
          "AlarmDescription",
          "AlarmName",
          "DatapointsToAlarm",
          "OKActions",
          "TreatMissingData",
          "Unit",
        ],
      },
    };
    for (const { Type: type, Properties: given, ...attributes } of Object.values(production)) {
      const { required = [], optional = [] } = known[type] ?? {};
      expect(Object.keys(known)).toContain(type);
      expect(Object.keys(given)).toEqual(expect.arrayContaining(required));
      expect([...required, ...optional]).toEqual(expect.arrayContaining(Object.keys(given)));
      for (const name of Object.keys(attributes)) {
        expect(["DependsOn", "DeletionPolicy", "UpdateReplacePolicy"]).toContain(name);
      }
      if (attributes.DependsOn) expect(Object.keys(production)).toContain(attributes.DependsOn);
    }
  });
});

describe("the log group", () => {
  /** What RetentionInDays may be. */
  const days = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
  ];

  test.each([
    ["production", 30],
    ["non-production", 7],
  ] as const)("of %s keeps %i days", (environment, expected) => {
    const [group] = properties(deploy(environment), "AWS::Logs::LogGroup");
    expect(group).toEqual({ LogGroupName: "/app/api", RetentionInDays: expected });
    expect(days).toContain(expected);
  });

  test("outlives the stack", () => {
    for (const group of ofType(production, "AWS::Logs::LogGroup")) {
      expect(group).toMatchObject({ DeletionPolicy: "Retain", UpdateReplacePolicy: "Retain" });
    }
  });
});

describe("the alarms", () => {
  const alarms = properties(production, "AWS::CloudWatch::Alarm");

  test("are more than 10 in 5 minutes, and more than 5 in 10 minutes to operations", () => {
    expect(
      alarms.map(
        ({
          Threshold,
          Period,
          EvaluationPeriods,
          ComparisonOperator,
          Statistic,
          AlarmActions,
        }) => ({
          fires: `${Statistic} ${ComparisonOperator} ${Threshold} in ${Number(Period) * Number(EvaluationPeriods)} s`,
          AlarmActions,
        }),
      ),
    ).toEqual([
      {
        fires: "Sum GreaterThanThreshold 10 in 300 s",
        AlarmActions: ["arn:aws:sns:eu-north-1:123456789012:on-call"],
      },
      {
        fires: "Sum GreaterThanThreshold 5 in 600 s",
        AlarmActions: ["arn:aws:sns:eu-north-1:123456789012:operations"],
      },
    ]);
  });

  test("have values that CloudWatch takes", () => {
    for (const alarm of alarms) {
      const period = alarm.Period as number;
      expect([10, 20, 30].includes(period) || period % 60 === 0).toBe(true);
      // At most a day in all, or seven with periods of an hour or more.
      expect(period * (alarm.EvaluationPeriods as number)).toBeLessThanOrEqual(86_400);
      expect(alarm.TreatMissingData).toBe("notBreaching");
      expect((alarm.AlarmName as string).length).toBeLessThanOrEqual(255);
      expect((alarm.AlarmDescription as string).length).toBeLessThanOrEqual(1024);
      expect((alarm.AlarmActions as string[]).length).toBeLessThanOrEqual(5);
    }
    expect(new Set(alarms.map(({ AlarmName }) => AlarmName)).size).toBe(alarms.length);
  });

  test("watch what the filter counts, and name a runbook that is there", () => {
    const [filter] = properties(production, "AWS::Logs::MetricFilter");
    const metrics = filter?.MetricTransformations as Record<string, unknown>[];
    const [metric] = metrics;
    expect(metrics).toHaveLength(1);
    expect(metric).toMatchObject({ MetricValue: "1", DefaultValue: 0, Unit: "Count" });
    expect(metric).not.toHaveProperty("Dimensions");
    expect(filter?.LogGroupName).toBe("LogGroup");
    for (const alarm of alarms) {
      expect(alarm).toMatchObject({
        Namespace: metric?.MetricNamespace,
        MetricName: metric?.MetricName,
      });
      const [runbook = ""] = /docs\/\S+\.md/.exec(alarm.AlarmDescription as string) ?? [];
      expect(readFileSync(join(projectRoot, runbook), "utf8")).toMatch(/^# /);
    }
    expect(metric?.MetricNamespace).not.toMatch(/[:*]|^AWS\//);
  });

  test("of two environments do not mix", () => {
    const other = properties(deploy("non-production"), "AWS::CloudWatch::Alarm");
    for (const name of ["AlarmName", "Namespace"]) {
      expect(alarms.map((alarm) => alarm[name])).not.toEqual(other.map((alarm) => alarm[name]));
    }
  });
});

/**
 * CloudWatch's filter syntax for JSON, as far as the template needs it: comparisons of a property
 * with a text, && and ||. A log event that is not JSON as a whole matches nothing.
 */
function matches(pattern: string, logEvent: string): boolean {
  const inner = /^\{(.*)\}$/s.exec(pattern)?.[1];
  if (inner === undefined) throw new Error(`not a pattern for JSON: ${pattern}`);
  let value: unknown;
  try {
    value = JSON.parse(logEvent);
  } catch {
    return false;
  }
  const compare = (term: string): boolean => {
    const parts = /^\s*\$((?:\.\w+)+)\s*(!?=)\s*"([^"]*)"\s*$/.exec(term);
    if (!parts) throw new Error(`not a comparison: ${term}`);
    const [, selector = "", operator, wanted] = parts;
    const found = selector
      .slice(1)
      .split(".")
      .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], value);
    // A property that is missing is neither equal nor different.
    if (found === undefined) return false;
    return (found === wanted) === (operator === "=");
  };
  return inner.split("||").some((either) => either.split("&&").every(compare));
}

describe("the filter", () => {
  const [filter] = properties(production, "AWS::Logs::MetricFilter");
  const pattern = filter?.FilterPattern as string;
  const entry = newEntry({ details: { type: "other" } });

  test.each([
    ["a buffered event", failureLine(entry)],
    ["a dropped one", failureLine(entry, { status: "dropped", code: "22P05" })],
    ["an evicted one", failureLine(entry, { status: "evicted", code: null })],
    ["one without its payload", failureLine(entry, { event: null })],
    ["one with text that is difficult", failureLine(newEntry({ action: '"}\\\n😀' }))],
  ])("matches %s", (_, line) => {
    expect(matches(pattern, line)).toBe(true);
    expect(line).not.toContain("\n");
    // The largest log event, with its overhead.
    expect(Buffer.byteLength(line) + 26).toBeLessThanOrEqual(262_144);
  });

  test.each([
    ["another line of JSON", '{"level":"error","message":"[AUDIT] Database write failed"}'],
    ["another type", failureLine(entry).replace("audit_write_failed", "audit_write_flushed")],
    ["another case", failureLine(entry).replace("audit_write_failed", "Audit_Write_Failed")],
    ["the type of something within", `{"event":${failureLine(entry)}}`],
    ["a line that was cut off", failureLine(entry).slice(0, -1)],
    ["a line with a prefix", `2026-11-21T09:00:00Z ERROR ${failureLine(entry)}`],
    ["text", "audit_write_failed"],
    ["nothing", ""],
    ["null", "null"],
  ])("does not match %s", (_, line) => {
    expect(matches(pattern, line)).toBe(false);
  });
});
