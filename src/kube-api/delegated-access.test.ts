import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SimulatedClock } from '../testing/clock.ts';
import { type AccessRequest, checkAllowedPaths, DelegatedAccess, type ReviewKind } from './delegated-access.ts';
import type { JsonObject, WriteOutcome } from './kube-api.ts';

/** An API server that knows the token `good` of user ann, who may get /metrics. */
class FakeReviewer {
  readonly asked: string[] = [];
  isAway = false;
  groups: readonly string[] = ['readers'];

  async review(kind: ReviewKind, spec: JsonObject): Promise<WriteOutcome> {
    this.asked.push(kind);
    if (this.isAway) return { kind: 'unreachable', text: 'connection refused' };
    if (kind === 'TokenReview') {
      const user = { username: 'ann', groups: this.groups, uid: 'u1', extra: { scope: ['x'] } };
      const status = spec.token === 'good' ? { authenticated: true, user } : { error: 'unknown token' };
      return { kind: 'done', object: { status } };
    }
    const { path, verb } = spec.nonResourceAttributes as JsonObject;
    const isFull = spec.uid === 'u1' && JSON.stringify(spec.extra) === '{"scope":["x"]}';
    const allowed = spec.user === 'ann' && isFull && path === '/metrics' && verb === 'get';
    return { kind: 'done', object: { status: { allowed } } };
  }
}

class Access {
  readonly clock = new SimulatedClock();
  readonly reviewer = new FakeReviewer();
  readonly problems: string[] = [];
  readonly access = new DelegatedAccess({
    authentication: this.reviewer,
    authorization: this.reviewer,
    alwaysAllowedPaths: ['/healthz', '/debug/*'],
    clock: this.clock,
    onProblem: (text) => this.problems.push(text),
  });

  async status(path: string, words: Partial<AccessRequest> = {}): Promise<string> {
    const refusal = await this.access.refusal({
      method: 'GET',
      path,
      authorization: undefined,
      client: undefined,
      ...words,
    });
    return refusal === undefined ? 'yes' : `${refusal.status} ${refusal.body}`;
  }
}

const bearer = (token: string): Partial<AccessRequest> => ({ authorization: `Bearer ${token}` });

describe('delegated access', () => {
  it('lets in whom the API server lets in, and refuses in the words of upstream', async () => {
    const lab = new Access();
    assert.equal(await lab.status('/metrics', bearer('good')), 'yes');
    assert.match(
      await lab.status('/configz', bearer('good')),
      /^403 .*"forbidden: User \\"ann\\" cannot get path \\"\/configz\\""/s,
    );
    assert.match(
      await lab.status('/metrics', { ...bearer('good'), method: 'POST' }),
      /User \\"ann\\" cannot post path \\"\/metrics\\"/,
    );
    assert.match(await lab.status('/metrics'), /User \\"system:anonymous\\" cannot get path/);
    // Byte for byte as kube-scheduler 1.36 answers.
    const unauthorized = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'Unauthorized',
      reason: 'Unauthorized',
      code: 401,
    };
    assert.equal(await lab.status('/metrics', bearer('bad')), `401 ${JSON.stringify(unauthorized, null, 2)}`);
  });

  it('asks nobody about paths that are always allowed, but refuses a bad token there, too', async () => {
    const lab = new Access();
    for (const path of ['/healthz', '/debug/', '/debug/x/y']) assert.equal(await lab.status(path), 'yes');
    assert.deepEqual(lab.reviewer.asked, []);
    assert.match(await lab.status('/healthz/ping'), /^403/);
    assert.match(await lab.status('/healthz', bearer('bad')), /^401/);
  });

  it('knows a client by its certificate, and asks nobody about system:masters', async () => {
    const lab = new Access();
    const client = (commonName: string, ...organizations: string[]): Partial<AccessRequest> => ({
      client: { commonName, organizations },
    });
    assert.equal(await lab.status('/configz', client('root', 'system:masters')), 'yes');
    assert.deepEqual(lab.reviewer.asked, []);
    assert.match(await lab.status('/configz', client('bob', 'ops')), /User \\"bob\\" cannot get/);
    assert.match(await lab.status('/healthz', { client: 'refused' }), /^401/);
    assert.equal(await lab.status('/metrics', { client: 'refused', ...bearer('good') }), 'yes');
  });

  it('keeps answers for ten seconds, and asks once what is asked at the same time', async () => {
    const lab = new Access();
    await Promise.all(Array.from({ length: 5 }, () => lab.status('/metrics', bearer('good'))));
    assert.deepEqual(lab.reviewer.asked, ['TokenReview', 'SubjectAccessReview']);
    await lab.clock.pass(9999);
    await lab.status('/metrics', bearer('good'));
    assert.equal(lab.reviewer.asked.length, 2);
    await lab.clock.pass(1);
    lab.reviewer.groups = ['system:masters'];
    assert.equal(await lab.status('/configz', bearer('good')), 'yes');
    assert.deepEqual(lab.reviewer.asked.slice(2), ['TokenReview']);
  });

  it('lets nobody in while the API server is away, says so, and asks again', async () => {
    const lab = new Access();
    lab.reviewer.isAway = true;
    assert.match(await lab.status('/metrics', bearer('good')), /^401/);
    assert.match(await lab.status('/metrics'), /^500 Internal Server Error: "\/metrics"/);
    assert.equal(await lab.status('/healthz'), 'yes');
    assert.deepEqual(lab.problems, ['TokenReview: connection refused', 'SubjectAccessReview: connection refused']);
    lab.reviewer.isAway = false;
    assert.equal(await lab.status('/metrics', bearer('good')), 'yes');
  });

  it('forgets the oldest answers when there are too many, and does not ask about endless tokens', async () => {
    const lab = new Access();
    for (let i = 0; i < 1001; i++) await lab.status('/healthz', bearer(`t${i}`));
    assert.equal(lab.reviewer.asked.length, 1001);
    await lab.status('/healthz', bearer('t1000'));
    assert.equal(lab.reviewer.asked.length, 1001);
    await lab.status('/healthz', bearer('t0'));
    assert.equal(lab.reviewer.asked.length, 1002);
    assert.match(await lab.status('/healthz', bearer('x'.repeat(16_385))), /^401/);
    assert.equal(lab.reviewer.asked.length, 1002);
  });

  it('takes a * at the end of a path only', () => {
    checkAllowedPaths(['/healthz', '/debug/*', '*']);
    assert.throws(() => checkAllowedPaths(['/*/x']), { message: 'only trailing * allowed in "*/x"' });
  });
});
