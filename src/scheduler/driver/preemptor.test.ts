import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { DoneOutcome, KubeApi } from '../../kube-api/kube-api.ts';
import { SimulatedClock } from '../../testing/clock.ts';
import { Preemptor, type Victim } from './preemptor.ts';

const VICTIMS_MAX = 10_000;

it('a preemptor that has had no room says so when it has, though every victim was seen to leave before', async () => {
  const deletions: (() => void)[] = [];
  const api: Partial<KubeApi> = {
    deletePod: () => new Promise<DoneOutcome>((resolve) => deletions.push(() => resolve({ kind: 'done' }))),
  };
  let rooms = 0;
  const preemptor = new Preemptor({
    api: api as KubeApi,
    clock: new SimulatedClock(),
    leadsUntilMs: () => Number.POSITIVE_INFINITY,
    onPreempted: () => {},
    onHasRoom: () => rooms++,
    onEnd: () => {},
  });
  const victims = Array.from(
    { length: VICTIMS_MAX },
    (_, n): Victim => ({ namespace: 'default', name: `v${n}`, uid: `v${n}`, isPreempted: true }),
  );
  const by = { namespace: 'default', name: 'p', uid: 'p', schedulerName: 's' };
  preemptor.start({ preemptor: by, nodeName: 'n', victims, isNominationUnseen: false });
  for (const { uid } of victims) preemptor.seen(uid);
  await new SimulatedClock().pass(0);
  assert.equal(preemptor.hasRoom, false);
  assert.equal(rooms, 0);
  deletions.shift()?.();
  await new SimulatedClock().pass(0);
  assert.equal(preemptor.hasRoom, true);
  assert.equal(rooms, 1);
  preemptor.close();
});
