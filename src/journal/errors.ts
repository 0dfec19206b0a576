// What can be wrong with a log that is opened. Nothing on the disk has been changed when one of these is thrown.

/** Bytes that had been made durable are not what was written. */
export class CorruptionError extends Error {
  override readonly name = 'CorruptionError';
  readonly file: string;
  readonly offset: number;
  readonly reason: string;

  constructor(file: string, offset: number, reason: string) {
    super(`${file} is damaged at byte ${offset}: ${reason}`);
    this.file = file;
    this.offset = offset;
    this.reason = reason;
  }
}

/** The log is sound as far as one can tell, but not one that this program may open. */
export class ForeignLogError extends Error {
  override readonly name = 'ForeignLogError';
  readonly path: string;

  constructor(path: string, reason: string) {
    super(`${path} ${reason}`);
    this.path = path;
  }
}
