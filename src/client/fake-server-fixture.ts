// A server of a few lines on the simulated network, and a client of it.

import assert from 'node:assert/strict';
import type { StatusError } from '../api/errors.ts';
import type * as m from '../api/messages.ts';
import type { MessageType } from '../api/schema.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { OK_FIELDS, RESPONSE_FIELDS } from '../grpc/status-fields.ts';
import { Connection } from '../h2/connection.ts';
import type { ConnectionHandler } from '../h2/connection-handler.ts';
import { CLIENT_H2_OPTIONS, type ConnectionOptions, SERVER_DEFAULTS } from '../h2/connection-options.ts';
import { Driver } from '../h2/driver.ts';
import { type HeaderBlock, headerValue } from '../h2/header-block.ts';
import type { Stream } from '../h2/stream.ts';
import { SimulatedClock } from '../testing/clock.ts';
import { SimulatedNetwork } from '../testing/network.ts';
import { Random } from '../testing/random.ts';
import { EtcdClient } from './etcd-client.ts';
import { MessageReader } from './message-reader.ts';

export interface FakeCall {
  readonly path: string;
  readonly block: HeaderBlock;
  send<T extends object>(type: MessageType<T>, value: Partial<T>): void;
  end(code: number, text?: string): void;
}

export type Script = (call: FakeCall, message: Uint8Array) => void;

class FakeConnection implements ConnectionHandler {
  readonly h2: Connection;
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
    this.h2 = new Connection('server', SERVER_DEFAULTS, this);
  }

  onHeaders(stream: Stream, block: HeaderBlock): void {
    const { h2 } = this;
    let hasHeaders = false;
    const open = (): void => {
      if (!hasHeaders) h2.sendHeaders(stream, RESPONSE_FIELDS, null, false);
      hasHeaders = true;
    };
    const call: FakeCall = {
      path: headerValue(block.fields, ':path') ?? '',
      block,
      send: (type, value) => {
        open();
        const writer = new ByteWriter();
        type.encode(value, writer);
        h2.sendMessage(stream, writer.copy(), 0, writer.position, false);
      },
      end: (code, text = '') => {
        open();
        const fields = [
          { name: 'grpc-status', value: String(code) },
          { name: 'grpc-message', value: text },
        ];
        h2.sendHeaders(stream, code === 0 ? OK_FIELDS : fields, null, true);
      },
    };
    const reader = new MessageReader();
    stream.userData = (buffer: Uint8Array, start: number, end: number): void =>
      reader.receive(buffer, start, end, (bytes, from, to) => {
        this.#world.messages++;
        this.#world.script(call, bytes.slice(from, to));
      });
  }

  onData(stream: Stream, buffer: Uint8Array, start: number, end: number): void {
    if (typeof stream.userData === 'function') stream.userData(buffer, start, end);
  }

  onTrailers(): void {}
  onReset(): void {}
  onDrain(): void {}
  onSettings(): void {}
  onGoaway(): void {}
  onBatchEnd(): void {}
  onPingAck(): void {}
  onClose(): void {}
}

export const PORT = 2379;

export class World {
  readonly clock: SimulatedClock = new SimulatedClock();
  readonly network: SimulatedNetwork = new SimulatedNetwork({ clock: this.clock, random: new Random(7) });
  readonly client: EtcdClient;
  /** Messages the server has received. */
  messages = 0;
  drivers: Driver[] = [];
  script: Script;

  constructor(script: Script, h2: Partial<ConnectionOptions> = {}) {
    this.script = script;
    this.client = new EtcdClient({
      network: this.network,
      clock: this.clock,
      endpoints: [`http://a:${PORT}`, `http://b:${PORT + 1}`],
      random: () => 0.5,
      h2: { ...CLIENT_H2_OPTIONS, ...h2 },
    });
  }

  async listen(port: number = PORT): Promise<{ close(): Promise<void> }> {
    return this.network.listen({ host: '', port }, (stream) => {
      const driver = new Driver(new FakeConnection(this).h2, stream, this.clock, () => undefined);
      this.drivers.push(driver);
      driver.start();
    });
  }

  cut(): void {
    for (const driver of this.drivers.splice(0)) driver.transport.destroy();
  }
}

export const header = (revision: number): m.ResponseHeader => ({
  cluster_id: 1n,
  member_id: 2n,
  revision,
  raft_term: 3,
});

export function failure(promise: Promise<unknown>): Promise<StatusError> {
  return promise.then(
    () => assert.fail('the call succeeded'),
    (error: StatusError) => error,
  );
}
