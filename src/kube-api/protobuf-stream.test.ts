import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { HttpRequest } from '../io/http-client.ts';
import { KubeWriter } from '../kube/kube-writer.ts';
import { MessageDecoder, type PlainObject } from '../kube/message-decoder.ts';
import { MessageEncoder } from '../kube/message-encoder.ts';
import { storedObject } from '../kube/stored-object.ts';
import { storedSamples } from '../kube/stored-objects-fixture.ts';
import { SimulatedClock } from '../testing/clock.ts';
import { FakeBody, fakeApi } from './http-fixture.ts';
import type { JsonObject } from './kube-api.ts';
import { ListError } from './list-scanner.ts';
import { headOf } from './object-head.ts';
import { PROTOBUF, ProtobufList, ProtobufWatch } from './protobuf-stream.ts';

const encoder = new MessageEncoder();
const decoder = new MessageDecoder();
const BYTES_MAX = 1 << 20;

/** Pods as an API server shows them, each a little longer than the one before. */
const pods: PlainObject[] = Array.from({ length: 12 }, (_, index) => ({
  metadata: { name: `p${index}`, namespace: 'ns', uid: `uid-${index}`, resourceVersion: `${100 + index}` },
  spec: { containers: [{ name: 'c', resources: {}, image: 'x'.repeat(1 + index * index * 40) }] },
  status: {},
}));

function message(write: (writer: KubeWriter) => void): Uint8Array {
  const writer = new KubeWriter();
  write(writer);
  return writer.copy();
}

function listOf(kind: string, items: readonly PlainObject[], version: string): Uint8Array {
  return storedObject('v1', `${kind}List`, (writer) => {
    writer.message(1, () => encoder.encode('ListMeta', { resourceVersion: version }, writer));
    for (const item of items) writer.message(2, () => encoder.encode(kind, item, writer));
  });
}

function event(type: string, kind: string, object: PlainObject): Uint8Array {
  const stored = storedObject('v1', kind, (writer) => encoder.encode(kind, object, writer));
  return frame(
    message((writer) => {
      writer.text(1, type);
      writer.message(2, () => writer.message(1, () => writer.bytes(stored)));
    }),
  );
}

function frame(bytes: Uint8Array): Uint8Array {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(bytes.length);
  return Buffer.concat([header, bytes]);
}

/** Cut at random places. */
function chunksOf(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...new Set([0, ...cuts.map((cut) => cut % bytes.length), bytes.length])].sort((a, b) => a - b);
  return places.slice(1).map((end, index) => Uint8Array.from(bytes.subarray(places[index], end)));
}

const cuts = fc.array(fc.nat(), { maxLength: 40 });

/** What `push` makes of each chunk, whose memory is used for something else afterwards. */
function pushed<T>(chunks: readonly Uint8Array[], push: (chunk: Uint8Array) => T[]): T[] {
  return chunks.flatMap((chunk) => {
    const made = push(chunk);
    chunk.fill(0xdd);
    return made;
  });
}

