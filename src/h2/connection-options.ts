// What can be set about a connection, with the defaults, and what it counts.
//
// Every limit is per connection. Reaching one never disturbs other connections. docs/h2.md has them as a table.

import { STREAM_ID_MAX } from './frame.ts';

export interface ConnectionOptions {
  /** SETTINGS_MAX_CONCURRENT_STREAMS; a further stream is refused. */
  readonly concurrentStreamsMax: number;
  /** Client: the last id that a stream gets; then the connection is used up, and another one has ids again (RFC 9113 §5.1.1). */
  readonly streamIdMax: number;
  /** SETTINGS_MAX_FRAME_SIZE; a longer frame is a FRAME_SIZE_ERROR. 16384 … 2^24 − 1. */
  readonly frameBytesMax: number;
  /** SETTINGS_MAX_HEADER_LIST_SIZE (names, values and 32 a field); a longer list resets its stream. */
  readonly headerListBytesMax: number;
  /** SETTINGS_HEADER_TABLE_SIZE: the table our decoder keeps. */
  readonly decoderTableBytesMax: number;
  /** The table our encoder uses of what the peer offers. */
  readonly encoderTableBytesMax: number;
  /** Encoded bytes of one field section over all its frames. */
  readonly headerBlockBytesMax: number;
  /** CONTINUATION frames of one field section. */
  readonly continuationFramesMax: number;
  /** Receive window of the connection, and of each stream (SETTINGS_INITIAL_WINDOW_SIZE). */
  readonly connectionWindowBytes: number;
  readonly streamWindowBytes: number;

  /** Bytes of one stream waiting for windows or the socket; above it the stream is reset. */
  readonly streamQueueBytesMax: number;
  /** onDrain is called when a stream's queue falls to this after it was above. */
  readonly streamQueueLowBytes: number;
  /** While the socket holds more than this, queued data and sources wait. */
  readonly transportBacklogBytesMax: number;
  /** While the socket and our output hold more than this, nothing is read from the peer. */
  readonly outputBacklogBytesMax: number;
  /**
   * How long a backlog above transportBacklogBytesMax may stand still before the connection is closed: as long as a kernel tries to reach a peer that
   * is gone, since one that was stopped may go on, and what waits meanwhile is bounded.
   */
  readonly outputStallMsMax: number;

  /** How long what a stream with `isStallLimited` has queued may stand still before it is reset. */
  readonly streamStallMsMax: number;

  /** The window over which the abuse limits below count. */
  readonly abuseWindowMs: number;
  /** RST_STREAM by the peer for streams we have not finished ("rapid reset"). */
  readonly peerResetsMax: number;
  /** Streams we reset because the peer broke a rule ("made you reset"). */
  readonly provokedResetsMax: number;
  /** SETTINGS and PING frames that we acknowledge, above one for each DATA frame of ours. */
  readonly controlFramesMax: number;
  /** DATA frames without a byte and without END_STREAM. */
  readonly emptyDataFramesMax: number;
  /** WINDOW_UPDATE frames above one for each DATA frame of ours. */
  readonly windowUpdatesMax: number;
  /** PRIORITY and unknown frames, and frames for closed streams. */
  readonly ignoredFramesMax: number;

