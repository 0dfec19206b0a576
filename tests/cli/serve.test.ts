import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { crc32 } from 'node:zlib';
import { LISTEN, message, run, type Serving, serve, temporaryFolder } from './binary-fixture.ts';

const SEGMENT = '0000000000000001.wal';

async function putMany(server: Serving, count: number): Promise<number> {
  let revision = 0;
  for (let i = 0; i < count; i++) revision = (await server.client.put(`key${i}`, `value${i}`)).header?.revision ?? 0;
  return revision;
}

/** Every file of the log with its bytes. */
function logOf(folder: string): Map<string, string> {
  const wal = join(folder, 'wal');
  return new Map(readdirSync(wal).map((name) => [name, readFileSync(join(wal, name)).toString('hex')]));
}

/** Changes a closed log of some keys, and checks that it is refused and left alone. */
async function refused(folder: string, says: RegExp): Promise<void> {
  const before = logOf(folder);
  const outcome = await run(['serve', '--data-dir', folder, ...LISTEN]);
  assert.match(message(outcome), says);
  assert.equal(outcome.code, 1);
  assert.deepEqual(logOf(folder), before);
}

describe('k1m serve', { concurrency: 3 }, () => {
  it('says what it is, where its data lies, how durable they are and what to try', async (test) => {
    const folder = temporaryFolder(test);
    const { welcome, endpoint } = await serve(test, folder);
    assert.match(welcome, /^k1m serves the etcd 3\.7 API on http:\/\/127\.0\.0\.1:\d+\n/);
    assert.ok(welcome.includes(`${folder} (new)`));
    assert.match(
      welcome,
      /durability {2}fsync: a killed process loses nothing, a power cut nothing, a lost disk everything\n/,
    );
    assert.ok(welcome.includes(`curl ${endpoint}/health`));
    assert.equal(await (await fetch(`${endpoint}/health`)).text(), '{"health":"true","reason":""}');
  });

  it('ends with 0 on SIGTERM and goes on at the same revision', async (test) => {
    const folder = temporaryFolder(test);
    const first = await serve(test, folder);
    const revision = await putMany(first, 10);
    assert.deepEqual(await first.end('SIGTERM'), [0, null]);
    const second = await serve(test, folder);
    const range = await second.client.range({ key: Buffer.from('key9') });
    assert.equal(range.header?.revision, revision);
    assert.equal(Buffer.from(range.kvs[0].value).toString(), 'value9');
  });

  it('keeps every acknowledged write over kill -9', async (test) => {
    const folder = temporaryFolder(test);
    const first = await serve(test, folder);
    const revision = await putMany(first, 50);
    await first.end('SIGKILL');
    const second = await serve(test, folder);
    const range = await second.client.range({ key: Buffer.from('key'), range_end: Buffer.from('kez') });
    assert.equal(range.count, 50);
    assert.ok((range.header?.revision ?? 0) >= revision);
  });

  it('reads its flags from a config file', async (test) => {
    const folder = temporaryFolder(test);
    const file = join(folder, 'k1m.yaml');
    const url = 'http://127.0.0.1:0';
    writeFileSync(
      file,
      `data-dir: ${folder}/data\nlisten-client-urls: ${url}\nadvertise-client-urls: ${url}\ndurability: buffered\n`,
    );
    const { welcome } = await serve(test, 'ignored', ['--config-file', file]);
    assert.ok(welcome.includes(`${folder}/data (new)`));
    assert.match(
      welcome,
      /durability {2}buffered: a killed process loses nothing, a power cut at most 200 ms or 32 MiB,/,
    );
  });

  it('documents every metric it publishes', async (test) => {
    const { endpoint } = await serve(test, temporaryFolder(test));
    const text = await (await fetch(`${endpoint}/metrics`)).text();
    const page = readFileSync(join(import.meta.dirname, '../../docs/etcd-api.md'), 'utf8');
    const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    assert.ok(names.length > 40);
    assert.deepEqual(
      names.filter((name) => !page.includes(`\`${name}\``)),
      [],
    );
  });

  it('refuses a port that is taken, and makes no folder', async (test) => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    test.after(() => taken.close());
    const address = taken.address();
    assert.ok(typeof address === 'object' && address !== null);
    const url = `http://127.0.0.1:${address.port}`;
    const flags = ['--listen-client-urls', url, '--advertise-client-urls', url];
    const folder = join(temporaryFolder(test), 'data');
    const outcome = await run(['serve', '--data-dir', folder, ...flags]);
    assert.equal(existsSync(folder), false);
    assert.equal(message(outcome), `k1m: listen tcp 127.0.0.1:${address.port}: bind: address already in use`);
    assert.equal(outcome.code, 1);
  });

  it('refuses a folder that another process serves, which goes on', async (test) => {
    const folder = temporaryFolder(test);
    const first = await serve(test, folder);
    const outcome = await run(['serve', '--data-dir', folder, ...LISTEN]);
    assert.match(message(outcome), /^k1m: .* is in use by process \d+$/);
    assert.equal(outcome.code, 1);
    await putMany(first, 1);
  });

  it('refuses a folder it cannot make or write', async (test) => {
    const folder = temporaryFolder(test);
    writeFileSync(join(folder, 'file'), '');
    for (const path of [join(folder, 'file'), join(folder, 'file', 'below'), '/proc/k1m']) {
      const outcome = await run(['serve', '--data-dir', path, ...LISTEN]);
      assert.match(message(outcome), /^k1m: mkdir [^\n]*$/);
      assert.equal(outcome.code, 1);
    }
    if (process.getuid?.() === 0) return;
    mkdirSync(join(folder, 'sealed'));
    chmodSync(join(folder, 'sealed'), 0o500);
    const outcome = await run(['serve', '--data-dir', join(folder, 'sealed'), ...LISTEN]);
    assert.match(message(outcome), /^k1m: [^\n]*permission denied[^\n]*$/);
  });

  it('refuses a damaged log with file and offset, and changes nothing', async (test) => {
    const folder = temporaryFolder(test);
    const server = await serve(test, folder);
    await putMany(server, 20);
    await server.end('SIGTERM');
    const file = join(folder, 'wal', SEGMENT);
    const bytes = readFileSync(file);
    bytes[bytes.indexOf('value3')] ^= 1;
    writeFileSync(file, bytes);
    await refused(folder, new RegExp(`^k1m: ${file} is damaged at byte \\d+: [^\\n]+$`));
  });

  it('refuses the log of a newer version, and changes nothing', async (test) => {
    const folder = temporaryFolder(test);
    await (await serve(test, folder)).end('SIGTERM');
    const file = join(folder, 'wal', SEGMENT);
    const bytes = readFileSync(file);
    bytes.writeUInt32LE(9, 8);
    bytes.writeUInt32LE(crc32(bytes.subarray(16, 64), crc32(bytes.subarray(0, 12))), 12);
    writeFileSync(file, bytes);
    await refused(folder, new RegExp(`^k1m: ${file} [^\\n]*(?:format|version)[^\\n]*$`));
  });

  it("refuses an etcd's folder, says what takes it in, and changes nothing", async (test) => {
    const folder = temporaryFolder(test);
    mkdirSync(join(folder, 'member', 'wal'), { recursive: true });
    const says = `is the data of an etcd; 'k1m snapshot restore ${folder} --data-dir NEW' makes a folder of k1m from it`;
    const outcome = await run(['serve', '--data-dir', folder, ...LISTEN]);
    assert.equal(message(outcome), `k1m: ${folder}/member ${says}`);
    assert.equal(outcome.code, 1);
    assert.deepEqual(readdirSync(folder), ['member']);
  });

  it("serves a log of ours that stands beside an etcd's data", async (test) => {
    const folder = temporaryFolder(test);
    await (await serve(test, folder)).end('SIGTERM');
    mkdirSync(join(folder, 'member', 'wal'), { recursive: true });
    await (await serve(test, folder)).end('SIGTERM');
  });

  it('refuses a folder with files of something else, and changes nothing', async (test) => {
    const folder = temporaryFolder(test);
    mkdirSync(join(folder, 'wal'));
    writeFileSync(join(folder, 'wal', '0000000000000000-0000000000000000.wal'), 'etcd');
    await refused(folder, /^k1m: \S+ [^\n]+$/);
  });
});

const olderNode = ['/usr/bin/node', '/usr/local/bin/node', '/bin/node'].find((path) => {
  if (!existsSync(path)) return false;
  return Number(/^v(\d+)/.exec(spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout)?.[1] ?? 24) < 24;
});

describe("bin/k1m.js on the machine's own older Node", { skip: olderNode === undefined }, () => {
  const options = olderNode === undefined ? {} : { node: olderNode };

  it('hands over to the one npm ci brought, with output and exit code', async () => {
    const { code, stdout } = await run(['version'], options);
    assert.match(stdout, /Node\.js v24/);
    assert.equal(code, 0);
    assert.equal((await run(['serve', '--bogus'], options)).code, 2);
  });

  it('passes signals on', async (test) => {
    const server = await serve(test, temporaryFolder(test), LISTEN, options);
    assert.deepEqual(await server.end('SIGTERM'), [0, null]);
  });
});
