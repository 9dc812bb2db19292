/** Something that is not as it should be. */
export interface Finding {
  /** schema drift, guards, row security, partitions, privileges, membership or roles */
  readonly check: string;
  /** `error` makes the database unsafe or unlike its schema; `warning` is worth a look. */
  readonly level: "error" | "warning";
  /** What was found, in one sentence. */
  readonly message: string;
  /** The statement that mends it, to be run after `set role pgtrail_owner`; null when a person must decide. */
  readonly fix: string | null;
  /** The file of this package that the statement is, when it is one. */
  readonly file?: string;
}
