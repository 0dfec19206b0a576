// Whatever lets a waiting pod in wakes it: what a command says that it has changed has an event that a plugin which refused the pod waits for.
// The other way round: what cannot let anybody in wakes nobody.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Kernel } from '../kernel/kernel.ts';
import { type ClusterChange, NO_CHANGE, POD_REMOVED } from '../model/cluster-change.ts';
import { boundTo, type ClusterCommand } from '../model/command.ts';
import { clusterHistory } from '../model/history-fixture.ts';
import type { PodObject } from '../model/pod-object.ts';
import { PROFILES } from '../model/profile-fixture.ts';
import { FILTER_PLUGINS } from '../model/scheduler-profile.ts';
import { type ClusterEvent, eventsOf, mayHelp, type StorageEvent } from '../queue/cluster-event.ts';
import { CLUSTER_SITUATIONS } from './cluster-situations-fixture.ts';
import { isStorage } from './pod-volumes.ts';
import { node, pod, type Situations } from './situation-fixture.ts';
import { StorageEvents } from './storage-events.ts';
import { VOLUME_SITUATIONS } from './volume-situations-fixture.ts';

const ANY_CHANGE: ClusterChange = ~0;
const OF_STORAGE: Readonly<Record<StorageEvent, true>> = {
  'claim-changed': true,
  'volume-changed': true,
  'storage-class-changed': true,
  'csi-node-changed': true,
  'csi-driver-changed': true,
  'capacity-grown': true,
  'attachment-removed': true,
};
const EVENTS: readonly ClusterEvent[] = [...eventsOf(ANY_CHANGE), ...(Object.keys(OF_STORAGE) as StorageEvent[])];
const SITUATIONS: Situations = { ...CLUSTER_SITUATIONS, ...VOLUME_SITUATIONS };
const RUNS = Number(process.env.K1M_RUNS ?? 150);
interface Waiting {
  readonly pod: PodObject;
  readonly plugins: ReadonlySet<string>;
  /** Since it was refused. */
  readonly events: Set<ClusterEvent>;
}

class Watch {
  readonly kernel = new Kernel(PROFILES);
  readonly waiting = new Map<string, Waiting>();
  /** Of each pod that was let in, the interests of which one is enough to wake it. */
  readonly wokenBy: string[][] = [];
  readonly #storage = new StorageEvents({
    wake: (event) => this.#wake(event),
    wakePods: (uids, event) => {
      for (const uid of uids) this.waiting.get(uid)?.events.add(event);
    },
  });

  apply(command: ClusterCommand): void {
    // A nomination that goes gives back room; its pod is not on a node yet.
    const change = this.kernel.apply(command) | (isOfNominated(command) ? POD_REMOVED : NO_CHANGE);
    if (isOfStorage(command)) this.#tellStorage(command);
    else this.#tell(change);
    for (const [uid, { pod, plugins, events }] of [...this.waiting]) {
      const isBound = this.decide(pod);
      if (!isBound) continue;
      const interests = [...plugins].flatMap((plugin) =>
        [...events].filter((one) => mayHelp(one, plugin)).map((one) => `${plugin} ${one}`),
      );
      this.wokenBy.push(interests);
      assert.ok(
        plugins.size === 0 || interests.length > 0,
        `${uid}, refused by ${[...plugins]}, is let in by ${[...events]}`,
      );
    }
  }

  /** True: it is on a node now. */
  decide(pod: PodObject): boolean {
    const { uid } = pod;
    this.waiting.delete(uid);
    this.#storage.add(pod);
    this.kernel.apply({ kind: 'pod-set', pod });
    const decision = this.kernel.decide(uid);
    if (decision.kind === 'unschedulable') {
      this.waiting.set(uid, { pod, plugins: decision.plugins, events: new Set() });
      return false;
    }
    if (decision.kind !== 'bound') {
      this.kernel.apply({ kind: 'pod-deleted', uid });
      return false;
    }
    this.#tell(this.kernel.apply({ kind: 'pod-set', pod: boundTo(pod, decision.node) }));
    return true;
  }

  #tell(change: ClusterChange): void {
    for (const event of eventsOf(change)) this.#wake(event);
  }

  #tellStorage(command: StorageCommand): void {
    if (command.kind === 'object-set') this.#storage.set(command.object);
    else this.#storage.deleted(command.objectKind, command.key);
  }

  #wake(event: ClusterEvent): void {
    for (const { events } of this.waiting.values()) events.add(event);
  }
}

