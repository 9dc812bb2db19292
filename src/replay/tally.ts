/** Problems that are told one by one; the rest is counted. */
const MAX_PROBLEMS = 100;

/** Something that is left behind, and where it was read. */
export interface Problem {
  file: string;
  /** From 1. */
  line: number;
  id: string | null;
  kind: "redacted" | "refused" | "conflict";
  reason: string;
}

/** What a replay found and did. Each failure is in one of the counts below `failures`. */
export interface Tally {
  /** Lines read. */
  lines: number;
  /** Distinct failures. */
  failures: number;
  inserted: number;
  alreadyThere: number;
  redacted: number;
  refused: number;
  conflicts: number;
  /** The first hundred. */
  problems: Problem[];
}

export function newTally(): Tally {
  return {
    lines: 0,
    failures: 0,
    inserted: 0,
    alreadyThere: 0,
    redacted: 0,
    refused: 0,
    conflicts: 0,
    problems: [],
  };
}

/** Counts something that is left behind. */
export function addProblem(tally: Tally, problem: Problem): void {
  tally.failures++;
  tally[problem.kind === "conflict" ? "conflicts" : problem.kind]++;
  if (tally.problems.length < MAX_PROBLEMS) tally.problems.push(problem);
}

/** How many failures of the files are still not in the database. */
export function leftBehind({ redacted, refused, conflicts }: Tally): number {
  return redacted + refused + conflicts;
}
