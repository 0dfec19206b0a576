// A network in memory: byte streams with delay, bandwidth, arbitrary chunking and bounded buffers, and faults:
// streams cut, or half-open (bytes vanish, nobody is told). Deterministic by seed and clock.
//
// One direction of a stream:
//   write ─► queued (bufferedBytes) ─► in flight, at most windowBytesMax ─► arrived, held while paused ─► onData
// Bytes leave the window when the receiver took them, so that a slow reader fills the writer's queue.

import type { Clock } from '../io/clock.ts';
import type { ByteStream, ByteStreamHandler, Listener, ListenOptions, Network } from '../io/network.ts';
import type { Random } from './random.ts';

export interface SimulatedNetworkOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly latencyMsMin?: number;
  readonly latencyMsMax?: number;
  readonly bandwidthBytesPerMs?: number;
  /** Pieces are delivered in random sizes up to this. */
  readonly chunkBytesMax?: number;
  readonly windowBytesMax?: number;
}

/** Overwrites bytes after their call, so that a receiver that keeps them is found out. */
const POISON = 0xdd;
const FIRST_FREE_PORT = 40_000;

type Settings = Required<SimulatedNetworkOptions>;

export class SimulatedNetwork implements Network {
  readonly #settings: Settings;
  readonly #listeners = new Map<number, (stream: ByteStream) => void>();
  #nextPort = FIRST_FREE_PORT;
  /** All streams, both sides, in the order they were made. */
  readonly streams: SimulatedStream[] = [];

