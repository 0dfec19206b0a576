// What the image of a store costs, which a snapshot is made of: the CPU time of four in turn, of keys that were each changed once, at random
// and so far from each other in memory. Asserts nothing.
//
//   node bench/image.ts [keys]      1,000,000

import { SharedMemory } from '../src/store/memory.ts';
import { Store } from '../src/store/store.ts';

const ROUNDS = 4;
const STEP_UNITS = 1_500;
const keyCount = Number(process.argv[2] ?? 1_000_000);
const store = new Store({ memory: new SharedMemory(() => {}) });
const value = Buffer.alloc(300, 7);

function put(index: number): void {
  const key = Buffer.from(`/registry/leases/kube-node-lease/node-${String(index).padStart(8, '0')}`);
  const main = store.currentRevision + 1;
  store.put(main, 0, store.find(key, 0, key.length), key, 0, key.length, value, 0, value.length, 0n);
  store.commit(main);
}

for (let index = 0; index < keyCount; index++) put(index);
for (let index = 0; index < keyCount; index++) put(Math.floor(Math.random() * keyCount));
for (let round = 0; round < ROUNDS; round++) {
  const before = process.cpuUsage();
  const image = store.image();
  let bytes = 0;
  while (!image.isDone) if (image.step(STEP_UNITS)) bytes += image.take()?.bytes.length ?? 0;
  image.close();
  const { user, system } = process.cpuUsage(before);
  console.log(`${((user + system) / 1000).toFixed(0)} ms for ${(bytes / 1e6).toFixed(0)} MB`);
}
