export { type TestCluster, useCluster } from "./cluster.js";
export { type TestDatabase, type TransactionOptions, useDatabase } from "./database.js";
export { eachPage, type Filters, getPage, type Row } from "./pages.js";
export { ids, type Persona, type PersonaName, personas } from "./personas.js";
export type { Plan, PlanNode } from "./plans.js";
export { sqlstate } from "./sqlstate.js";
export { type LoginRole, withClient } from "./template.js";
export {
  type Entry,
  insertEntries,
  newCoordinator,
  newOrganisation,
  prepareBackfill,
  type Trail,
  type TrailName,
  trailNames,
  trailOf,
  trails,
  uncaptured,
} from "./trails.js";
