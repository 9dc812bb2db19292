import { expect, test } from "vitest";
import { insertWithin } from "../../../src/writer/within_transaction.js";
import { entryWith } from "../../harness/entries.js";
import { pgError } from "./fake_transport.js";

/** A client on which statements fail, by the word that they begin with. */
function clientWith(failures: Record<string, Error>) {
  const statements: string[] = [];
  const client = {
    async query(text: string) {
      const [word = ""] = text.split(" ");
      statements.push(word);
      if (failures[word]) throw failures[word];
    },
  };
  return { client, statements };
}

test("inserts behind a savepoint", async () => {
  const { client, statements } = clientWith({});
  expect(await insertWithin(client, entryWith("a"))).toBeUndefined();
  expect(statements).toEqual(["savepoint", "insert", "release"]);
});

test("goes back to the savepoint when it is refused, also for another key than the id", async () => {
  const { client, statements } = clientWith({ insert: pgError("23505") });
  expect(await insertWithin(client, entryWith("a"))).toEqual({
    failure: { kind: "permanent", code: "23505", message: "duplicate key" },
    lost: false,
  });
  expect(statements).toEqual(["savepoint", "insert", "rollback", "release"]);
});

test("tells when the transaction is lost", async () => {
  const gone = pgError("08006", "connection lost");
  const { client } = clientWith({ insert: gone, rollback: gone });
  expect(await insertWithin(client, entryWith("a"))).toMatchObject({
    failure: { code: "08006", message: "the transaction is lost: connection lost" },
    lost: true,
  });
});

test("without a transaction there is none to lose", async () => {
  const { client, statements } = clientWith({ savepoint: pgError("25P01") });
  expect(await insertWithin(client, entryWith("a"))).toMatchObject({ lost: false });
  expect(statements).toEqual(["savepoint"]);
});
