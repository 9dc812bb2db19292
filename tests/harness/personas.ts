/**
 * Identifiers that every test database knows. `tests.sql` holds the same ones for pgTAP files;
 * a test keeps the two equal.
 */
export const ids = {
  organisationA: "a0000000-0000-4000-8000-000000000000",
  organisationB: "b0000000-0000-4000-8000-000000000000",
  platformOrganisation: "00000000-0000-0000-0000-000000000000",
  coordinatorA: "a0000000-0000-4000-8000-000000000001",
  peerMentorA: "a0000000-0000-4000-8000-000000000002",
  chapterAdminA: "a0000000-0000-4000-8000-000000000003",
  orgAdminA: "a0000000-0000-4000-8000-000000000004",
  coordinatorB: "b0000000-0000-4000-8000-000000000001",
  coordinatorOfBoth: "c0000000-0000-4000-8000-000000000001",
  outsider: "d0000000-0000-4000-8000-000000000001",
} as const;

/** Whom a request comes from, as PostgREST sees it: a database role and the claims of a token. */
export interface Persona {
  /** Database role that the request runs as. */
  role: "anon" | "authenticated" | "service_role" | "pgtrail_auditor";
  /** Claims of the token, put into `request.jwt.claims`. */
  claims: Record<string, unknown>;
}

function user(id: string): Persona {
  return { role: "authenticated", claims: { sub: id, role: "authenticated" } };
}

function withoutUser(role: Persona["role"]): Persona {
  return { role, claims: { role } };
}

/** The personas by name. Memberships of the users are in every test database. */
export const personas = {
  coordinatorA: user(ids.coordinatorA),
  peerMentorA: user(ids.peerMentorA),
  chapterAdminA: user(ids.chapterAdminA),
  orgAdminA: user(ids.orgAdminA),
  coordinatorB: user(ids.coordinatorB),
  /** A coordinator in organisation A and in organisation B. */
  coordinatorOfBoth: user(ids.coordinatorOfBoth),
  /** A user with a valid token and no membership. */
  outsider: user(ids.outsider),
  auditor: withoutUser("pgtrail_auditor"),
  service: withoutUser("service_role"),
  anon: withoutUser("anon"),
} satisfies Record<string, Persona>;

/** Name of one of the `personas`. */
export type PersonaName = keyof typeof personas;
