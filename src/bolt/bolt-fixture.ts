// For tests: databases in memory, and a snapshot that etcd 3.7.3 made.

import { gunzipSync } from 'node:zlib';
import type { RandomAccess } from './block-cache.ts';
import { BoltPlan, type Entry } from './bolt-plan.ts';
import { BoltReader } from './bolt-reader.ts';
import { BoltWriter, type ByteSink } from './bolt-writer.ts';

export class MemoryFile implements RandomAccess {
  readonly path = 'memory.db';
  readonly content: Buffer;

  constructor(content: Uint8Array) {
    this.content = Buffer.from(content);
  }

  get bytes(): number {
    return this.content.length;
  }

  read(target: Uint8Array, position: number): Promise<number> {
    const end = Math.min(position + target.length, this.content.length);
    if (end <= position) return Promise.resolve(0);
    return Promise.resolve(this.content.copy(target, 0, position, end));
  }
}

export class MemorySink implements ByteSink {
  readonly #chunks: Buffer[] = [];

  get content(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  write(source: Uint8Array, start: number, end: number): void {
    this.#chunks.push(Buffer.from(source.slice(start, end)));
  }

  pad(bytes: number): void {
    this.#chunks.push(Buffer.alloc(bytes));
  }
}

export interface BucketContent {
  readonly name: string;
  readonly entries: readonly Entry[];
}

/** Buckets and entries in order. */
export function writeDatabase(buckets: readonly BucketContent[], pageBytes?: number): Buffer {
  const plan = new BoltPlan(pageBytes);
  const streamed = buckets.filter(({ name, entries }) => !plan.addBucket(Buffer.from(name), entries));
  const layout = plan.finish();
  const sink = new MemorySink();
  const writer = new BoltWriter(layout, sink);
  for (const { name, entries } of streamed) {
    writer.begin(Buffer.from(name));
    for (const [key, value] of entries) writer.add(key, 0, key.length, value, 0, value.length);
    writer.end();
  }
  writer.finish();
  return sink.content;
}

/** All that a file holds, in its order. */
export async function readDatabase(content: Uint8Array): Promise<BucketContent[]> {
  const reader = await BoltReader.open(new MemoryFile(content));
  const result: BucketContent[] = [];
  for (const bucket of await reader.buckets()) {
    const entries: Entry[] = [];
    for await (const leaf of reader.leaves(bucket)) {
      for (let i = 0; i < leaf.count; i++) {
        const value = Buffer.from(leaf.buffer.subarray(leaf.valueStart(i), leaf.valueEnd(i)));
        entries.push([Buffer.from(leaf.copyKey(i)), value]);
      }
    }
    result.push({ name: Buffer.from(bucket.name).toString(), entries });
  }
  return result;
}

/**
 * `etcdctl snapshot save` of an etcd 3.7.3: lease 390da210bd408e03 of 600 s, k1 to k5 put, k1 deleted, compacted at 5, k2 put
 * again. The hash at the end is included.
 */
export function etcdSnapshot(): Buffer {
  return gunzipSync(Buffer.from(ETCD_SNAPSHOT, 'base64'));
}

const ETCD_SNAPSHOT =
  'H4sICFJVBmsCA3MuZGIA7ZrNaxNBGMazu0kaS1tjBcnNsiJIqW226VciQqF6EDyIoqIidZudmrW72ZLdxNZaBaUWKi1FEBQU1IMI6sFDEfxAFAQPohcP4j' +
  '9QUXrSkxedzU7SzWjbgFQqPL8wmXnnnY/d+Qg8LwkEPIIsX/hUtyC6hahnS4FKfjJCzK5ledv8pqnt77Y3BAAAAAAAAAAAALDmEP5S/69j+dvIHr1xdOcj' +
  'rCgAAAAAAAAAALD2EMt5bTkecIsmV983MXuOxQd2MXuB6f6SPyxU2pvpVw3N+5h9RPDiCIrg2eOiN/5u5n8seu2fMDtDG6/3jTcpefNHqKEaas5c6WXUvJ' +
  'NZuo1QLrsxjjp3YNZnPynotm5lmVso1lkGsauZ8KBNcis2TBt52yG5ah+uge0E63aIzkAfL9Ha3RofIqNLjxIul0/QtIGN5GJx9jnOnubsG5x9n6bGwGK8' +
  'yJ2uv1SqFYeUqBgTm4RmsaCwSsnvbo9KManobmeVQb87EQ3GgkV3glWG/O6OaCgWKro7WGXY7+6MhmPhoruTVdaU3Y77bAZRbVLt2ruHop6mZP2d6PPeGS' +
  'ly8caFL5dffb6UjH4MmsQcWHa7K8dy0xmaBjSVJAcG0oqiaYlkXBuTdU1OKYmurp54IqF0Kkq3kowr3fFkizxMSO7g/r22nDomZxxnONXWprTTjacfJdWe' +
  '6Ikr8vEWOauaRE7JGhlU84Yjt8hpQydZZ5mO3UnacZy9QH+OmFaBaCudW5M46tJtQuXyPvbTUNqfcd9iukzQtJEdKZfrvkNeOm5B1j5tZQcPOKpDxuSCRU' +
  '+/+0J/Wiq6CvT+Wf10dwt0LQZVwybjtLOt0zuTdfr1rEZG2Ph1djpDtLxBtD7LHFbTDr3yv50027Fy6kniv210epNbEgAAAAAAAP4/pH+o/1Wm/x9y+n+e' +
  '0//XOP3/mOn/HdD/Ver/mnJ5mNPv5zl7hrNvcvYDzn7K6f+XzL/+f4wHsHKEf6JIk9gsZclpxAtWJ15QGZ7yxwumuXjBVXbcSvGCe1z84BkXP3ixyvGDhk' +
  'E9q9uZ5cMHCDEAAAAAAIC1SvAf6v+S3xAq9f9doVL/HxYr9X9B9Ob/EID+r07/e0C+ro58XfzvQy8nX01OvuY5eTqyyvI0BF0JAAAAAAAAWJItW2fvTk7V' +
  'm/Vv3t+WrJqzE9uu1H398frbi9a5o7Onur7/Anj3VecgUAAA';
