// Byte streams between processes: the interface. `tcp-network.ts` is the real one over node:net,
// `src/testing/network.ts` the simulated one (delays, cuts, half-open connections, slow readers).

/** One side of an ordered, reliable byte stream (a TCP or TLS connection). */
export interface ByteStream {
  /** For logs and per-peer limits, like "127.0.0.1:41232". */
  readonly remoteAddress: string;
  /** Bytes given to write that the operating system has not taken yet. */
  readonly bufferedBytes: number;
  /** Starts delivery. Called once, before anything else. */
  start(handler: ByteStreamHandler): void;
  /** Queues bytes. The stream keeps a reference: the caller never changes them again. */
  write(chunk: Uint8Array): void;
  /** As `write`, for several chunks in one system call where possible. */
  writeAll(chunks: readonly Uint8Array[]): void;
  /** Stops and continues onData: back-pressure to the peer. */
  pause(): void;
  resume(): void;
  /** Sends what is queued, then closes the writing side. */
  end(): void;
  /** Drops the connection at once; onClose follows. */
  destroy(): void;
}

export interface ByteStreamHandler {
  /** The bytes are valid during the call only. */
  onData(chunk: Uint8Array): void;
  /** bufferedBytes has fallen to 0 after it was above 0 at the end of a write. */
  onDrain(): void;
  /** The peer closed its writing side. */
  onEnd(): void;
  /** The last call. `error` when the connection broke. */
  onClose(error: Error | undefined): void;
}

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
}

export interface Listener {
  /** The port in use, also where 0 was asked for. */
  readonly port: number;
  /** Stops accepting; open streams go on. */
  close(): Promise<void>;
}

export interface Network {
  /** Rejects with the operating system's error (EADDRINUSE, EACCES). */
  listen(options: ListenOptions, onStream: (stream: ByteStream) => void): Promise<Listener>;
  /** The stream may be written at once; failure to connect arrives as onClose(error). */
  connect(options: ListenOptions): ByteStream;
}
