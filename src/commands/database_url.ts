import { Option } from "commander";

/** The option that every command has which works on a database. */
export function databaseUrlOption(): Option {
  return new Option("--database-url <url>", "the database, as postgresql://user:password@host/name")
    .env("DATABASE_URL")
    .makeOptionMandatory();
}
