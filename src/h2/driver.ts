// Moves bytes between a Connection and a ByteStream; decides nothing.
//
// Output is flushed once per received chunk. What the layer above sends at other times goes out when it calls
// flush(), which costs nothing when there is nothing to send.

import type { Clock } from '../io/clock.ts';
import type { ByteStream, ByteStreamHandler } from '../io/network.ts';
import type { Connection } from './connection.ts';

/** How long an ended transport may take to close. */
const LINGER_MS_MAX = 5_000;

export class Driver implements ByteStreamHandler {
  readonly connection: Connection;
  readonly transport: ByteStream;
  readonly #clock: Clock;
  readonly #onClose: (driver: Driver) => void;
  #isPaused = false;
  /** The transport was ended, or has closed. */
  #isEnded = false;
  #isDeferred = false;
  /** When the transport was ended by us. */
  #endedMs = 0;

  /** `onClose` is called once, after the connection's own onClose. */
  constructor(connection: Connection, transport: ByteStream, clock: Clock, onClose: (driver: Driver) => void) {
    this.connection = connection;
    this.transport = transport;
    this.#clock = clock;
    this.#onClose = onClose;
  }

  /** Takes over the transport. Whoever handles the transport's events already forwards them instead. */
  start(): void {
    this.transport.start(this);
    this.flush();
  }

  /** Sends what there is. More than one round's worth (pulled from sources) goes on after other I/O had its turn. */
  flush(): void {
    const { connection, transport } = this;
    if (connection.outputBytes > 0 && !this.#isEnded) {
      const chunks = connection.takeOutput();
      if (chunks.length === 1) transport.write(chunks[0]);
      else transport.writeAll(chunks);
      connection.setTransportBacklog(transport.bufferedBytes);
      if (connection.outputBytes > 0) this.#flushLater();
    }
    if (connection.isReceivePaused !== this.#isPaused) this.#setPaused(connection.isReceivePaused);
    if (connection.isClosed && !this.#isEnded && connection.outputBytes === 0) {
      this.#isEnded = true;
      this.#endedMs = this.#clock.nowMs();
      transport.end();
    }
  }

  tick(): void {
    const nowMs = this.#clock.nowMs();
    const { bufferedBytes } = this.transport;
    // What the socket takes of a large write is told only when it has taken all.
    if (bufferedBytes > 0) this.connection.setTransportBacklog(bufferedBytes);
    this.connection.tick(nowMs);
    this.flush();
    // The peer does not take the rest, or does not close its side.
    if (this.#isEnded && nowMs - this.#endedMs >= LINGER_MS_MAX) this.transport.destroy();
  }

  onData(chunk: Uint8Array): void {
    this.connection.receive(chunk, this.#clock.nowMs());
    this.flush();
  }

  onDrain(): void {
    this.connection.setTransportBacklog(this.transport.bufferedBytes);
    this.flush();
  }

  onEnd(): void {
    this.connection.transportClosed('the peer closed the connection');
    this.flush();
  }

  onClose(error: Error | undefined): void {
    this.#isEnded = true;
    this.connection.transportClosed(error === undefined ? 'the connection closed' : error.message);
    this.#onClose(this);
  }

  #flushLater(): void {
    if (this.#isDeferred) return;
    this.#isDeferred = true;
    this.#clock.defer(() => {
      this.#isDeferred = false;
      this.flush();
    });
  }

  #setPaused(isPaused: boolean): void {
    this.#isPaused = isPaused;
    if (isPaused) this.transport.pause();
    else this.transport.resume();
  }
}
