// One HTTP/2 stream as its connection keeps it. Objects are pooled.
//
// Lifetime for the layer above: a Stream is its to use from onHeaders (server) or openStream/request (client) until
//   - onReset is called for it, or it called reset() itself; or
//   - both directions have ended: it was told endStream, and it ended its own side (respondUnary, endStream: true)
//     and the queue has drained. On a server ending its own side is enough: what the client had still to send is
//     declined (RST_STREAM NO_ERROR). A client that is told endStream while it is still sending calls reset().
// From then on the object may be given to another request: the layer above drops its reference, or compares
// `id` with the one it remembers. `userData` is cleared.
//
// Windows: sendWindow is the peer's credit (may be negative after it shrank SETTINGS_INITIAL_WINDOW_SIZE);
// receiveWindow is what the peer may still send; unackedBytes is received and consumed but not yet credited back, less what
// was credited ahead.

import type { SendQueue } from './send-queue.ts';

export class Stream {
  /** 1 … 2^31 − 1; 0 in the pool. */
  id = 0;
  /** Belongs to the layer above. */
  userData: unknown = undefined;
  /** False: received bytes are credited back to the peer only by Connection.consumed. Set it in onHeaders. */
  isAutoConsumed = true;
  /** The peer may not leave what is queued for ever (ConnectionOptions.streamStallMsMax). Reset with the stream. */
  isStallLimited = false;
  /** Bytes given to sendData that the connection has not put into frames yet (sources are not counted). */
  queuedBytes = 0;
  /** END_STREAM of ours was asked for (perhaps still queued): nothing more may be sent. */
  isEnding = false;
  /** END_STREAM of ours is in the output. */
  isLocalClosed = false;
  /** END_STREAM of the peer has arrived. */
  isRemoteClosed = false;

  // What follows belongs to the connection.

  sendWindow = 0;
  receiveWindow = 0;
  unackedBytes = 0;
  /** Bytes of content-length still to come; −1 when not announced. */
  expectedBytes = -1;
  /** The first (final) HEADERS have arrived: the next ones are trailers. */
  hasHeaders = false;
  /** onDrain is owed: the queue was above the low mark. */
  isDrainOwed = false;
  /** What waits to be sent; null when nothing ever had to. */
  queue: SendQueue | null = null;
  /** Frames sent from the queue; and how many they were when it was last seen not to stand still, and when that was (0: not yet). */
  queuedFramesSent = 0;
  stallFramesSent = 0;
  stallMs = 0;
  /** Neighbours in the connection's list of streams with something queued. */
  next: Stream | null = null;
  previous: Stream | null = null;
  isListed = false;
}
