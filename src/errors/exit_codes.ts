/** Exit code when something was verified and is not what it should be. 0, 1 and 2 are those of every command. */
export const VERIFICATION_FAILED = 3;

/** Lines of --help. */
export const EXIT_CODES =
  "\nExit codes: 0 done, 1 something is wrong, 2 usage, 3 verification failed.";
