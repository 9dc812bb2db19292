/**
 * The layers of pgtrail, each on top of those before it, and the migrations that install them: which
 * sources of sql/ each has, in the order of application. A folder stands for the files in and below
 * it that no other entry names. A team may stop behind any layer but must not leave one out.
 */
export const LAYERS = [
  {
    name: "core",
    migrations: {
      core_roles_and_schemas: ["setup/roles_and_schemas.sql"],
      core_types: [
        "setup/schema_privileges.sql",
        "types/core.sql",
        "functions/core/errors/",
        "types/safe_error.sql",
      ],
      core_tables: [
        // Defaults of the tables call them.
        "functions/core/ids/",
        "tables/core/trails.sql",
        "tables/core/log.sql",
        "tables/core/summaries.sql",
        "tables/core/retention.sql",
        "tables/core/archive.sql",
        "tables/core/capture.sql",
        "tables/core/alerts.sql",
        "tables/core/membership.sql",
      ],
      core_functions: ["functions/core/", "policies/core/"],
      core_jobs: ["setup/jobs.sql"],
    },
  },
  {
    name: "audit_log",
    migrations: {
      organisations: ["tables/organisations.sql", "policies/organisations/"],
      audit_log: ["tables/audit_log.sql", "functions/audit_log/", "setup/audit_log.sql"],
    },
  },
  {
    name: "certification",
    migrations: {
      certification: [
        "types/certification.sql",
        "tables/certification.sql",
        "functions/certification/",
        "setup/certification.sql",
      ],
    },
  },
  {
    name: "sync",
    migrations: {
      sync: ["types/sync.sql", "tables/sync.sql", "functions/sync/", "setup/sync.sql"],
    },
  },
  {
    name: "badges",
    migrations: {
      badges: ["functions/badges/", "types/badges.sql", "tables/badges.sql", "setup/badges.sql"],
    },
  },
] as const;

/** Migrations that the migrating role runs as itself: it makes the owner, and pg_cron runs its jobs. */
export const AS_MIGRATING_ROLE: readonly string[] = ["core_roles_and_schemas", "core_jobs"];
