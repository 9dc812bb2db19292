/** A run of the evaluation of badges, as `badge_evaluation_logs` has it. */
export interface EvaluationLog {
  /** UUIDv7 of the time of the run. By default made at the call. */
  id?: string;
  org_id: string;
  peer_mentor_id: string;
  /** Milliseconds, with fractions; the database rounds up. */
  duration_ms: number;
  /** The activity that triggered the run; left out for a reconciliation. */
  activity_id?: string | null;
  /** Badge definitions that were checked. */
  badges_evaluated?: string[];
  /** Badge definition -> whether its criteria are met. */
  criteria_outcomes?: Record<string, boolean>;
  /** Badges that the run newly awarded; each with an outcome that is true. */
  badges_awarded?: string[];
  /** SQLSTATE, HTTP status or words of `pgtrail.safe_error`; of other text only that it is unknown. */
  error_message?: string | null;
}
