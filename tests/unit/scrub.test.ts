import { expect, test } from "vitest";
import { scrubSecrets } from "../../src/writer/scrub.js";

const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.c2lnbmF0dXJl_-c2lnbmF0dXJl";

test.each([
  [`invalid token ${jwt}.`, "invalid token [redacted]"],
  [`JWT "${jwt.slice(0, 40)}" is cut`, 'JWT "[redacted]" is cut'],
  ["key sb_secret_abcDEF-12_3 is revoked", "key [redacted] is revoked"],
  ["key sb_publishable_abc is revoked", "key [redacted] is revoked"],
  [`headers: {"authorization":"Bearer ${jwt}"}`, 'headers: {"authorization":"[redacted]"}'],
  ["Authorization: Basic aWRhOnNlY3JldA==", "Authorization: [redacted]"],
  ["sent 'apikey': 'opaque-1234', and more", "sent 'apikey': '[redacted]', and more"],
  ["GET /rest/v1/?apikey=opaque&select=id", "GET /rest/v1/?apikey=[redacted]&select=id"],
  ["X-Api-Key=opaque", "X-Api-Key=[redacted]"],
  ["SUPABASE_SERVICE_ROLE_KEY=opaque", "SUPABASE_SERVICE_ROLE_KEY=[redacted]"],
  ["token was Bearer abcdefgh12345678", "token was Bearer [redacted]"],
  ["at postgres://svc:hush@db:5432/app", "at postgres://svc:[redacted]@db:5432/app"],
  ['{\\"apikey\\":\\"opaque\\"}', '{\\"apikey\\":\\"[redacted]\\"}'],
])("%s", (text, scrubbed) => {
  expect(scrubSecrets(text)).toBe(scrubbed);
});

test.each([
  'new row for relation "audit_log" violates check constraint "id_is_uuid_v7"',
  "permission denied for table audit_log",
  "Invalid API key",
  'password authentication failed for user "svc"',
  "connect ECONNREFUSED 127.0.0.1:5432",
  "error sending request for url (http://127.0.0.1:1/rest/v1/audit_log?on_conflict=id)",
])("leaves alone what is no secret: %s", (text) => {
  expect(scrubSecrets(text)).toBe(text);
});
