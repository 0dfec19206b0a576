import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BindOutcome, JsonObject, KubeApi, PodToBind } from '../../kube-api/kube-api.ts';
import { SimulatedClock } from '../../testing/clock.ts';
import { Binder, type Binding } from './binder.ts';

const POD: PodToBind = { namespace: 'default', name: 'a', uid: 'uid-a', resourceVersion: '7' };

/** One pod, and a word for each request: `bind n1 @7`, `read`, `write @7`. */
class Play {
  readonly clock = new SimulatedClock();
  readonly log: string[] = [];
  readonly told: Binding[] = [];
  readonly binder: Binder<PodToBind>;
  nodeName = '';
  messages = '';
  version = 7;
  leadsUntilMs = Number.POSITIVE_INFINITY;
  /** What becomes of the bindings, one after the other; then they succeed. */
  readonly fates: BindOutcome[] = [];

  constructor() {
    const api: Partial<KubeApi> = {
      bind: async ({ resourceVersion }, nodeName) => {
        this.log.push(`bind ${nodeName} @${resourceVersion}`);
        return this.fates.shift() ?? { kind: 'bound' };
      },
      read: async () => {
        this.log.push('read');
        return { kind: 'found', object: this.#object };
      },
      patchPodStatus: async ({ resourceVersion }, { conditions = [] }) => {
        this.log.push(`write @${resourceVersion}`);
        if (resourceVersion !== String(this.version)) return { kind: 'conflict', text: 'modified' };
        // What is there already is not written again.
        const messages = conditions.map(({ message }) => message).join();
        if (messages !== this.messages) this.version++;
        this.messages = messages;
        return { kind: 'done', object: this.#object };
      },
    };
    this.binder = new Binder({
      // A binder calls no others.
      api: api as KubeApi,
      clock: this.clock,
      inFlightMax: 256,
      leadsUntilMs: () => this.leadsUntilMs,
      onTrouble: () => {},
      onBinding: (_pod, _nodeName, binding) => this.told.push(binding),
    });
  }

  get #object(): JsonObject {
    const metadata = { ...POD, resourceVersion: String(this.version) };
    return { metadata, spec: this.nodeName === '' ? {} : { nodeName: this.nodeName } };
  }
}

describe('a binding', () => {
  it('that is not answered is made impossible before it is told as failed', async () => {
    const play = new Play();
    play.fates.push({ kind: 'unknown', text: 'lost' });
    play.binder.bind(POD, 'n1');
    await play.clock.pass(0);
    // Had it arrived by now it would have been carried out: nothing may be told.
    assert.deepEqual([play.log, play.told], [['bind n1 @7', 'read', 'write @7'], []]);
    await play.clock.pass(2000);
    assert.deepEqual(play.log.slice(3), ['read']);
    assert.deepEqual(play.told, [{ kind: 'failed', text: 'the binding was not answered and did not happen: lost' }]);
  });

  it('that is not answered twice is made impossible twice', async () => {
    const play = new Play();
    play.fates.push({ kind: 'unknown', text: 'lost' }, { kind: 'unknown', text: 'lost' });
    for (const resourceVersion of ['7', '8']) {
      play.binder.bind({ ...POD, resourceVersion }, 'n1');
      await play.clock.pass(5000);
    }
    assert.deepEqual([play.told.length, play.version], [2, 9]);
  });

  it('that is not answered and arrives late is told as bound', async () => {
    const play = new Play();
    play.fates.push({ kind: 'unknown', text: 'lost' });
    play.binder.bind(POD, 'n1');
    play.version = 8;
    play.nodeName = 'n1';
    await play.clock.pass(2000);
    assert.deepEqual([play.log, play.told], [['bind n1 @7', 'read'], [{ kind: 'bound' }]]);
  });

  it('of another version cannot arrive any more', async () => {
    const play = new Play();
    play.fates.push({ kind: 'unknown', text: 'lost' });
    play.version = 8;
    play.binder.bind(POD, 'n1');
    await play.clock.pass(0);
    assert.deepEqual(play.log, ['bind n1 @7', 'read']);
    assert.equal(play.told.at(0)?.kind, 'failed');
  });

  it('that conflicts may be one that was carried out before', async () => {
    const there = new Play();
    there.fates.push({ kind: 'conflict', text: 'already assigned' });
    there.nodeName = 'n1';
    there.binder.bind(POD, 'n1');
    await there.clock.pass(0);
    assert.deepEqual(there.told, [{ kind: 'bound' }]);

    const elsewhere = new Play();
    elsewhere.fates.push({ kind: 'conflict', text: 'already assigned' });
    elsewhere.nodeName = 'n2';
    elsewhere.binder.bind(POD, 'n1');
    await elsewhere.clock.pass(0);
    assert.deepEqual(elsewhere.told, [{ kind: 'overtaken', text: 'it is on node n2' }]);
  });

  it('that conflicts is told as failed while nobody else has written the pod', async () => {
    for (const [version, kind] of [
      [7, 'failed'],
      [8, 'overtaken'],
    ] as const) {
      const play = new Play();
      play.fates.push({ kind: 'conflict', text: 'pod a has non-empty .spec.schedulingGates' });
      play.version = version;
      play.binder.bind(POD, 'n1');
      await play.clock.pass(0);
      assert.deepEqual(play.told, [{ kind, text: 'pod a has non-empty .spec.schedulingGates' }]);
    }
  });

  it('is not sent again once another scheduler may lead', async () => {
    for (const fate of [
      { kind: 'unreachable', text: 'refused' },
      { kind: 'too-many-requests', retryAfterMs: 100 },
    ] as const) {
      const play = new Play();
      for (let i = 0; i < 100; i++) play.fates.push(fate);
      play.leadsUntilMs = 1500;
      play.binder.bind(POD, 'n1');
      await play.clock.pass(500);
      const sent = play.log.length;
      // The process stands still: the next attempt is due, and much too late.
      play.clock.rest(20_000);
      await play.clock.pass(60_000);
      assert.equal(play.log.length, sent, fate.kind);
      assert.deepEqual(play.told, [{ kind: 'overtaken', text: 'another scheduler may lead' }]);
      assert.equal(play.binder.inFlight, 0);
    }
  });

  it('is waited for', async () => {
    const play = new Play();
    play.fates.push({ kind: 'unreachable', text: 'refused' });
    play.binder.bind(POD, 'n1');
    let isIdle = false;
    void play.binder.idle().then(() => {
      isIdle = true;
    });
    await play.clock.pass(999);
    assert.equal(isIdle, false);
    await play.clock.pass(2);
    assert.equal(isIdle, true);
  });
});
