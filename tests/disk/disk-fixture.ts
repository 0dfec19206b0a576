// A server in simulated time whose disk can be stalled and filled, with what it tells its operator written down.

import assert from 'node:assert/strict';
import { StatusError } from '../../src/api/errors.ts';
import type { TypedMethod } from '../../src/api/methods.ts';
import * as methods from '../../src/api/methods.ts';
import type { DiskNotices } from '../../src/etcd/disk-health.ts';
import { put, range, remove } from '../compat/requests.ts';
import { type ServerChanges, SimulatedServer } from '../compat/server-fixture.ts';

export class DiskNotes implements DiskNotices {
  readonly #nowMs: () => number;
  readonly lines: string[] = [];
  /** When the last line was told. */
  lastMs = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  onDiskStalled(_stalledMs: number, isFull: boolean): void {
    this.#note(isFull ? 'stalled, full' : 'stalled');
  }

  onDiskAnswered(): void {
    this.#note('answered');
  }

  onSpaceLow(): void {
    this.#note('low');
  }

  onSpaceEnough(): void {
    this.#note('enough');
  }

  onSpaceUnknown(): void {
    this.#note('unknown');
  }

  #note(line: string): void {
    this.lines.push(line);
    this.lastMs = this.#nowMs();
  }
}

export class DiskBench {
  readonly server: SimulatedServer;
  readonly notes: DiskNotes;

  private constructor(seed: number, changes: ServerChanges) {
    const late: { server: SimulatedServer | undefined } = { server: undefined };
    this.notes = new DiskNotes(() => late.server?.clock.nowMs() ?? 0);
    this.server = new SimulatedServer(seed, { diskNotices: this.notes, ...changes });
    late.server = this.server;
  }

  static async open(seed: number, changes: ServerChanges = {}): Promise<DiskBench> {
    const bench = new DiskBench(seed, changes);
    await bench.server.start();
    return bench;
  }

  get nowMs(): number {
    return this.server.clock.nowMs();
  }

  pass(ms: number): Promise<void> {
    return this.server.drive(new Promise<void>((resolve) => this.server.clock.setTimer(ms, resolve)));
  }

  call<Q extends object, R extends object>(method: TypedMethod<Q, R>, request: Partial<Q>): Promise<R> {
    return this.server.drive(this.server.client.unary(method, request));
  }

  /** Begins a call; what becomes of it is noted. */
  begin<Q extends object, R extends object>(method: TypedMethod<Q, R>, request: Partial<Q>): { outcome: string } {
    const begun = { outcome: 'waits' };
    this.server.client.unary(method, request).then(
      () => {
        begun.outcome = 'answered';
      },
      (error: unknown) => {
        begun.outcome = String(error);
      },
    );
    return begun;
  }

  async put(key: string, bytes = 10): Promise<void> {
    await this.call(methods.put, put(key, 'x'.repeat(bytes)));
  }

  async remove(key: string, end = ''): Promise<void> {
    await this.call(methods.deleteRange, remove(key, end));
  }

  async keys(): Promise<string[]> {
    const { kvs } = await this.call(methods.range, range({ key: 'a', end: 'z', keys_only: true }));
    return kvs.map(({ key }) => Buffer.from(key).toString('latin1'));
  }

  /** etcd's text; asserts that the call is refused. */
  async refusal<Q extends object, R extends object>(method: TypedMethod<Q, R>, request: Partial<Q>): Promise<string> {
    const error = await this.call(method, request).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof StatusError, `refused, not ${error}`);
    return error.message;
  }

  /** Status and body of a plain HTTP request. */
  http(target: string): { status: number; body: string } {
    let answer = { status: 0, body: '' };
    this.server.server.http.handle({ method: 'GET', target }, (response) => {
      answer = response;
    });
    return answer;
  }

  async metric(name: string): Promise<number> {
    const text = await this.server.drive(this.server.server.metrics.text());
    const match = new RegExp(`^${name} (.*)$`, 'm').exec(text);
    assert.ok(match !== null, `${name} is there`);
    return Number(match[1]);
  }

  close(): Promise<void> {
    return this.server.close();
  }
}
