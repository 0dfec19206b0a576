import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { etcdSnapshot, MemoryFile } from '../bolt/bolt-fixture.ts';
import { Restorer } from '../etcd/restorer.ts';
import { CorruptionError, ForeignLogError } from '../journal/errors.ts';
import { Lessor } from '../lease/lessor.ts';
import { Store } from '../store/store.ts';
import { RecordingVisitor } from '../testing/journal-fixture.ts';
import { BackendReader, type BackendVisitor } from './backend-reader.ts';
import { withoutHash } from './snapshot-file.ts';

class Recorder extends RecordingVisitor implements BackendVisitor {
  onRevision(main: number): void {
    this.lines.push(`revision ${main}`);
  }
}

/** A store that is filled as it would be at the start on the restored log. */
class StoreFiller extends Restorer implements BackendVisitor {
  onRevision(): void {}
}

const NO_PAUSE = (): undefined => undefined;

async function read(content: Buffer, visitor: BackendVisitor, toRevision?: number): Promise<BackendReader> {
  const reader = await BackendReader.open(withoutHash(new MemoryFile(content)));
  await reader.read(visitor, NO_PAUSE, toRevision);
  return reader;
}

const headsOf = (lines: readonly string[]): string[] => lines.map((line) => line.split(' ').slice(0, 2).join(' '));

describe("etcd's backend", () => {
  it('is read as effects: leases, versions in order, the compaction where it belongs', async () => {
    const visitor = new Recorder();
    const reader = await read(etcdSnapshot(), visitor);
    const expected = [
      `grant ${0x390da210bd408e03n}`,
      ...['revision 2', 'put 0', 'revision 3', 'put 0', 'revision 4', 'put 0', 'revision 5', 'put 0', 'compact 5'],
      ...['revision 6', 'put 0', 'revision 7', 'delete 7', 'revision 8', 'put 0'],
    ];
    assert.deepEqual(headsOf(visitor.lines), expected);
    assert.equal(reader.revision, 8);
    const { storageVersion, compactRevision, consistentIndex, voterCount } = reader.state;
    assert.deepEqual([storageVersion, compactRevision, consistentIndex, voterCount], ['3.7.0', 5, 14, 1]);
  });

  it('is read up to a revision', async () => {
    const visitor = new Recorder();
    assert.equal((await read(etcdSnapshot(), visitor, 6)).revision, 6);
    assert.deepEqual(headsOf(visitor.lines).slice(-2), ['revision 6', 'put 0']);
  });

  it('survives any damage: it gives effects that a store takes, or says where it is damaged', async () => {
    const content = etcdSnapshot();
    // What is zero is mostly nothing; page 2 and those behind it hold the buckets.
    const used = [...content.keys()].slice(8192, -32).filter((at) => content[at] !== 0);
    const place = fc.constantFrom(...used);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(place, fc.nat(255)), { minLength: 1, maxLength: 3 }), async (changes) => {
        const damaged = Buffer.from(content);
        for (const [at, byte] of changes) damaged[at] = byte;
        const store = new Store();
        const filler = new StoreFiller(store, new Lessor(store, 1), () => 0);
        try {
          const reader = await read(damaged, filler);
          filler.finish(reader.revision, true);
        } catch (error) {
          assert(error instanceof CorruptionError || error instanceof ForeignLogError, String(error));
        }
      }),
      { numRuns: 300 },
    );
  });
});