  constructor(options: SimulatedNetworkOptions) {
    this.#settings = {
      latencyMsMin: 0,
      latencyMsMax: 1,
      bandwidthBytesPerMs: 1_000_000,
      chunkBytesMax: 16_384,
      windowBytesMax: 65_536,
      ...options,
    };
  }

  async listen(options: ListenOptions, onStream: (stream: ByteStream) => void): Promise<Listener> {
    const port = options.port === 0 ? this.#nextPort++ : options.port;
    if (this.#listeners.has(port)) throw failure('EADDRINUSE', `listen ${options.host}:${port}`);
    this.#listeners.set(port, onStream);
    return {
      port,
      close: async (): Promise<void> => {
        this.#listeners.delete(port);
      },
    };
  }

  connect(options: ListenOptions): ByteStream {
    const near = new SimulatedStream(this.#settings, `${options.host}:${options.port}`);
    const far = new SimulatedStream(this.#settings, `127.0.0.1:${this.#nextPort++}`);
    near.attach(far);
    far.attach(near);
    this.streams.push(near, far);
    const { clock, random, latencyMsMin, latencyMsMax } = this.#settings;
    clock.setTimer(latencyMsMin + random.fraction() * (latencyMsMax - latencyMsMin), () => {
      const onStream = this.#listeners.get(options.port);
      if (onStream === undefined) near.fail(failure('ECONNREFUSED', `connect ${options.host}:${options.port}`));
      else onStream(far);
    });
    return near;
  }
}

export class SimulatedStream implements ByteStream {
  readonly remoteAddress: string;
  readonly #settings: Settings;
  /** The other side; itself until `attach`. */
  #peer: SimulatedStream = this;
  #handler: ByteStreamHandler | undefined;

  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #inFlightBytes = 0;
  #wantsDrain = false;
  #lastArrivalMs = 0;
  #hasEnded = false;
  #hasSentEnd = false;

  readonly #arrived: Uint8Array[] = [];
  #hasEndArrived = false;
  #hasSeenEnd = false;
  #isPaused = false;
  #isClosed = false;
  #closeError: Error | undefined;
  #hasToldClose = false;
  #isSilent = false;

  constructor(settings: Settings, remoteAddress: string) {
    this.#settings = settings;
    this.remoteAddress = remoteAddress;
  }

  get bufferedBytes(): number {
    return this.#queuedBytes;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  attach(peer: SimulatedStream): void {
    this.#peer = peer;
  }

  start(handler: ByteStreamHandler): void {
    this.#handler = handler;
    this.#settings.clock.defer(() => {
      if (this.#isClosed) this.#tellClose();
      else this.#deliver();
    });
  }

  write(chunk: Uint8Array): void {
    if (this.#isClosed || this.#hasEnded || chunk.length === 0) return;
    this.#queue.push(chunk);
    this.#queuedBytes += chunk.length;
    this.#send();
    this.#wantsDrain = this.#queuedBytes > 0;
  }

  writeAll(chunks: readonly Uint8Array[]): void {
    for (const chunk of chunks) this.write(chunk);
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#settings.clock.defer(() => this.#deliver());
  }

  end(): void {
    this.#hasEnded = true;
    this.#send();
  }

  destroy(): void {
    if (this.#isClosed) return;
    const peer = this.#peer;
    if (!this.#isSilent) {
      this.#settings.clock.setTimer(this.#arrivalDelayMs(0), () => peer.fail(failure('ECONNRESET', 'read')));
    }
    this.fail(undefined);
  }

  /** Breaks the connection: both sides are told, each after its own delay. */
  cut(): void {
    for (const side of [this, this.#peer]) {
      this.#settings.clock.setTimer(this.#latencyMs(), () => side.fail(failure('ECONNRESET', 'read')));
    }
  }

  /** From now on nothing gets through in either direction, and nobody is told. */
  halfOpen(): void {
    this.#isSilent = true;
    this.#peer.#isSilent = true;
  }

  /** Closes this side with an error, or without one. */
  fail(error: Error | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closeError = error;
    this.#settings.clock.defer(() => this.#tellClose());
  }

  #tellClose(): void {
    if (this.#handler === undefined || this.#hasToldClose) return;
    this.#hasToldClose = true;
    this.#handler.onClose(this.#closeError);
  }

  /** Moves queued bytes into the window, in pieces of random size. */
  #send(): void {
    const { random, chunkBytesMax, windowBytesMax, clock } = this.#settings;
    while (this.#queue.length > 0 && this.#inFlightBytes < windowBytesMax) {
      const [chunk] = this.#queue;
      const room = Math.min(chunk.length, windowBytesMax - this.#inFlightBytes);
      const bytes = Math.min(room, random.between(1, chunkBytesMax));
      // A copy also of a Buffer, whose own slice is a view: the sender's memory must not be overwritten.
      const piece = Uint8Array.prototype.slice.call(chunk, 0, bytes);
      if (bytes === chunk.length) this.#queue.shift();
      else this.#queue[0] = chunk.subarray(bytes);
      this.#queuedBytes -= bytes;
      this.#inFlightBytes += bytes;
      clock.setTimer(this.#arrivalDelayMs(bytes), () => this.#peer.#arrive(piece));
    }
    if (this.#hasEnded && !this.#hasSentEnd && this.#queue.length === 0) {
      this.#hasSentEnd = true;
      clock.setTimer(this.#arrivalDelayMs(0), () => this.#peer.#arriveEnd());
    }
  }

  /** Arrivals keep their order: none before the one sent earlier. */
  #arrivalDelayMs(bytes: number): number {
    const nowMs = this.#settings.clock.nowMs();
    const earliestMs = Math.max(nowMs + this.#latencyMs(), this.#lastArrivalMs);
    this.#lastArrivalMs = earliestMs + bytes / this.#settings.bandwidthBytesPerMs;
    return this.#lastArrivalMs - nowMs;
  }

  #latencyMs(): number {
    const { random, latencyMsMin, latencyMsMax } = this.#settings;
    return latencyMsMin + random.fraction() * (latencyMsMax - latencyMsMin);
  }

  #arrive(piece: Uint8Array): void {
    if (this.#isClosed || this.#isSilent) return;
    this.#arrived.push(piece);
    this.#deliver();
  }

  #arriveEnd(): void {
    if (this.#isClosed || this.#isSilent) return;
    this.#hasEndArrived = true;
    this.#deliver();
  }

  #deliver(): void {
    const handler = this.#handler;
    if (handler === undefined) return;
    while (!this.#isPaused && !this.#isClosed) {
      const piece = this.#arrived.shift();
      if (piece === undefined) break;
      handler.onData(piece);
      const bytes = piece.length;
      piece.fill(POISON);
      this.#peer.#taken(bytes);
    }
    if (this.#hasEndArrived && !this.#hasSeenEnd && this.#arrived.length === 0 && !this.#isClosed) {
      this.#hasSeenEnd = true;
      handler.onEnd();
    }
    this.#closeWhenBothEnded();
  }

  #taken(bytes: number): void {
    this.#inFlightBytes -= bytes;
    this.#send();
    if (this.#wantsDrain && this.#queuedBytes === 0) {
      this.#wantsDrain = false;
      this.#settings.clock.defer(() => {
        if (!this.#isClosed) this.#handler?.onDrain();
      });
    }
    this.#closeWhenBothEnded();
  }

  #closeWhenBothEnded(): void {
    if (this.#hasSeenEnd && this.#hasSentEnd && this.#inFlightBytes === 0) this.fail(undefined);
  }
}

function failure(code: string, what: string): Error {
  return Object.assign(new Error(`${what} ${code}`), { code });
}
