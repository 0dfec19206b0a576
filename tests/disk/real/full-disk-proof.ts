// A real disk that runs full: by the server's own writes, then by somebody else's to the last byte.

import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StatusError } from '../../../src/api/errors.ts';
import * as methods from '../../../src/api/methods.ts';
import { keyBytes } from '../../../src/client/key-range.ts';
import { DiskLab, mebibytes, sleep } from './disk-lab.ts';

const DISK_MIB = 320;
const RESERVE_BYTES = 48 << 20;
const VALUE_BYTES = 32 << 10;
const IN_FLIGHT = 8;
const FILLS = 30;
const RECOVERY_MS_MAX = 30_000;
const NO_SPACE = 'database space exceeded';

/** What does not hold. */
export async function proveFullDisk(port: number): Promise<readonly string[]> {
  process.stdout.write(`full disk: ext4 of ${DISK_MIB} MiB on a loop device, reserve ${mebibytes(RESERVE_BYTES)}\n`);
  const flags = ['--disk-reserve-bytes', `${RESERVE_BYTES}`, '--snapshot-log-bytes', `${16 << 20}`];
  const lab = new DiskLab({ mebibytes: DISK_MIB, port, flags });
  try {
    await lab.start();
    await new FullDiskProof(lab).run();
  } finally {
    await lab.close();
  }
  return lab.problems;
}

class FullDiskProof {
  readonly #lab: DiskLab;
  #keys = 0;
  #fillers = 0;

  constructor(lab: DiskLab) {
    this.#lab = lab;
  }

  async run(): Promise<void> {
    const lab = this.#lab;
    await this.#writeUntilRefused();
    lab.check(lab.mount.freeBytes > 0, 'there is room left when writes are refused');
    lab.say(`refused with NOSPACE after ${this.#keys} puts of 32 KiB: ${mebibytes(lab.mount.freeBytes)} free`);
    await this.#checkAlarm(true);
    await this.#read();
    // What the server makes free meanwhile, by cutting off its log, is taken as well.
    for (let i = 0; i < FILLS; i++) {
      this.#fill();
      await sleep(100);
    }
    await this.#read();
    const leftBytes = lab.mount.freeBytes;
    lab.check((await this.#put()) !== undefined, 'a put is refused while there is no room');
    lab.check(lab.isAlive, 'the server lives on a disk without a free byte');
    this.#free();
    lab.say(
      `filled by others for ${FILLS / 10} s, ${leftBytes} bytes left: reads answered, writes refused, the server lives`,
    );
    await sleep(1_500);
    await this.#makeRoom();
    await this.#writeUntilTaken();
    await this.#checkAlarm(false);
    await lab.killAndCompare();
  }

  async #writeUntilRefused(): Promise<void> {
    let isRefused = false;
    const write = async (): Promise<void> => {
      while (!isRefused) {
        const refusal = await this.#put();
        if (refusal !== undefined) isRefused = true;
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, write));
  }

  /** The text of a refusal for want of room. */
  async #put(): Promise<string | undefined> {
    const { client, acknowledged } = this.#lab;
    const key = `k${String(this.#keys++).padStart(6, '0')}`;
    const value = `${key}${'x'.repeat(VALUE_BYTES)}`;
    try {
      await client.put(key, value);
      acknowledged.set(key, value);
      return undefined;
    } catch (error) {
      if (!(error instanceof StatusError) || !error.message.includes(NO_SPACE)) throw error;
      this.#keys--;
      return error.message;
    }
  }

  async #checkAlarm(isExpected: boolean): Promise<void> {
    const { alarms } = await this.#lab.client.call(methods.alarm, {});
    this.#lab.check(
      alarms.length > 0 === isExpected,
      `alarms while ${isExpected ? 'full' : 'there is room'}: ${alarms.length}`,
    );
  }

  async #read(): Promise<void> {
    const { client, acknowledged } = this.#lab;
    let longestMs = 0;
    for (const [key, value] of [...acknowledged].slice(-200)) {
      const startedMs = performance.now();
      const found = await client.get(key);
      longestMs = Math.max(longestMs, performance.now() - startedMs);
      this.#lab.check(Buffer.from(found?.value ?? []).toString() === (value ?? ''), `${key} is read as it was written`);
    }
    this.#lab.say(`200 reads, the longest ${longestMs.toFixed(1)} ms`);
  }

  /** Somebody else takes all that is left. */
  #fill(): void {
    for (let bytes = 16 << 20; bytes >= 512; ) {
      try {
        writeFileSync(join(this.#lab.mount.path, `filler-${this.#fillers++}`), Buffer.alloc(bytes));
      } catch {
        bytes >>= 1;
      }
    }
  }

  #free(): void {
    for (let i = 0; i < this.#fillers; i++) rmSync(join(this.#lab.mount.path, `filler-${i}`), { force: true });
  }

  /** Deletes nearly all and compacts, as an operator would. */
  async #makeRoom(): Promise<void> {
    const { client, acknowledged, mount } = this.#lab;
    const keys = [...acknowledged.keys()];
    const deleted = keys.slice(0, Math.floor(keys.length * 0.9));
    const startedMs = performance.now();
    for (const key of deleted) {
      await client.deleteRange({ key: keyBytes(key) });
      acknowledged.set(key, undefined);
    }
    const { header } = await client.put('k000000', 'again').catch(() => client.range({ key: keyBytes('k') }));
    await client.compact(header?.revision ?? 0, true);
    const seconds = (performance.now() - startedMs) / 1000;
    this.#lab.say(
      `${deleted.length} deletes and a compaction took ${seconds.toFixed(1)} s: ${mebibytes(mount.freeBytes)} free`,
    );
    if (acknowledged.get('k000000') === undefined) acknowledged.delete('k000000');
  }

  async #writeUntilTaken(): Promise<void> {
    const { mount } = this.#lab;
    const startedMs = performance.now();
    while ((await this.#put()) !== undefined) {
      if (performance.now() - startedMs > RECOVERY_MS_MAX) {
        this.#lab.check(false, `writes are taken again within ${RECOVERY_MS_MAX / 1000} s`);
        return;
      }
      await sleep(50);
    }
    const seconds = (performance.now() - startedMs) / 1000;
    this.#lab.say(
      `writes taken again ${seconds.toFixed(1)} s later, without a restart: ${mebibytes(mount.freeBytes)} free`,
    );
    for (let i = 0; i < 100; i++) await this.#put();
  }
}