type StorageCommand = ClusterCommand & { readonly kind: 'object-set' | 'object-deleted' };

function isOfStorage(command: ClusterCommand): command is StorageCommand {
  if (command.kind === 'object-set') return isStorage(command.object.kind);
  return command.kind === 'object-deleted' && isStorage(command.objectKind);
}

function isOfNominated(command: ClusterCommand): boolean {
  return command.kind === 'pod-deleted' || (command.kind === 'pod-set' && command.pod.nodeName === '');
}

describe('what wakes a pod that waits', () => {
  for (const [plugin, situations] of Object.entries(SITUATIONS)) {
    for (const [name, event, before, waits, then] of situations) {
      it(`is an event of ${plugin}: ${name}`, () => {
        const watch = new Watch();
        for (const one of before) watch.apply(one);
        assert.equal(watch.decide(waits.pod), false);
        watch.apply(then);
        assert.deepEqual(watch.wokenBy, [[`${plugin} ${event}`]]);
      });
    }
  }

  it('has a situation for each interest', () => {
    const without = FILTER_PLUGINS.flatMap((plugin) =>
      EVENTS.filter((event) => mayHelp(event, plugin))
        .filter((event) => SITUATIONS[plugin]?.some(([, one]) => one === event) !== true)
        .map((event) => `${plugin} ${event}`),
    );
    // Who names its node is on it; and without its class a claim is refused by VolumeBinding, which comes first unless a profile says otherwise.
    assert.deepEqual(without, ['NodeName node-added', 'VolumeZone storage-class-changed']);
  });

  const ON_N1 = { ...pod('a'), pod: boundTo(pod('a').pod, 'n1') };
  const ended = { conditions: [{ type: 'Ready', status: 'False' }] };
  const images = { images: [{ names: ['i'], sizeBytes: 1 }] };
  const NOTHINGS: readonly (readonly [string, readonly ClusterCommand[], ClusterCommand])[] = [
    ['a node that is as it was', [node('n1')], node('n1', { status: ended })],
    ['a node with another image', [node('n1')], node('n1', { status: images })],
    ['a node that has become smaller', [node('n1')], node('n1', { status: { allocatable: { cpu: '1' } } })],
    ['a pod that has got an address', [node('n1'), ON_N1], ON_N1],
    ['a node that has gone before', [], { kind: 'node-deleted', name: 'n1' }],
    ['a pod that was on no node', [], { kind: 'pod-deleted', uid: 'a' }],
  ];
  for (const [name, before, command] of NOTHINGS) {
    it(`is not ${name}`, () => {
      const kernel = new Kernel(PROFILES);
      for (const one of before) kernel.apply(one);
      assert.deepEqual(eventsOf(kernel.apply(command)), []);
    });
  }

  it(`is whatever lets it in, in ${RUNS} random histories`, () => {
    let wokenCount = 0;
    fc.assert(
      fc.property(clusterHistory(40), (history) => {
        const watch = new Watch();
        for (const step of history) {
          if (step.kind === 'schedule') watch.decide(step.pod);
          else watch.apply(step);
        }
        wokenCount += watch.wokenBy.length;
      }),
      { numRuns: RUNS, seed: 1 },
    );
    assert.ok(wokenCount > RUNS / 10, `${wokenCount} pods were let in`);
  });
});
