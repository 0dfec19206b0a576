// Shards that are threads of this process.

import type { MessagePipe } from '../../io/message-pipe.ts';
import { startThread } from '../../io/thread-pipe.ts';

export function threadOpenings(count: number): (() => MessagePipe)[] {
  // As this one is: TypeScript, or what was made of it.
  const { url } = import.meta;
  const module = new URL(`./shard-thread${url.slice(url.lastIndexOf('.'))}`, url);
  return Array.from({ length: count }, () => () => startThread(module));
}
