// What a thread runs that is a shard.

import { assert } from '../../base/assert.ts';
import { parentPipe } from '../../io/thread-pipe.ts';
import { serveShard } from './shard-end.ts';

const pipe = parentPipe();
assert(pipe !== undefined, 'this module is the main one of a thread');
serveShard({ pipe, epoch: 0, onBegun: () => {}, onClose: () => pipe.close() });
