import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { answerChecks } from './health-checks.ts';

const GOOD = [
  { name: 'leaderElection', problem: '' },
  { name: 'sched-handler-sync', problem: '' },
];
const BAD = [...GOOD, { name: 'watch-pods', problem: 'for 73 s' }];

/** As kube-scheduler 1.36 answers. */
const ANSWERS: readonly (readonly [string, typeof GOOD, string])[] = [
  ['/readyz', GOOD, '200 ok'],
  ['/readyz?verbose', GOOD, '200 [+]leaderElection ok\n[+]sched-handler-sync ok\nreadyz check passed\n'],
  ['/readyz?exclude=zz', GOOD, '200 ok'],
  [
    '/readyz?exclude=zz&verbose',
    GOOD,
    '200 [+]leaderElection ok\n[+]sched-handler-sync ok\nwarn: some health checks cannot be excluded: no matches for "zz"\nreadyz check passed\n',
  ],
  [
    '/readyz',
    BAD,
    '500 [+]leaderElection ok\n[+]sched-handler-sync ok\n[-]watch-pods failed: for 73 s\nreadyz check failed\n',
  ],
  [
    '/readyz?exclude=watch-pods&verbose=1',
    BAD,
    '200 [+]leaderElection ok\n[+]sched-handler-sync ok\n[+]watch-pods excluded: ok\nreadyz check passed\n',
  ],
  ['/readyz/leaderElection', BAD, '200 ok'],
  ['/readyz/watch-pods', BAD, '500 internal server error: for 73 s\n'],
];

describe('health checks', () => {
  for (const [target, checks, expected] of ANSWERS) {
    it(`answer ${target} with ${checks.length} checks`, () => {
      const answer = answerChecks(target, 'readyz', checks);
      assert.equal(`${answer?.status} ${answer?.body}`, expected);
    });
  }

  it('leave other paths to others', () => {
    for (const target of ['/', '/healthz', '/readyzz', '/readyz/nope', '/readyz/']) {
      assert.equal(answerChecks(target, 'readyz', GOOD), undefined);
    }
  });
});
