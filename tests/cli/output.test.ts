import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Writable } from 'node:stream';
import { describe, it } from 'node:test';
import { Output, OutputClosedError } from '../../src/cli/output.ts';

/** Takes so many writes, then fails with the code. */
function reader(taken: string[], writesMax: number, code: string): Writable {
  return new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      if (taken.length >= writesMax) {
        done(Object.assign(new Error(code), { code }));
        return;
      }
      taken.push(chunk);
      setImmediate(done);
    },
  });
}

describe('long output', () => {
  it('goes out in pieces, each when the one before is taken', async () => {
    const taken: string[] = [];
    const output = new Output(reader(taken, 1000, 'EPIPE'));
    const line = `${'x'.repeat(99)}\n`;
    for (let i = 0; i < 2000; i++) {
      const waits = output.write(line);
      if (waits !== undefined) await waits;
    }
    await output.flush();
    assert.equal(taken.join(''), line.repeat(2000));
    assert.ok(taken.length > 2 && taken.length < 10, `${taken.length} pieces`);
  });

  it('ends where its reader goes away', async () => {
    const output = new Output(reader([], 0, 'EPIPE'));
    output.write('x');
    await assert.rejects(output.flush(), OutputClosedError);
    output.write('y');
    await assert.rejects(output.flush(), OutputClosedError);
  });

  it('tells every other failure', async () => {
    const output = new Output(reader([], 0, 'ENOSPC'));
    output.write('x');
    await assert.rejects(output.flush(), { code: 'ENOSPC' });
  });
});

describe('short output', () => {
  it('is no failure where nobody reads it', async () => {
    const child = spawn(process.execPath, ['src/cli/main.ts', 'version'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    let said = '';
    child.stderr.on('data', (chunk) => (said += chunk));
    const [code] = await once(child, 'close');
    assert.deepEqual([code, said], [0, '']);
  });
});
