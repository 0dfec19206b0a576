// Pings in both directions: ours against dead peers (keep-alive), and the policy about a client's.
//
// Keep-alive as gRPC's: after keepaliveTimeMs without a byte from the peer a PING goes out; a byte within
// keepaliveTimeoutMs settles it. The policy is grpc-go's server's: a ping is a strike when it comes sooner than
// pingMinTimeMs after the last one (2 h without open streams, unless permitted); strikes are forgotten when HEADERS or
// DATA were sent since.

import type { ConnectionOptions, ConnectionStats } from './connection-options.ts';
import { ConnectionError, ENHANCE_YOUR_CALM } from './error-code.ts';
import type { FrameWriter } from './frame-writer.ts';

const IDLE_PING_MIN_TIME_MS = 7_200_000;
const NEVER_MS: number = Number.NEGATIVE_INFINITY;

export class Liveness {
  readonly #options: ConnectionOptions;
  readonly #stats: ConnectionStats;
  readonly #writer: FrameWriter;
  #lastReceiveMs = 0;
  /** When the ping went out that nothing has answered yet; NaN when there is none. */
  #pingSentMs: number = Number.NaN;
  #lastPeerPingMs: number = NEVER_MS;
  #strikes = 0;

  constructor(options: ConnectionOptions, stats: ConnectionStats, writer: FrameWriter) {
    this.#options = options;
    this.#stats = stats;
    this.#writer = writer;
  }

  received(nowMs: number): void {
    this.#lastReceiveMs = nowMs;
    this.#pingSentMs = Number.NaN;
  }

  /** What keep-alive asks for now. */
  tick(nowMs: number, streamCount: number): 'nothing' | 'ping' | 'dead' {
    const { keepaliveTimeMs, keepaliveTimeoutMs, isKeepaliveWithoutStreams } = this.#options;
    if (!Number.isNaN(this.#pingSentMs)) return nowMs - this.#pingSentMs >= keepaliveTimeoutMs ? 'dead' : 'nothing';
    if (keepaliveTimeMs === 0 || (streamCount === 0 && !isKeepaliveWithoutStreams)) return 'nothing';
    if (nowMs - this.#lastReceiveMs < keepaliveTimeMs) return 'nothing';
    this.#pingSentMs = nowMs;
    this.#stats.keepalivePingsSent++;
    return 'ping';
  }

  /** A client's ping. Throws ConnectionError when there were too many. */
  peerPing(nowMs: number, streamCount: number): void {
    const { pingMinTimeMs, isPingPermittedWithoutStreams, pingStrikesMax } = this.#options;
    const sinceMs = nowMs - this.#lastPeerPingMs;
    this.#lastPeerPingMs = nowMs;
    if (pingMinTimeMs === 0) return;
    if (this.#writer.hasWrittenStream) {
      this.#writer.hasWrittenStream = false;
      this.#strikes = 0;
      return;
    }
    const minTimeMs = streamCount === 0 && !isPingPermittedWithoutStreams ? IDLE_PING_MIN_TIME_MS : pingMinTimeMs;
    if (sinceMs >= minTimeMs) return;
    this.#strikes++;
    this.#stats.pingStrikes++;
    if (this.#strikes > pingStrikesMax) throw new ConnectionError(ENHANCE_YOUR_CALM, 'too_many_pings');
  }
}
