import { expect, test } from "vitest";
import { isUuid, isUuid7 } from "../../../src/writer/uuid.js";

test.each([
  { value: "019a7b2e-0000-7000-8000-000000000001", uuid: true, seven: true },
  { value: "019A7B2E-0000-7000-8000-00000000000A", uuid: true, seven: true },
  { value: "a0000000-0000-4000-8000-000000000000", uuid: true, seven: false },
  { value: "00000000-0000-0000-0000-000000000000", uuid: true, seven: false },
  { value: "{019a7b2e-0000-7000-8000-000000000001}", uuid: false, seven: false },
  { value: "019a7b2e-0000-7000-8000-00000000000g", uuid: false, seven: false },
  { value: "", uuid: false, seven: false },
  { value: 7, uuid: false, seven: false },
  { value: null, uuid: false, seven: false },
])("$value", ({ value, uuid, seven }) => {
  expect([isUuid(value), isUuid7(value)]).toEqual([uuid, seven]);
});
