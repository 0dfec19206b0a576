// The metrics of connections: bytes, streams, and what peers did that is not allowed.

import type { ConnectionStats } from '../h2/connection-options.ts';
import type { MetricDefiner } from './metric-definer.ts';

/** `stats` are sums over all connections, closed ones included. */
export function defineConnectionMetrics(
  definer: MetricDefiner,
  stats: () => ConnectionStats,
  connectionCount: () => number,
): void {
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
  definer.gauge('k1m_h2_connections', 'HTTP/2 connections.', connectionCount);
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
  definer.counter('k1m_h2_ping_strikes_total', 'Pings that came too early.', () => stats().pingStrikes);
  definer.counter(
    'k1m_h2_limits_exceeded_total',
    'Connections closed because a limit was exceeded.',
    () => stats().limitsExceeded,
  );
}
