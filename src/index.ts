/**
 * pgtrail as a library: applies the migrations from a program, tells its errors apart, and types
 * the database for supabase-js. Everything else is SQL; docs/sql-api.md lists it.
 *
 * @packageDocumentation
 */
export type { Database } from "./database_types.js";
export { PGTRAIL_ERRORS, UserError } from "./errors.js";
export { type MigrateOptions, migrate, migrationsDirectory } from "./migrate.js";
export * from "./writer/index.js";
