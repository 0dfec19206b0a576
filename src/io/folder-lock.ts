// One process at a time in a folder, without flock(2), which Node does not offer.
//
// Each claimant binds a listening socket of its own in the folder, `lock.<ticket>.<pid>`, with a random ticket,
// and only then looks at the others'. Whether the owner of a socket lives is asked of the kernel: connect
// succeeds while the owner lives, even stopped or busy, and is refused once it is dead, however it died. This holds
// over pid and network namespaces (two containers on one volume), where a pid file or an abstract socket does not.
//
//   connect refused  the owner is dead (or has not begun to listen: it will see us). Names are never used
//                    twice, so that removing the file takes nobody's lock.
//   answers "held"   it has the folder: we give up.
//   "claiming"       both are starting: the lower ticket wins, the higher gives up.
//
// Why two cannot both hold: of two claimants at least the one that looked later saw the other, since each binds
// before it looks. Why a holder stays visible: it checks that its own file is there before it says "held", and whoever
// might still remove that file was seen claiming and waited for. A lock does not reach over machines: the
// folder must be on a local file system.

import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { DiskError, type DiskLock, FolderLockedError } from './disk.ts';

const NAME = /^lock\.([0-9a-f]{16})\.([0-9]+)$/;
/** Longer socket paths do not fit sockaddr_un everywhere. */
const SOCKET_PATH_BYTES_MAX = 100;
/** How long a live owner may take to say whether it holds; silent is taken as "held". */
const ANSWER_TIMEOUT_MS = 1000;
const WAIT_MS = 10;
/** Waiting for a claimant with a higher ticket to go, before giving up. */
const WAITS_MAX = 500;

type OwnerState = 'dead' | 'claiming' | 'held';

class FolderLock implements DiskLock {
  readonly #folder: string;
  readonly #name: string;
  readonly #server: net.Server;
  readonly #directory: number;
  #state: OwnerState = 'claiming';

  constructor(folder: string, name: string, directory: number) {
    this.#folder = folder;
    this.#name = name;
    this.#directory = directory;
    this.#server = net.createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.end(this.#state);
    });
    this.#server.unref();
  }

  async claim(): Promise<void> {
    await this.#listen();
    for (let waits = 0; await this.#mustWait(); waits++) {
      if (waits >= WAITS_MAX) throw this.#error(new Error('another process keeps starting'));
      await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
    }
    if (!fs.existsSync(join(this.#folder, this.#name))) {
      throw this.#error(new Error('another process started at the same time'));
    }
    this.#state = 'held';
  }

  async release(): Promise<void> {
    fs.rmSync(join(this.#folder, this.#name), { force: true });
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
    fs.closeSync(this.#directory);
  }

  #listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', (cause) => reject(this.#error(cause)));
      this.#server.listen(this.#socketPath(this.#name), resolve);
    });
  }

  /** Looks at all others once. True when one with a higher ticket is still starting. */
  async #mustWait(): Promise<boolean> {
    let isOneClaiming = false;
    for (const name of fs.readdirSync(this.#folder)) {
      const match = NAME.exec(name);
      if (match === null || name === this.#name) continue;
      const state = await this.#stateOf(name);
      if (state === 'dead') fs.rmSync(join(this.#folder, name), { force: true });
      else if (state === 'held' || name < this.#name) throw new FolderLockedError(this.#folder, Number(match[2]));
      else isOneClaiming = true;
    }
    return isOneClaiming;
  }

  #stateOf(name: string): Promise<OwnerState> {
    return new Promise((resolve) => {
      let answer = '';
      const socket = net.connect(this.#socketPath(name));
      socket.setTimeout(ANSWER_TIMEOUT_MS, () => {
        socket.destroy();
        resolve('held');
      });
      socket.on('data', (chunk) => {
        answer += chunk.toString('latin1');
      });
      socket.on('end', () => resolve(answer === 'claiming' ? 'claiming' : 'held'));
      socket.on('error', (cause) => {
        const code = 'code' in cause ? cause.code : '';
        resolve(code === 'ECONNREFUSED' || code === 'ENOENT' ? 'dead' : 'held');
      });
    });
  }

  #socketPath(name: string): string {
    const path = join(this.#folder, name);
    if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX) return path;
    return `/proc/self/fd/${this.#directory}/${name}`;
  }

  #error(cause: Error): DiskError {
    return new DiskError('lock', this.#folder, cause);
  }
}

/** As Disk.lockDirectory says. */
export async function lockFolder(folder: string): Promise<DiskLock> {
  const name = `lock.${randomBytes(8).toString('hex')}.${process.pid}`;
  const lock = new FolderLock(folder, name, openDirectory(folder));
  try {
    await lock.claim();
    return lock;
  } catch (error) {
    await lock.release();
    throw error;
  }
}

function openDirectory(folder: string): number {
  try {
    return fs.openSync(folder, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  } catch (error) {
    throw new DiskError('open', folder, error instanceof Error ? error : new Error(String(error)));
  }
}
