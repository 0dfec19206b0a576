import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Cuts } from './cuts.ts';
import type { FormWalk } from './form-walk.ts';
import type { KubeWriter } from './kube-writer.ts';
import { NodeCuts } from './node-cuts.ts';
import { ObjectForms } from './object-forms.ts';
import { PodCuts } from './pod-cuts.ts';
import { readEnvelope, storedObject } from './stored-object.ts';

type Write = (writer: KubeWriter) => void;

const pod = (write: Write): Uint8Array => storedObject('v1', 'Pod', write);

/** Name and uid, and what else is in it. */
function metadata(writer: KubeWriter, write: Write = () => {}): void {
  writer.message(1, () => {
    writer.text(1, 'a');
    writer.text(5, 'uid');
    write(writer);
  });
}

function label(writer: KubeWriter, ...parts: readonly (readonly [number, string])[]): void {
  writer.message(11, () => {
    for (const [field, text] of parts) writer.text(field, text);
  });
}

function isWalked(walk: FormWalk, bytes: Uint8Array): boolean {
  return walk.walk(bytes, 0, bytes.length);
}

describe('what no API server writes is read whole', () => {
  const plain = pod((writer) => metadata(writer));
  const { rawStart, rawEnd } = readEnvelope(plain);

  for (const [name, bytes] of [
    [
      'metadata that comes twice',
      pod((writer) => {
        metadata(writer);
        metadata(writer);
      }),
    ],
    [
      'an object that comes twice',
      Buffer.concat([plain, Buffer.of(0x12, rawEnd - rawStart), plain.subarray(rawStart, rawEnd)]),
    ],
    ['a pod that was made before 1970', pod((writer) => metadata(writer, () => writer.time(8, -1)))],
    ['a pod that is deleted at no time', pod((writer) => metadata(writer, () => writer.text(9, '')))],
  ] as const) {
    test(name, () => {
      assert(isWalked(new PodCuts(), plain));
      assert(!isWalked(new PodCuts(), bytes));
    });
  }

  const hostname = 'kubernetes.io/hostname';
  const node = (...parts: readonly (readonly [number, string])[][]): Uint8Array =>
    storedObject('v1', 'Node', (writer) =>
      metadata(writer, () => {
        for (const one of parts) label(writer, ...one);
      }),
    );
  for (const [name, bytes] of [
    [
      'a label with two keys',
      node([
        [1, hostname],
        [1, 'other'],
        [2, 'a'],
      ]),
    ],
    [
      'two hostnames',
      node(
        [
          [1, hostname],
          [2, 'a'],
        ],
        [
          [1, hostname],
          [2, 'b'],
        ],
      ),
    ],
  ] as const) {
    test(`a node with ${name}`, () => {
      assert(
        isWalked(
          new NodeCuts(),
          node([
            [1, hostname],
            [2, 'a'],
          ]),
        ),
      );
      assert(!isWalked(new NodeCuts(), bytes));
    });
  }
});

describe('two objects are of one form', () => {
  test('only where messages end at the same places', () => {
    const walk = new PodCuts();
    const forms = new ObjectForms<string>();
    // The same bytes but for lengths: a label, and a field behind the metadata that nobody knows.
    const inside = pod((writer) => metadata(writer, () => label(writer, [1, 'key'], [2, 'value'])));
    const behind = pod((writer) => {
      metadata(writer);
      label(writer, [1, 'key'], [2, 'value']);
    });
    assert(isWalked(walk, inside));
    assert.equal(forms.find(walk.cuts), undefined);
    forms.learn('inside');
    assert(isWalked(walk, behind));
    assert.equal(forms.find(walk.cuts), undefined);
    forms.learn('behind');
    assert(isWalked(walk, inside));
    assert.equal(forms.find(walk.cuts)?.kept, 'inside');
  });

  test('only where their bytes are the same, whatever their hashes', () => {
    const forms = new ObjectForms<number>();
    const cuts = new Cuts();
    // Of one length and one hash, as that is made (object-forms.ts): the second word makes good what the first one changed.
    const step = (hash: number, word: number): number => {
      const mixed = Math.imul(hash ^ word, 0x9e3779b1);
      return mixed ^ (mixed >>> 15);
    };
    const words = (first: number): Int32Array => Int32Array.of(first, step(8, first));
    for (const first of [1, 2, 3]) {
      const bytes = new Uint8Array(words(first).buffer);
      cuts.reset(bytes, 0, bytes.length);
      assert.equal(forms.find(cuts), undefined);
      forms.learn(first);
    }
    for (const first of [3, 1, 2]) {
      const bytes = new Uint8Array(words(first).buffer);
      cuts.reset(bytes, 0, bytes.length);
      assert.equal(forms.find(cuts)?.kept, first);
    }
  });
});
