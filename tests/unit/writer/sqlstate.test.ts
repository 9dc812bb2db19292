import { expect, test } from "vitest";
import { isAboutARow, isPermanent, isSqlstate } from "../../../src/writer/sqlstate.js";

test.each([
  { code: "22P02", row: true, permanent: true, what: "data" },
  { code: "23514", row: true, permanent: true, what: "a constraint" },
  { code: "54000", row: true, permanent: true, what: "a limit of a program" },
  { code: "P0001", row: true, permanent: true, what: "a trigger" },
  { code: "TR004", row: true, permanent: true, what: "a rule of pgtrail" },
  { code: "0A000", row: false, permanent: true, what: "what is not supported" },
  { code: "21000", row: false, permanent: true, what: "cardinality" },
  { code: "42501", row: false, permanent: true, what: "a privilege" },
  { code: "44000", row: false, permanent: true, what: "the check of a view" },
  { code: "08006", row: false, permanent: false, what: "the connection" },
  { code: "25006", row: false, permanent: false, what: "a standby" },
  { code: "28P01", row: false, permanent: false, what: "the login" },
  { code: "40001", row: false, permanent: false, what: "serialisation" },
  { code: "53300", row: false, permanent: false, what: "resources" },
  { code: "57P01", row: false, permanent: false, what: "a shutdown" },
  { code: "XX000", row: false, permanent: false, what: "a fault" },
])("$code, $what", ({ code, row, permanent }) => {
  expect([isSqlstate(code), isAboutARow(code), isPermanent(code)]).toEqual([true, row, permanent]);
});

test.each(["EPIPE", "P1001", "PGRST301", "22P0", ""])("%j is none", (code) => {
  expect([isSqlstate(code), isAboutARow(code), isPermanent(code)]).toEqual([false, false, false]);
});
