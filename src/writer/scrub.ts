/** What keys look like, and what they become. */
const secrets: readonly [pattern: RegExp, replacement: string][] = [
  // The value of a header or of a setting, whatever it looks like.
  [
    /((?:proxy-)?authorization|(?:x-)?api[-_]?key|service[-_]?role(?:[-_]?key)?|password)(\\?["']?\s*[:=]\s*\\?["']?)(?:(?:bearer|basic|token)\s+)?[^\s"'\\,;&}\])]+/gi,
    "$1$2[redacted]",
  ],
  [/\b(bearer|basic)\s+[\w.~+/=-]{8,}/gi, "$1 [redacted]"],
  // JSON Web Tokens, and the keys of Supabase that are none.
  [/\beyJ[\w-]{5,}(?:\.[\w-]*)*/g, "[redacted]"],
  [/\bsb_(?:secret|publishable)_[\w-]+/g, "[redacted]"],
  // The password in a URL.
  [/(\w:\/\/[^\s/:@]*:)[^\s/@]+@/g, "$1[redacted]@"],
];

/**
 * Takes out of an error message what looks like a key: JSON Web Tokens, `sb_secret_…`, bearer
 * tokens, the values of Authorization and apikey headers, passwords in URLs. Each becomes
 * `[redacted]`.
 */
export function scrubSecrets(text: string): string {
  let scrubbed = text;
  for (const [pattern, replacement] of secrets) scrubbed = scrubbed.replace(pattern, replacement);
  return scrubbed;
}
