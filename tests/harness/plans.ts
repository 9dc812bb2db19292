import type pg from "pg";
import { withClient } from "./template.js";

/** One node of a plan, as `explain (format json, analyze)` names its properties. */
export interface PlanNode {
  "Node Type": string;
  "Relation Name"?: string;
  "Index Name"?: string;
  "Actual Rows": number;
  "Actual Loops": number;
  Plans?: PlanNode[];
  [property: string]: unknown;
}

/** A statement that ran, and how. */
export interface Plan {
  /** Text of the statement. */
  query: string;
  /** Root of the plan. */
  root: PlanNode;
  /** All nodes of the plan, the root first. */
  nodes: PlanNode[];
}

/**
 * Runs `prepare` and `work` in a transaction that is rolled back, and gives the plans of all
 * statements of `work`, those inside functions included (auto_explain).
 *
 * @param url a superuser: nobody else may load auto_explain. Its settings stay when `prepare`
 *   switches to another role.
 */
export async function explain(
  url: string,
  prepare: (client: pg.Client) => Promise<void>,
  work: (client: pg.Client) => Promise<unknown>,
): Promise<Plan[]> {
  return withClient(url, async (client) => {
    await client.query(
      `load 'auto_explain';
       set auto_explain.log_min_duration = 0;
       set auto_explain.log_analyze = on;
       set auto_explain.log_timing = off;
       set auto_explain.log_nested_statements = on;
       set auto_explain.log_format = json;
       set client_min_messages = log`,
    );
    await client.query("begin");
    await prepare(client);
    // A statement's plan comes when the next one begins: this one lets the last of `prepare` out.
    await client.query("savepoint prepared");
    const plans: Plan[] = [];
    client.on("notice", (notice) => {
      const plan = parsePlan(notice);
      if (plan) plans.push(plan);
    });
    await work(client);
    await client.query("rollback");
    return plans;
  });
}

function parsePlan({ message = "" }: { message?: string | undefined }): Plan | undefined {
  const [, json] = /^duration: .*? plan:\n(\{.*)$/s.exec(message) ?? [];
  if (json === undefined) return undefined;
  const { "Query Text": query, Plan: root } = JSON.parse(json) as {
    "Query Text": string;
    Plan: PlanNode;
  };
  return { query, root, nodes: nodesOf(root) };
}

function nodesOf(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)];
}
