/** Names of what happens in any application, for `AuditEvent.action`. */
export const CommonAction = {
  authSignedIn: "auth.signed_in",
  authSignInFailed: "auth.sign_in_failed",
  authSignedOut: "auth.signed_out",
  authPasswordChanged: "auth.password_changed",
  authMfaEnabled: "auth.mfa_enabled",
  authMfaDisabled: "auth.mfa_disabled",
  authImpersonationStarted: "auth.impersonation_started",
  authImpersonationEnded: "auth.impersonation_ended",

  userInvited: "user.invited",
  userCreated: "user.created",
  userUpdated: "user.updated",
  userDeactivated: "user.deactivated",
  userDeleted: "user.deleted",
  profileUpdated: "profile.updated",
  memberRoleChanged: "member.role_changed",
  roleGranted: "role.granted",
  roleRevoked: "role.revoked",
  permissionDenied: "permission.denied",

  settingsChanged: "settings.changed",
  releaseDeployed: "release.deployed",

  reportExported: "report.exported",
  dataExported: "data.exported",
  dataErased: "data.erased",
} as const;

/** The names that editors complete. Whoever has more declares this interface again with them. */
export interface ActionNames {
  common: (typeof CommonAction)[keyof typeof CommonAction];
}

/** An action: one of `ActionNames`, or a name of your own. */
export type AuditActionName = ActionNames[keyof ActionNames] | (string & {});
