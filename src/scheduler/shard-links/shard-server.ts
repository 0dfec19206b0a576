// A process that is a shard, or several: one for each connection. A scheduler that leads connects to it, and ends what one before it has left here.
//
// Who reaches the port can ask for all that a shard knows, and a false shard can hide nodes that would be better ones. It is to be reached by the
// schedulers alone: by the network that it is given (TLS with certificates on both sides), or by where that network goes.
//
// Limit: CONNECTIONS_MAX; for one more the oldest one goes that nothing has begun on, or else it is closed itself.

import type { MessagePipe } from '../../io/message-pipe.ts';
import type { ByteStream, Listener, ListenOptions, Network } from '../../io/network.ts';
import { StreamPipe } from '../../io/stream-pipe.ts';
import { MESSAGE_BYTES_MAX } from '../shards/shard-message.ts';
import { serveShard } from './shard-end.ts';

const CONNECTIONS_MAX = 64;
const FULL = `there are ${CONNECTIONS_MAX} connections`;

export interface ShardServerNotices {
  readonly onBegun: (from: string, epoch: number) => void;
  readonly onClosed: (from: string, reason: string) => void;
}

/** Opens a pipe to a shard that listens there. */
export function socketOpening(network: Network, address: ListenOptions): () => MessagePipe {
  return () => new StreamPipe(network.connect(address), MESSAGE_BYTES_MAX);
}

interface Connection {
  readonly from: string;
  /** That has begun there; 0: none has. */
  epoch: number;
}

export class ShardServer {
  readonly #notices: ShardServerNotices;
  /** The oldest first. */
  readonly #connections = new Map<MessagePipe, Connection>();
  #epoch = 0;
  #listener: Listener | undefined;
  #isClosed = false;

  constructor(notices: ShardServerNotices) {
    this.#notices = notices;
  }

  /** Resolves with the port. */
  async listen(network: Network, address: ListenOptions): Promise<number> {
    const listener = await network.listen(address, (stream) => this.#accept(stream));
    this.#listener = listener;
    if (this.#isClosed) await listener.close();
    return listener.port;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const pipe of this.#connections.keys()) pipe.close();
    this.#connections.clear();
    await this.#listener?.close();
  }

  #accept(stream: ByteStream): void {
    const from = stream.remoteAddress;
    const pipe = new StreamPipe(stream, MESSAGE_BYTES_MAX);
    if (!this.#hasRoom()) {
      this.#notices.onClosed(from, FULL);
      pipe.start({ onMessage: () => {}, onClose: () => {} });
      pipe.close();
      return;
    }
    const connection: Connection = { from, epoch: 0 };
    this.#connections.set(pipe, connection);
    serveShard({
      pipe,
      epoch: this.#epoch,
      onBegun: (epoch) => {
        connection.epoch = epoch;
        this.#notices.onBegun(from, epoch);
        this.#begin(epoch);
      },
      onClose: (reason) => {
        if (this.#connections.delete(pipe)) this.#notices.onClosed(from, reason);
      },
    });
  }

  /** For one more connection, in place of one that says nothing if need be. */
  #hasRoom(): boolean {
    if (this.#connections.size < CONNECTIONS_MAX) return true;
    for (const [pipe, { epoch }] of this.#connections) {
      if (epoch > 0) continue;
      this.#end(pipe, FULL);
      return true;
    }
    return false;
  }

  /** Whoever led before is asked by nobody any more. */
  #begin(epoch: number): void {
    this.#epoch = Math.max(this.#epoch, epoch);
    for (const [pipe, { epoch: begun }] of this.#connections) {
      if (begun > 0 && begun < this.#epoch) this.#end(pipe, `epoch ${begun} is over: ${this.#epoch} has begun`);
    }
  }

  #end(pipe: MessagePipe, reason: string): void {
    const connection = this.#connections.get(pipe);
    this.#connections.delete(pipe);
    pipe.close();
    if (connection !== undefined) this.#notices.onClosed(connection.from, reason);
  }
}
