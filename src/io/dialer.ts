// How connections to one server are made, encrypted or not: the interface. `tls-dialer.ts` is the real one over node:tls; tests bring one over
// the simulated network.

import type { ByteStream } from './network.ts';

export interface DialListener {
  /**
   * The connection stands, and `protocol` was agreed on for it (ALPN: "h2", "http/1.1"; '' where the server named none). The stream has to be
   * started before this returns.
   */
  onOpen(stream: ByteStream, protocol: string): void;
  /** There is none: nothing was sent but what makes connections. */
  onFailure(error: Error): void;
}

export interface Dialing {
  /** Gives up; the listener is told nothing more. Does nothing once the connection stands. */
  cancel(): void;
}

export interface Dialer {
  /** Calls one of the listener's functions, once and later. Time limits are the caller's. */
  dial(listener: DialListener): Dialing;
}

export interface TlsOptions {
  /** PEM; the system's roots where absent. */
  readonly ca?: string | Buffer;
  readonly certificate?: string | Buffer;
  readonly key?: string | Buffer;
  /** Name to check the certificate against, if not the host's. */
  readonly serverName?: string;
  /** True leaves the server unchecked: only where the user asked for it. */
  readonly isUnchecked: boolean;
}