describe('protobuf of an API server', () => {
  it('is the same objects in a list, however its bytes arrive', () => {
    const bytes = listOf('Pod', pods, '7');
    fc.assert(
      fc.property(cuts, (places) => {
        const list = new ProtobufList(decoder, 'Pod', BYTES_MAX);
        const objects = pushed(chunksOf(bytes, places), (chunk) => list.push(chunk).map(({ object }) => object));
        assert.deepEqual(objects, pods);
        assert.deepEqual(list.end(), { metadata: { resourceVersion: '7' } });
      }),
    );
    for (const { json } of storedSamples()) {
      const { kind, apiVersion: _, ...object } = json;
      const list = new ProtobufList(decoder, String(kind), BYTES_MAX);
      const [piece] = list.push(listOf(String(kind), [object], '7'));
      assert.deepEqual(piece.object, object, String(kind));
    }
  });

  it('is the same events in a watch, however its bytes arrive', () => {
    const bytes = Buffer.concat(pods.map((pod, index) => event(index % 2 === 0 ? 'ADDED' : 'DELETED', 'Pod', pod)));
    fc.assert(
      fc.property(cuts, (places) => {
        const watch = new ProtobufWatch(decoder, BYTES_MAX);
        const events = pushed(chunksOf(bytes, places), (chunk) =>
          watch.push(chunk).map(({ type, object }) => [type, object]),
        );
        assert.deepEqual(
          events,
          pods.map((pod, index) => [index % 2 === 0 ? 'ADDED' : 'DELETED', pod]),
        );
      }),
    );
  });

  it('passes over what is too long, or broken in itself, and goes on behind it', () => {
    fc.assert(
      fc.property(cuts, (places) => {
        const list = new ProtobufList(decoder, 'Pod', 2_000);
        const read = chunksOf(listOf('Pod', pods, '7'), places).flatMap((chunk) => list.push(chunk));
        assert.deepEqual(
          read.map(({ isCut }) => isCut),
          pods.map((_, index) => index >= 7),
        );
        assert.equal(list.end().metadata !== undefined, true);
        const broken = frame(Buffer.from([0x0a, 0x7f, 1, 2]));
        const watch = new ProtobufWatch(decoder, 2_000);
        const events = [event('ADDED', 'Pod', pods[11]), broken, event('ADDED', 'Pod', pods[1])];
        const told = chunksOf(Buffer.concat(events), places).flatMap((chunk) => watch.push(chunk));
        assert.deepEqual(
          told.map(({ object, isCut }) => [object === undefined ? undefined : headOf(object)?.name, isCut]),
          [
            [undefined, true],
            [undefined, false],
            ['p1', false],
          ],
        );
      }),
    );
  });

  it('does no more than end the list, whatever bytes arrive', () => {
    const bytes = listOf('Pod', pods.slice(0, 4), '7');
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.nat(bytes.length), (place, value, end) => {
        const damaged = Uint8Array.from(bytes);
        damaged[place] = value;
        for (const part of [damaged, bytes.subarray(0, end)]) {
          try {
            const list = new ProtobufList(decoder, 'Pod', BYTES_MAX);
            list.push(part);
            list.end();
            new ProtobufWatch(decoder, BYTES_MAX).push(part);
          } catch (error) {
            assert.ok(error instanceof ListError, String(error));
          }
        }
      }),
    );
  });

  it('is followed by a reflector: list, events, bookmark, error; and why not is told in its words', async () => {
    const clock = new SimulatedClock();
    const headers = { 'content-type': `${PROTOBUF};stream=watch` };
    const body = new FakeBody();
    const problems: string[] = [];
    const heard: string[] = [];
    let refusals = 1;
    const answer = ({
      path,
      headers: sent,
    }: HttpRequest): { status?: number; headers: typeof headers; body: FakeBody } => {
      assert.match(String(sent.accept), /protobuf, application\/json/);
      if (path.includes('watch=true')) return { headers, body };
      const status = { message: 'pods is forbidden', code: 403 };
      const bytes =
        refusals-- > 0
          ? storedObject('v1', 'Status', (writer) => encoder.encode('Status', status, writer))
          : listOf('Pod', pods.slice(0, 2), '7');
      return { status: refusals >= 0 ? 403 : 200, headers, body: new FakeBody().writeBytes(bytes).end() };
    };
    const { api } = fakeApi(clock, answer);
    const reflection = api.reflect('pods', {
      onSet: (object: JsonObject) => heard.push(`+${headOf(object)?.name}`),
      onDeleted: ({ name }) => heard.push(`-${name}`),
      onSynced: () => heard.push('synced'),
      onProblem: (text) => problems.push(text),
    });
    await clock.pass(5_000);
    body.writeBytes(event('ADDED', 'Pod', pods[5]));
    body.writeBytes(event('BOOKMARK', 'Pod', { metadata: { resourceVersion: '900' } }));
    body.writeBytes(
      event('DELETED', 'Pod', { ...pods[5], metadata: { ...Object(pods[5].metadata), resourceVersion: '901' } }),
    );
    body.writeBytes(event('ERROR', 'Status', { code: 410, message: 'too old' }));
    await clock.pass(100);
    assert.deepEqual(heard.slice(0, 5), ['+p0', '+p1', 'synced', '+p5', '-p5']);
    assert.match(problems[0], /not allowed to list pods .*: pods is forbidden/);
    assert.match(problems[1], /too old/);
    assert.equal(reflection.isSynced, true);
    await api.close();
  });

  it('is told by its likeness where that is enough, and read where it is not', async () => {
    const own = (index: number, more: PlainObject = {}): PlainObject => ({
      metadata: { name: `p${index}`, namespace: 'ns', uid: `uid-${index}`, resourceVersion: `${100 + index}`, ...more },
      spec: { containers: [{ name: 'c', resources: {}, image: 'x' }] },
      status: {},
    });
    const clock = new SimulatedClock();
    const watch = new FakeBody();
    const headers = { 'content-type': PROTOBUF };
    const { api } = fakeApi(clock, ({ path }: HttpRequest) => {
      const list = new FakeBody().writeBytes(listOf('Pod', [own(0), own(1)], '102')).end();
      return { headers, body: path.includes('watch=true') ? watch : list };
    });
    const heard: string[] = [];
    let isEnough = true;
    api.reflect('pods', {
      onSet: (object) => heard.push(`set ${headOf(object)?.name}`),
      onAlike: ({ name, resourceVersion, like }) => {
        heard.push(`${name}@${resourceVersion} like ${headOf(like)?.name}`);
        return isEnough;
      },
      onDeleted: ({ name }) => heard.push(`deleted ${name}`),
      onSynced: () => heard.push('synced'),
      onProblem: (text) => heard.push(text),
    });
    await clock.pass(1);
    assert.deepEqual(heard.splice(0), ['set p0', 'p1@101 like p0', 'synced']);
    watch.writeBytes(event('ADDED', 'Pod', own(2)));
    watch.writeBytes(event('MODIFIED', 'Pod', own(1, { resourceVersion: '110', labels: { app: 'web' } })));
    await clock.pass(1);
    isEnough = false;
    watch.writeBytes(event('ADDED', 'Pod', own(20)));
    watch.writeBytes(event('DELETED', 'Pod', own(2, { resourceVersion: '121' })));
    // Told already.
    watch.writeBytes(event('MODIFIED', 'Pod', own(20)));
    await clock.pass(1);
    assert.deepEqual(heard, ['p2@102 like p0', 'set p1', 'p20@120 like p0', 'set p20', 'deleted p2']);
    await api.close();
  });
});
