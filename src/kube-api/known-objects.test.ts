import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KnownObjects } from './known-objects.ts';
import { keyOf, type ObjectHead } from './object-head.ts';

const RUNS = Number(process.env.K1M_RUNS ?? 200);

/** The same with an object for each. */
class Twin {
  readonly objects = new Map<string, { uid: string; version: string; round: number }>();
  readonly deleted: string[] = [];
  round = 0;

  set(key: string, uid: string, version: string): boolean {
    const known = this.objects.get(key);
    this.objects.set(key, { uid, version, round: this.round });
    if (known !== undefined && known.uid !== uid) this.deleted.push(`${key} ${known.uid}`);
    return known?.uid !== uid || known.version !== version;
  }

  delete(key: string): boolean {
    const known = this.objects.get(key);
    if (known !== undefined) this.deleted.push(`${key} ${known.uid}`);
    return this.objects.delete(key);
  }

  endList(): void {
    for (const [key, { round }] of this.objects) if (round !== this.round) this.delete(key);
  }
}

function headOf(key: string, uid: string, resourceVersion: string): ObjectHead {
  const slash = key.indexOf('/');
  return { namespace: slash < 0 ? '' : key.slice(0, slash), name: key.slice(slash + 1), uid, resourceVersion };
}

const UIDS = [
  '7b0c4f2a-6d1e-4a53-8c90-000000000001',
  '7b0c4f2a-6d1e-4a53-8c90-000000000002',
  '7B0C4F2A-6d1e-4a53-8c90-000000000002',
  '7b0c4f2a-6d1e-4a53-8c90-00000000000g',
  '7b0c4f2a06d1e-4a53-8c90-000000000001',
  '00000000-0000-0000-0000-000000000000',
  'odd',
  '',
];
const VERSIONS = ['0', '1', '01', '17', '999999999999999', '9007199254740993', '9007199254740992', '-1', '1e3', ''];

test('known objects are what a map of objects would say', () => {
  const step = fc.record({
    kind: fc.constantFrom('set', 'set', 'set', 'set', 'delete', 'has', 'keep', 'begin', 'end', 'many'),
    key: fc.constantFrom('default/a', 'default/b', 'team/a', 'node-1'),
    uid: fc.constantFrom(...UIDS),
    version: fc.constantFrom(...VERSIONS),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const twin = new Twin();
      const deleted: string[] = [];
      const known = new KnownObjects(
        (object) => deleted.push(`${keyOf(object)} ${object.uid}`),
        () => 0.5,
      );
      for (const { kind, key, uid, version } of steps) {
        if (kind === 'set') assert.equal(known.set(headOf(key, uid, version)), twin.set(key, uid, version));
        else if (kind === 'delete') assert.equal(known.deleteAt(known.slotOf(key)), twin.delete(key));
        else if (kind === 'has') {
          const slot = known.slotOf(key);
          assert.equal(slot >= 0 && known.isAt(slot, uid), twin.objects.get(key)?.uid === uid);
        } else if (kind === 'keep') {
          known.keepListed(key);
          const kept = twin.objects.get(key);
          if (kept !== undefined) kept.round = twin.round;
        } else if (kind === 'begin') {
          known.beginList();
          twin.round++;
        } else if (kind === 'end') {
          known.endList();
          twin.endList();
        } else
          for (let i = 0; i < 70; i++) {
            assert.equal(known.set(headOf(`${i}`, uid, version)), twin.set(`${i}`, uid, version));
          }
        assert.deepEqual(deleted.splice(0).sort(), twin.deleted.splice(0).sort());
        assert.equal(known.size, twin.objects.size);
      }
    }),
    { numRuns: RUNS },
  );
});
