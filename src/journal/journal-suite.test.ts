// The log on local files passes the suite of every engine, on disks that take direct writes and on such that do not.

import { JournalFixture } from '../testing/journal-fixture.ts';
import { type JournalBench, SUITE_LIMITS, testJournal } from '../testing/journal-suite.ts';
import { Random } from '../testing/random.ts';

const RUNS = Number(process.env.K1M_RUNS ?? 50);
const FIRST = Number(process.env.K1M_SEED ?? new Random(20_260_101).uint32());
const SEEDS: readonly number[] = Array.from({ length: RUNS }, (_, i) => FIRST + i);

class FileBench extends JournalFixture implements JournalBench {
  kill(): void {
    this.disk.kill();
  }

  cutPower(): void {
    this.disk.crash();
  }

  failAppend(): void {
    for (const operation of ['write', 'writeDurable'] as const) {
      this.disk.faults.push({ operation, pathPart: '.wal', times: 1, code: 'EIO' });
    }
  }

  stall(ms: number): void {
    for (const operation of ['write', 'writeDurable', 'datasync'] as const) {
      this.disk.faults.push({ operation, pathPart: '.wal', times: 1, delayMs: ms });
    }
  }
}

for (const directBlock of [0, 512, 4096]) {
  const way = directBlock === 0 ? 'through the page cache' : `direct, by ${directBlock} bytes`;
  const benchOf = (seed: number): JournalBench => {
    const limits = { ...SUITE_LIMITS, segmentBytesMax: 9000, reserveBytes: seed % 2 === 0 ? 0 : 700 };
    return new FileBench({ seed, disk: { latencyMsMax: 6, directBlock }, limits });
  };
  testJournal(`files, ${way}`, benchOf, SEEDS);
}
