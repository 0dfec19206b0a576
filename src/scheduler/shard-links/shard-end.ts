// A shard at its end of a pipe: takes in what comes, says what it has to say, and ends the pipe for what it cannot read.

import { errorText } from '../../base/error-text.ts';
import type { MessagePipe } from '../../io/message-pipe.ts';
import { Shard } from '../shards/shard.ts';

export interface ShardEndOptions {
  readonly pipe: MessagePipe;
  /** Of the newest sequencer that is known here. */
  readonly epoch: number;
  /** A sequencer has begun. */
  readonly onBegun: (epoch: number) => void;
  /** Once it is of no more use. */
  readonly onClose: (reason: string) => void;
}

export function serveShard({ pipe, epoch, onBegun, onClose }: ShardEndOptions): void {
  const shard = new Shard(epoch);
  const speak = (): void => {
    const message = shard.take();
    if (message !== undefined) pipe.send(message);
  };
  pipe.start({
    onMessage: (message) => {
      const before = shard.epoch;
      try {
        shard.receive(message);
      } catch (error) {
        // Whatever it is, it concerns this sequencer alone: nothing of the shard is kept.
        pipe.close();
        onClose(errorText(error));
        return;
      }
      if (shard.epoch !== before) onBegun(shard.epoch);
      speak();
    },
    onClose,
  });
  speak();
}
