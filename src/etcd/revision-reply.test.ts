import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import * as m from '../api/messages.ts';
import { noRest, RevisionReply, restOfGuardedPut } from './revision-reply.ts';

const IDENTITY = { clusterId: 0x1234_5678_90ab_cdefn, memberId: -2n, raftTerm: 300 };

it('the replies are those that the messages say, whatever revisions follow each other', () => {
  const near = fc.constantFrom(1, 127, 128, 16_383, 16_384, 2 ** 31, 2 ** 35 - 1, 2 ** 49).map((n) => [n, n + 1]);
  const far = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }).map((n) => [n]);
  fc.assert(
    fc.property(fc.array(fc.oneof(near, far), { maxLength: 6 }), (revisions) => {
      const put = new RevisionReply(IDENTITY, noRest);
      const guarded = new RevisionReply(IDENTITY, restOfGuardedPut);
      for (const revision of revisions.flat()) {
        const { clusterId: cluster_id, memberId: member_id, raftTerm: raft_term } = IDENTITY;
        const header = m.ResponseHeader.create({ cluster_id, member_id, revision, raft_term });
        assert.deepEqual(m.PutResponse.decode(put.at(revision).copy()), m.PutResponse.create({ header }));
        const inner = m.PutResponse.create({ header: m.ResponseHeader.create({ revision }) });
        const responses = [m.ResponseOp.create({ response_put: inner })];
        const expected = m.TxnResponse.create({ header, succeeded: true, responses });
        assert.deepEqual(m.TxnResponse.decode(guarded.at(revision).copy()), expected);
      }
    }),
    { numRuns: 300 },
  );
});
