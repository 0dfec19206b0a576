// A process that is a shard, or several: one for each connection. A scheduler that leads connects to it, and ends what one before it has left here.
//
// Nothing protects a connection: who reaches the port can ask for all that a shard knows, and a false shard can hide nodes that would be better ones. It is
// to be reached by the schedulers alone.
//
// Limit: CONNECTIONS_MAX; more are closed at once.

import type { MessagePipe } from '../../io/message-pipe.ts';
import type { ByteStream, Listener, ListenOptions, Network } from '../../io/network.ts';
import { StreamPipe } from '../../io/stream-pipe.ts';
import { MESSAGE_BYTES_MAX } from '../shards/shard-message.ts';
import { serveShard } from './shard-end.ts';

const CONNECTIONS_MAX = 64;

export interface ShardServerNotices {
  readonly onBegun: (from: string, epoch: number) => void;
  readonly onClosed: (from: string, reason: string) => void;
}

/** Opens a pipe to a shard that listens there. */
export function socketOpening(network: Network, address: ListenOptions): () => MessagePipe {
  return () => new StreamPipe(network.connect(address), MESSAGE_BYTES_MAX);
}

export class ShardServer {
  readonly #notices: ShardServerNotices;
  /** With the epoch that has begun there; 0: none has. */
  readonly #pipes = new Map<MessagePipe, number>();
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
    for (const pipe of this.#pipes.keys()) pipe.close();
    this.#pipes.clear();
    await this.#listener?.close();
  }

  #accept(stream: ByteStream): void {
    const from = stream.remoteAddress;
    const pipe = new StreamPipe(stream, MESSAGE_BYTES_MAX);
    if (this.#pipes.size >= CONNECTIONS_MAX) {
      this.#notices.onClosed(from, `there are ${CONNECTIONS_MAX} connections`);
      pipe.start({ onMessage: () => {}, onClose: () => {} });
      pipe.close();
      return;
    }
    this.#pipes.set(pipe, 0);
    serveShard({
      pipe,
      epoch: this.#epoch,
      onBegun: (epoch) => {
        this.#pipes.set(pipe, epoch);
        this.#begin(epoch);
        this.#notices.onBegun(from, epoch);
      },
      onClose: (reason) => {
        if (this.#pipes.delete(pipe)) this.#notices.onClosed(from, reason);
      },
    });
  }

  /** Whoever led before is asked by nobody any more. */
  #begin(epoch: number): void {
    this.#epoch = Math.max(this.#epoch, epoch);
    for (const [pipe, begun] of this.#pipes) {
      if (begun === 0 || begun >= this.#epoch) continue;
      this.#pipes.delete(pipe);
      pipe.close();
    }
  }
}
