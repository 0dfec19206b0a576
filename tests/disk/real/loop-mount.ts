// A small ext4 of its own on a loop device, for root on Linux: it can be filled and frozen without harm to others. While it is frozen every
// write to it waits in the kernel, and who waits cannot be killed: it is always thawed before anything else is done with it.

import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const start = promisify(execFile);
const TOOLS = ['mkfs.ext4', 'mount', 'umount', 'fsfreeze'];

/** Why there can be none here; undefined: there can. */
export function whyNoLoopMount(): string | undefined {
  if (process.platform !== 'linux') return `this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'this is not root';
  const missing = TOOLS.find((tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0);
  return missing === undefined ? undefined : `there is no ${missing}`;
}

export class LoopMount {
  readonly #parent: string = mkdtempSync(join(tmpdir(), 'k1m-mount-'));
  /** Where it is mounted. */
  readonly path: string;
  #isFrozen = false;
  #isOver = false;
  readonly #onExit = (): void => this.remove();

  constructor(mebibytes: number) {
    this.path = join(this.#parent, 'disk');
    const image = join(this.#parent, 'image');
    mkdirSync(this.path);
    writeFileSync(image, '');
    truncateSync(image, mebibytes << 20);
    process.on('exit', this.#onExit);
    run('mkfs.ext4', '-q', '-F', '-m', '0', image);
    run('mount', '-o', 'loop', image, this.path);
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.path);
    return bavail * bsize;
  }

  /** Resolves when it is frozen; it is meant for a caller that measures meanwhile. */
  async freeze(): Promise<void> {
    this.#isFrozen = true;
    await start('fsfreeze', ['-f', this.path]);
  }

  async thaw(): Promise<void> {
    if (!this.#isFrozen) return;
    await start('fsfreeze', ['-u', this.path]);
    this.#isFrozen = false;
  }

  /** Who had it open must be gone. */
  remove(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    process.removeListener('exit', this.#onExit);
    if (this.#isFrozen) spawnSync('fsfreeze', ['-u', this.path]);
    // Lazily where a process is still dying.
    if (spawnSync('umount', [this.path]).status !== 0) spawnSync('umount', ['-l', this.path]);
    rmSync(this.#parent, { recursive: true, force: true });
  }
}

function run(program: string, ...args: string[]): void {
  const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? stderr}`);
}
