// Which streams have stood still for too long: they have something queued that the peer does not take, by its windows or by its socket, and
// are not among those that may (Stream.isStallLimited). Who waits for its turn, or for us, does not stand still.

import type { Stream } from './stream.ts';

/** What all streams of a connection share. */
export interface SharedWay {
  /** The connection's window is open, and its socket has taken something since the last time, or has little to take. */
  readonly isOpen: boolean;
  readonly nowMs: number;
  /** ConnectionOptions.streamStallMsMax. */
  readonly msMax: number;
}

export function canStall({ isStallLimited, queue }: Stream): boolean {
  return isStallLimited && queue !== null && !queue.isEmpty;
}

/** To be asked once a second or so of every open stream that can. */
export function isStalled(stream: Stream, { isOpen, nowMs, msMax }: SharedWay): boolean {
  if (!canStall(stream)) return false;
  const isPeersTurn = !isOpen || stream.sendWindow <= 0;
  if (!isPeersTurn || stream.stallMs === 0 || stream.queuedFramesSent !== stream.stallFramesSent) {
    stream.stallFramesSent = stream.queuedFramesSent;
    stream.stallMs = nowMs;
    return false;
  }
  return nowMs - stream.stallMs >= msMax;
}
