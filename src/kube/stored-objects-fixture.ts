// Objects as a kube-apiserver 1.36.3 has written them to its store, and as it shows them. `node conformance/kube-store.ts --fixture` writes the file.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PlainObject } from './message-decoder.ts';

export interface StoredSample {
  /** Below /registry/. */
  readonly key: string;
  /** As the API shows it. */
  readonly json: PlainObject;
  readonly stored: Uint8Array;
}

export function storedSamples(): readonly StoredSample[] {
  const text = readFileSync(join(import.meta.dirname, 'stored-objects-fixture.json'), 'utf8');
  // The file is the conformance run's.
  const captured = JSON.parse(text) as readonly { key: string; json: PlainObject; stored: string }[];
  return captured.map(({ key, json, stored }) => ({ key, json, stored: Buffer.from(stored, 'base64') }));
}

export function sampleOf(key: string): StoredSample {
  const sample = storedSamples().find((one) => one.key === key);
  if (sample === undefined) throw new Error(`the fixture has no ${key}`);
  return sample;
}
