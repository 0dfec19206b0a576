import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeApi, LeaseSpec, WriteOutcome } from '../../kube-api/kube-api.ts';
import { SimulatedClock } from '../../testing/clock.ts';
import { LeaderElector } from './leader-elector.ts';

/** One lease that several may want, and that cannot be reached when told so. */
class LeaseServer {
  spec: LeaseSpec | undefined;
  version = 0;
  readonly cutOff = new Set<string>();

  apiFor(identity: string): KubeApi {
    const write = async (make: () => WriteOutcome): Promise<WriteOutcome> =>
      this.cutOff.has(identity) ? { kind: 'unreachable', text: 'cut off' } : make();
    const api: Partial<KubeApi> = {
      readLease: async () => {
        if (this.cutOff.has(identity)) return { kind: 'unreachable', text: 'cut off' };
        if (this.spec === undefined) return { kind: 'gone', text: 'not found' };
        return {
          kind: 'found',
          object: {
            metadata: { name: 'kube-scheduler', uid: 'lease', resourceVersion: String(this.version) },
            spec: { ...this.spec },
          },
        };
      },
      createLease: (_, spec) => write(() => this.#set(spec)),
      updateLease: (_, spec, version) =>
        write(() => (version === String(this.version) ? this.#set(spec) : { kind: 'conflict', text: 'modified' })),
    };
    // An elector calls no others.
    return api as KubeApi;
  }

  #set(spec: LeaseSpec): WriteOutcome {
    this.spec = spec;
    this.version++;
    return { kind: 'done', object: {} };
  }
}

function elector(server: LeaseServer, clock: SimulatedClock, identity: string, log: string[]): LeaderElector {
  return new LeaderElector({
    api: server.apiFor(identity),
    clock,
    lease: { namespace: 'kube-system', name: 'kube-scheduler' },
    identity,
    leaseDurationMs: 15_000,
    renewDeadlineMs: 10_000,
    retryPeriodMs: 2000,
    onLeading: () => log.push(`${identity} leads`),
    onLost: () => log.push(`${identity} lost`),
    onProblem: (text) => log.push(`${identity}: ${text}`),
  });
}

describe('leader election', () => {
  it('lets one lead, and the next when it is given back', async () => {
    const server = new LeaseServer();
    const clock = new SimulatedClock();
    const log: string[] = [];
    const [a, b] = ['a', 'b'].map((identity) => elector(server, clock, identity, log));
    a.start();
    await clock.pass(100);
    b.start();
    await clock.pass(60_000);
    assert.deepEqual(log, ['a leads']);
    await a.close(true);
    await clock.pass(3000);
    assert.deepEqual(log, ['a leads', 'b leads']);
    assert.equal(server.spec?.leaseTransitions, 1);
    await b.close(true);
  });

  it('ends a leader that cannot renew before another one may lead', async () => {
    const server = new LeaseServer();
    const clock = new SimulatedClock();
    const log: string[] = [];
    const [a, b] = ['a', 'b'].map((identity) => elector(server, clock, identity, log));
    a.start();
    await clock.pass(100);
    b.start();
    await clock.pass(5000);
    server.cutOff.add('a');
    await clock.pass(60_000);
    assert.deepEqual(log, ['a leads', 'a: cannot read the lease: cut off', 'a lost', 'b leads']);
    await b.close(true);
  });

  it('says why the lease is out of reach, and not each time', async () => {
    const server = new LeaseServer();
    const clock = new SimulatedClock();
    const log: string[] = [];
    server.cutOff.add('a');
    const a = elector(server, clock, 'a', log);
    a.start();
    await clock.pass(90_000);
    server.cutOff.clear();
    await clock.pass(3000);
    assert.deepEqual(log, [
      'a: cannot read the lease: cut off',
      'a: cannot read the lease: cut off (for 60 s now)',
      'a leads',
      'a: the lease is in reach again after 92 s',
    ]);
    await a.close(true);
  });
});
