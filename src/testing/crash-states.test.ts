import assert from 'node:assert/strict';
import { test } from 'node:test';
import { datasync, writeAll } from '../io/disk.ts';
import { SimulatedClock } from './clock.ts';
import { type FileStates, TracingDisk } from './crash-states.ts';
import { SimulatedDisk } from './disk.ts';
import { Random } from './random.ts';

async function traced(
  work: (disk: TracingDisk) => Promise<void>,
  initial: FileStates = new Map(),
): Promise<TracingDisk> {
  const clock = new SimulatedClock();
  const disk = new SimulatedDisk({ clock, random: new Random(1) });
  await disk.ensureDirectory('/a');
  for (const [path, bytes] of initial) disk.place(path, bytes);
  const trace = new TracingDisk(disk, initial);
  await clock.runUntil(work(trace));
  return trace;
}

function texts(trace: TracingDisk, statesMax = 1000): Set<string> {
  return new Set(
    trace.states(trace.point, statesMax, new Random(1)).map((state) => {
      const files = [...state].map(([path, bytes]) => `${path}=${Buffer.from(bytes).toString('latin1')}`);
      return files.sort().join(' ').replaceAll('\0', '0');
    }),
  );
}

test('an unsynced write of a new file may be there, as zeros, or not, and its name as well', async () => {
  const trace = await traced(async (disk) => {
    const file = await disk.open('/a/f', 'create');
    await writeAll(file, Buffer.from('xy'), 0);
  });
  assert.deepEqual(texts(trace), new Set(['/a/f=xy', '/a/f=', '/a/f=00', '']));
});

test('what was synced is in every state', async () => {
  const trace = await traced(async (disk) => {
    const file = await disk.open('/a/f', 'create');
    await writeAll(file, Buffer.from('xy'), 0);
    await datasync(file);
    await disk.syncDirectory('/a');
    await writeAll(file, Buffer.from('z'), 2);
  });
  assert.deepEqual(texts(trace), new Set(['/a/f=xy', '/a/f=xy0', '/a/f=xyz']));
});

test('a durable write is durable by itself, and what was written before it is not', async () => {
  const trace = await traced(
    async (disk) => {
      const file = await disk.open('/a/f', 'write');
      await writeAll(file, Buffer.from('x'), 0);
      await new Promise<void>((resolve) => file.writeDurable([Buffer.from('y')], 1, () => resolve()));
    },
    new Map([['/a/f', Buffer.from('..')]]),
  );
  assert.deepEqual(texts(trace), new Set(['/a/f=xy', '/a/f=.y']));
});

test('names change one by one: a rename may be there without the removal before it', async () => {
  const trace = await traced(
    async (disk) => {
      await disk.unlink('/a/old');
      await disk.rename('/a/new', '/a/name');
    },
    new Map([
      ['/a/old', Buffer.from('1')],
      ['/a/new', Buffer.from('2')],
    ]),
  );
  const expected = ['/a/new=2 /a/old=1', '/a/new=2', '/a/name=2 /a/old=1', '/a/name=2'];
  assert.deepEqual(texts(trace), new Set(expected));
});

test('a second name of a file may be there or not, with the same bytes', async () => {
  const trace = await traced(
    async (disk) => {
      await disk.link('/a/f', '/a/g');
      await disk.unlink('/a/f');
    },
    new Map([['/a/f', Buffer.from('1')]]),
  );
  assert.deepEqual(texts(trace), new Set(['/a/f=1', '/a/f=1 /a/g=1', '/a/g=1', '']));
});

test('a large write is torn at blocks, at both sizes', async () => {
  const trace = await traced(
    async (disk) => {
      const file = await disk.open('/a/f', 'write');
      await writeAll(file, Buffer.alloc(8192, 'x'), 0);
    },
    new Map([['/a/f', Buffer.alloc(8192, '.')]]),
  );
  const states = trace.states(trace.point, 1000, new Random(1));
  const shapes = states.map((state) =>
    Buffer.from(state.get('/a/f') ?? [])
      .toString('latin1')
      .replace(/(.)\1*/g, '$1'),
  );
  assert.ok(shapes.includes('x.') && shapes.includes('.x') && shapes.some((shape) => shape.length > 8));
  assert.equal(new Set(states.map((state) => state.get('/a/f')?.join())).size, states.length);
});

test('beyond the limit states are drawn, with each operation alone kept and alone lost among them', async () => {
  const trace = await traced(
    async (disk) => {
      const file = await disk.open('/a/f', 'write');
      for (let at = 0; at < 12; at++) await writeAll(file, Buffer.from('x'), at);
    },
    new Map([['/a/f', Buffer.alloc(12, '.')]]),
  );
  const states = texts(trace, 100);
  assert.ok(states.size <= 100);
  for (let at = 0; at < 12; at++) {
    const alone = `${'.'.repeat(at)}x${'.'.repeat(11 - at)}`;
    const lost = `${'x'.repeat(at)}.${'x'.repeat(11 - at)}`;
    assert.ok(states.has(`/a/f=${alone}`) && states.has(`/a/f=${lost}`), `${at}`);
  }
});
