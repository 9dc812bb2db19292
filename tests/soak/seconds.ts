/** How long a soak lasts: `PGTRAIL_SOAK_SECONDS`, by default 60. */
export const soakSeconds = Number(process.env.PGTRAIL_SOAK_SECONDS ?? 60);
if (!(soakSeconds > 0)) {
  throw new Error(
    `PGTRAIL_SOAK_SECONDS is "${process.env.PGTRAIL_SOAK_SECONDS}": set it to a number of seconds`,
  );
}
