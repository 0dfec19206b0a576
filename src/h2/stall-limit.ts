// Which streams have stood still for too long: they have something queued that the peer does not take, by its windows or by its socket, and
// are not among those that may (Stream.isStallLimited).

import type { Stream } from './stream.ts';

/** To be asked of every open stream, once a second or so; `msMax` is ConnectionOptions.streamStallMsMax. */
export function isStalled(stream: Stream, nowMs: number, msMax: number): boolean {
  if (!stream.isStallLimited || stream.queue === null || stream.queue.isEmpty) {
    stream.stallMs = 0;
    return false;
  }
  if (stream.stallMs === 0 || stream.queuedFramesSent !== stream.stallFramesSent) {
    stream.stallFramesSent = stream.queuedFramesSent;
    stream.stallMs = nowMs;
    return false;
  }
  return nowMs - stream.stallMs >= msMax;
}
