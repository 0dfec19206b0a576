// Our server must answer every case as etcd answered it: the transcripts are etcd's, but for what is listed here.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { CASES, play } from './cases.ts';
import { openSocketSubject, RemoteSubject, SimulatedServer, type Subject } from './server-fixture.ts';
import { readTranscripts } from './transcript-file.ts';

function suite(title: string, open: () => Promise<Subject>, isQuick: boolean): void {
  describe(title, () => {
    const transcripts = readTranscripts();
    let subject: Subject;
    before(async () => {
      subject = await open();
    });
    after(() => subject.close());
    for (const one of CASES) {
      it(one.name, { skip: isQuick && one.isSlow === true }, async () => {
        assert.equal(await play(one, subject), transcripts.get(one.name));
      });
    }
  });
}

const { K1M_TEST_ENDPOINT } = process.env;
if (K1M_TEST_ENDPOINT !== undefined) {
  suite(`${K1M_TEST_ENDPOINT} answers as etcd`, async () => new RemoteSubject(K1M_TEST_ENDPOINT), false);
} else {
  suite('the server on a simulated disk and network answers as etcd', () => SimulatedServer.open(1), false);
  suite('the server on a socket answers as etcd', () => openSocketSubject(), true);
}