  /** Until the preface and the peer's SETTINGS are there. */
  readonly handshakeMsMax: number;
  /** How long the peer may take to acknowledge our SETTINGS. */
  readonly settingsAckMsMax: number;
  /** Silence after which we ping; 0: never. */
  readonly keepaliveTimeMs: number;
  /** Silence after such a ping after which the connection is dead. */
  readonly keepaliveTimeoutMs: number;
  /** Whether we ping without open streams. */
  readonly isKeepaliveWithoutStreams: boolean;
  /** Server: the least time between two pings of a client; 0: not enforced. */
  readonly pingMinTimeMs: number;
  /** Server: whether clients may ping (that often) without open streams. */
  readonly isPingPermittedWithoutStreams: boolean;
  /** Server: pings that came too early before the connection is closed with "too_many_pings". */
  readonly pingStrikesMax: number;
  /** How long a graceful shutdown waits for open streams; 0: for ever. */
  readonly shutdownMsMax: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

const SHARED: Omit<ConnectionOptions, 'keepaliveTimeMs' | 'keepaliveTimeoutMs' | 'isKeepaliveWithoutStreams'> = {
  concurrentStreamsMax: 0xffff_ffff,
  streamIdMax: STREAM_ID_MAX,
  frameBytesMax: 16 * KIB,
  headerListBytesMax: 64 * KIB,
  decoderTableBytesMax: 4 * KIB,
  encoderTableBytesMax: 4 * KIB,
  headerBlockBytesMax: 64 * KIB,
  continuationFramesMax: 32,
  connectionWindowBytes: 8 * MIB,
  streamWindowBytes: 2 * MIB,
  streamQueueBytesMax: 64 * MIB,
  streamQueueLowBytes: 64 * KIB,
  transportBacklogBytesMax: 1 * MIB,
  outputBacklogBytesMax: 16 * MIB,
  outputStallMsMax: 15 * 60_000,
  streamStallMsMax: 60_000,
  abuseWindowMs: 10_000,
  peerResetsMax: 20_000,
  provokedResetsMax: 1_000,
  controlFramesMax: 1_000,
  emptyDataFramesMax: 1_000,
  windowUpdatesMax: 10_000,
  ignoredFramesMax: 10_000,
  handshakeMsMax: 10_000,
  settingsAckMsMax: 30_000,
  pingMinTimeMs: 5_000,
  isPingPermittedWithoutStreams: false,
  pingStrikesMax: 2,
  shutdownMsMax: 0,
};

/** As etcd's gRPC server: pings after two hours of silence, 20 s to answer. */
export const SERVER_DEFAULTS: ConnectionOptions = {
  ...SHARED,
  keepaliveTimeMs: 7_200_000,
  keepaliveTimeoutMs: 20_000,
  isKeepaliveWithoutStreams: true,
};

/** As kube-apiserver's etcd client: pings after 30 s of silence while calls are open, 10 s to answer. */
export const CLIENT_DEFAULTS: ConnectionOptions = {
  ...SHARED,
  keepaliveTimeMs: 30_000,
  keepaliveTimeoutMs: 10_000,
  isKeepaliveWithoutStreams: false,
};

/**
 * For clients of servers that they were told to trust, since limits against hostile peers are for servers: grpc-go measures bandwidth by
 * pings, thousands a second, and Go's servers credit windows in small steps.
 */
export const CLIENT_H2_OPTIONS: ConnectionOptions = {
  ...CLIENT_DEFAULTS,
  peerResetsMax: Number.POSITIVE_INFINITY,
  controlFramesMax: Number.POSITIVE_INFINITY,
  windowUpdatesMax: Number.POSITIVE_INFINITY,
  emptyDataFramesMax: Number.POSITIVE_INFINITY,
  ignoredFramesMax: Number.POSITIVE_INFINITY,
};

/** Counters of one connection, only growing; metrics read them. */
export class ConnectionStats {
  bytesReceived = 0;
  bytesSent = 0;
  framesReceived = 0;
  streamsOpened = 0;
  streamsRefused = 0;
  /** RST_STREAM received for streams that were open, and all that we sent. */
  resetsReceived = 0;
  resetsSent = 0;
  /** Stream errors of the peer's making. */
  provokedResets = 0;
  controlFramesReceived = 0;
  emptyDataFramesReceived = 0;
  windowUpdatesReceived = 0;
  ignoredFramesReceived = 0;
  headerListsTooLong = 0;
  queueOverflows = 0;
  streamStalls = 0;
  pingStrikes = 0;
  keepalivePingsSent = 0;
  /** How often a limit ended the connection (0 or 1 here; the sum over connections is the metric). */
  limitsExceeded = 0;
  /** The same of handshakes that took too long, of pings that were not answered, and of all other errors of the peer's. */
  handshakeTimeouts = 0;
  deadPeers = 0;
  protocolErrors = 0;
}
