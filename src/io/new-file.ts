// A file that is made beside its place and moved there when it is whole: whoever finds the name finds all of it, after a power cut
// too. What stands at `path` until then, or a file that an earlier run left at `part`, is not touched by writing.

import { dirname } from 'node:path';
import type { Disk, DiskFile } from './disk.ts';

export class NewFile {
  readonly file: DiskFile;
  readonly #disk: Disk;
  #isClosed = false;

  private constructor(disk: Disk, file: DiskFile) {
    this.#disk = disk;
    this.file = file;
  }

  /** Rejects with DiskError, also where `part` is there. */
  static async create(disk: Disk, part: string): Promise<NewFile> {
    return new NewFile(disk, await disk.open(part, 'create'));
  }

  /** Its bytes must be durable. It has the name `path`, in the same folder and durably, when this resolves. */
  async publish(path: string): Promise<void> {
    await this.close();
    await this.#disk.rename(this.file.path, path);
    await this.#disk.syncDirectory(dirname(path));
  }

  /** Lets go of it where it is. Once: afterwards the descriptors' numbers may be another file's. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.file.close();
  }

  /** Nothing of it remains, unless it has been published. What the disk says to that matters less than why it is done. */
  async discard(): Promise<void> {
    await this.close().catch(() => {});
    await this.#disk.unlink(this.file.path).catch(() => {});
  }
}
