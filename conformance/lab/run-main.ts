/** The end of every script here: what went wrong on stderr, the exit code, and no child that outlives it. */

/** `main` resolves with the exit code; what it rejects with is printed with its causes, and is 1. */
export async function runMain(main: () => Promise<number>): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    // `exit` makes `Children` kill what still runs.
    process.once(signal, () => process.exit(1));
  }
  try {
    process.exitCode = await main();
  } catch (error) {
    for (let cause: unknown = error; cause !== undefined; cause = cause instanceof Error ? cause.cause : undefined) {
      process.stderr.write(`${cause instanceof Error ? cause.message : String(cause)}\n`);
    }
    process.exitCode = 1;
  }
}
