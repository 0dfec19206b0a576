// The metrics of connections: bytes, streams, and what peers did that is not allowed.

import type { ConnectionStats } from '../h2/connection-options.ts';
import type { MetricDefiner } from './metric-definer.ts';

/** What is published about connections. */
export interface ConnectionFigures {
  /** Of HTTP/2, open now. */
  readonly count: number;
  /** Sums over all of HTTP/2, closed ones included. */
  readonly stats: ConnectionStats;
  /** Dropped before it was known what they speak, and of HTTP/1.1, because time was up. */
  readonly timeouts: { readonly silent: number; readonly http1: number };
  /** Of HTTP/1.1, dropped because what came was too long, or no HTTP. */
  readonly http1Refusals: number;
}

export function defineConnectionMetrics(definer: MetricDefiner, figures: () => ConnectionFigures): void {
  const stats = (): ConnectionStats => figures().stats;
  definer.counter(
    'etcd_network_client_grpc_received_bytes_total',
    'The total number of bytes received from grpc clients.',
    () => stats().bytesReceived,
  );
  definer.counter(
    'etcd_network_client_grpc_sent_bytes_total',
    'The total number of bytes sent to grpc clients.',
    () => stats().bytesSent,
  );
  definer.gauge('k1m_h2_connections', 'HTTP/2 connections.', () => figures().count);
  definer.counter(
    'k1m_h2_streams_refused_total',
    'Streams above the limit of concurrent streams.',
    () => stats().streamsRefused,
  );
  definer.counter(
    'k1m_h2_resets_received_total',
    'RST_STREAM frames received for open streams.',
    () => stats().resetsReceived,
  );
  definer.counter('k1m_h2_resets_sent_total', 'RST_STREAM frames sent.', () => stats().resetsSent);
  definer.counter(
    'k1m_h2_provoked_resets_total',
    'Streams reset because the peer broke a rule.',
    () => stats().provokedResets,
  );
  definer.counter(
    'k1m_h2_control_frames_total',
    'SETTINGS and PING frames received.',
    () => stats().controlFramesReceived,
  );
  definer.counter(
    'k1m_h2_empty_data_frames_total',
    'Empty DATA frames received.',
    () => stats().emptyDataFramesReceived,
  );
  definer.counter('k1m_h2_window_updates_total', 'WINDOW_UPDATE frames received.', () => stats().windowUpdatesReceived);
  definer.counter('k1m_h2_ignored_frames_total', 'Frames received and ignored.', () => stats().ignoredFramesReceived);
  definer.counter(
    'k1m_h2_header_lists_too_long_total',
    'Header lists above the limit.',
    () => stats().headerListsTooLong,
  );
  definer.counter('k1m_h2_queue_overflows_total', 'Streams whose send queue overflowed.', () => stats().queueOverflows);
  definer.counter(
    'k1m_h2_stream_stalls_total',
    'Streams reset because nobody took what they had to send.',
    () => stats().streamStalls,
  );
  definer.counter('k1m_h2_ping_strikes_total', 'Pings that came too early.', () => stats().pingStrikes);
  definer.counter(
    'k1m_h2_limits_exceeded_total',
    'Connections closed because a limit was exceeded.',
    () => stats().limitsExceeded,
  );
  definer.counter(
    'k1m_h2_handshake_timeouts_total',
    'Connections closed because preface, SETTINGS or their acknowledgement did not come in time.',
    () => stats().handshakeTimeouts,
  );
  definer.counter('k1m_h2_keepalive_pings_total', 'Pings sent to silent peers.', () => stats().keepalivePingsSent);
  definer.counter(
    'k1m_h2_dead_peers_total',
    'Connections closed because such a ping was not answered.',
    () => stats().deadPeers,
  );
  definer.counter(
    'k1m_h2_protocol_errors_total',
    'Connections closed because the peer broke the protocol.',
    () => stats().protocolErrors,
  );
  definer.counter(
    'k1m_silent_connections_total',
    'Connections closed because their first bytes did not come in time.',
    () => figures().timeouts.silent,
  );
  definer.counter(
    'k1m_http1_timeouts_total',
    'HTTP/1.1 connections closed because a request, the taking of its answer, or the next request took too long.',
    () => figures().timeouts.http1,
  );
  definer.counter(
    'k1m_http1_refusals_total',
    'HTTP/1.1 connections closed because a request was too long or malformed.',
    () => figures().http1Refusals,
  );
}
