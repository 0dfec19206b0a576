// What an inquiry is refused for: each text is for the user, and one line.

/** The cluster cannot be read; the text says why. */
export class ClusterReadingError extends Error {
  override readonly name = 'ClusterReadingError';
}

/** The text is not what it should be. */
export class ManifestError extends Error {
  override readonly name = 'ManifestError';
}

/** `who` is for a scheduler that none of the profiles has the name of. */
export function otherScheduler(who: string, schedulerName: string, names: readonly string[]): InquiryError {
  return new InquiryError(
    `${who} is for scheduler ${JSON.stringify(schedulerName)}, which is none of the profiles here (${names.join(', ')}): use --config or --scheduler-name`,
  );
}

/** It cannot be explained; the text says what to do. */
export class InquiryError extends Error {
  override readonly name = 'InquiryError';
}
