/**
 * pgtrail as a library: applies the migrations from a program, tells its errors apart, and types
 * the database for supabase-js. Everything else is SQL; docs/sql-api.md lists it.
 *
 * @packageDocumentation
 */

export { type MigrateOptions, migrate, migrationsDirectory } from "./database/migrate.js";
export type { Database } from "./database/types.js";
export { AuditAction } from "./domain/audit_action.js";
export { PGTRAIL_ERRORS } from "./errors/sqlstates.js";
export { UserError } from "./errors/user_error.js";
export * from "./writer/index.js";
