import { CommonAction } from "../writer/common_action.js";

/**
 * Names of what happens, for `AuditEvent.action`: the subject, a full stop, and what became of it.
 * Names of your own stand beside them, 1 to 200 characters long; keep to the same form, as filters
 * by action compare whole names.
 */
export const AuditAction = {
  ...CommonAction,

  /** The web portal of the association. `attempted` is followed by one of the others. */
  websiteSyncAttempted: "website.sync_attempted",
  websiteSyncSucceeded: "website.sync_succeeded",
  websiteSyncFailed: "website.sync_failed",
  /** Given up after the last retry. */
  websiteSyncDeadLettered: "website.sync_dead_lettered",
  /** Sent by hand, ahead of its turn. */
  websiteSyncForced: "website.sync_forced",
  /** Done against a rule, by whoever answers for it. */
  websiteBreakGlass: "website.break_glass",
  websiteRemoved: "website.removed",
  websiteRestored: "website.restored",

  certificateIssued: "certificate.issued",
  certificateRenewed: "certificate.renewed",
  certificateNotified: "certificate.notified",
  certificateReminderSent: "certificate.reminder_sent",
  certificateAcknowledged: "certificate.acknowledged",
  certificateLapsed: "certificate.lapsed",
  /** What its lapse causes is held back, or takes place again. */
  certificateSuppressed: "certificate.suppressed",
  certificateRestored: "certificate.restored",

  badgeEvaluated: "badge.evaluated",
  badgeAwarded: "badge.awarded",
  badgeRevoked: "badge.revoked",

  mentorRegistered: "mentor.registered",
  mentorDeactivated: "mentor.deactivated",
  activityLogged: "activity.logged",
  activityCorrected: "activity.corrected",
} as const;

declare module "../writer/common_action.js" {
  interface ActionNames {
    domain: (typeof AuditAction)[keyof typeof AuditAction];
  }
}
