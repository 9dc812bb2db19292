import { type Random, seededRandom, uuid4 } from "./random.js";

export type MemberRole = "peer_mentor" | "coordinator" | "chapter_admin" | "org_admin";

export interface Person {
  /** Subject of the person's token. */
  id: string;
  name: string;
  role: MemberRole;
}

export interface Organisation {
  id: string;
  name: string;
  coordinators: readonly Person[];
  admins: readonly Person[];
  mentors: readonly Person[];
}

/** The sample platform: three organisations of peer mentors. The same seed gives the same ids. */
export function samplePlatform(seed: number): Organisation[] {
  const random = seededRandom(seed);
  return [
    { name: "Nordlys likepersonforening", mentors: 90, coordinators: 4 },
    { name: "Fjordvakt likepersontjeneste", mentors: 66, coordinators: 3 },
    { name: "Havblikk mestringsforbund", mentors: 44, coordinators: 3 },
  ].map(({ name, mentors, coordinators }) => ({
    id: uuid4(random),
    name,
    coordinators: people(coordinators, "coordinator", random),
    admins: [...people(1, "org_admin", random), ...people(1, "chapter_admin", random)],
    mentors: people(mentors, "peer_mentor", random),
  }));
}

/** Everybody who belongs to an organisation. */
export function members(organisation: Organisation): Person[] {
  return [...organisation.coordinators, ...organisation.admins, ...organisation.mentors];
}

function people(count: number, role: MemberRole, random: Random): Person[] {
  return Array.from({ length: count }, () => ({
    id: uuid4(random),
    name: `${random.pick(FIRST_NAMES)} ${random.pick(LAST_NAMES)}`,
    role,
  }));
}

const FIRST_NAMES = (
  "Anne Bjørn Camilla Dag Eirik Elin Frode Gunnar Guro Hanne Henrik Håkon Ida Ingrid Ivar Jorunn " +
  "Kari Kjetil Lars Liv Magnus Marit Morten Nina Odd Oddny Per Ragnhild Randi Sigrid Silje Sindre " +
  "Solveig Stian Tone Tor Torunn Vegard Wenche Øystein Åse"
).split(" ");

const LAST_NAMES = (
  "Aasen Bakke Berg Bråten Dahl Eide Eliassen Foss Fredriksen Gjerde Hagen Haugen Hauge Holm " +
  "Iversen Jacobsen Kleven Knutsen Lie Lund Lunde Moen Myhre Nygård Næss Opdal Rønning Sand " +
  "Solberg Solheim Strand Sunde Sæther Tangen Thorsen Tveit Ulriksen Vik Viken Ødegård Ås"
).split(" ");
