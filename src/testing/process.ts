// A process that can be killed: a clock and a network that from then on do nothing for it. Without it the server that
// "died" would go on in the same simulation: expire leases, answer, write.

import type { Clock, Timer } from '../io/clock.ts';
import type { ByteStream, ByteStreamHandler, Listener, ListenOptions, Network } from '../io/network.ts';
import type { SimulatedNetwork, SimulatedStream } from './network.ts';

export class SimulatedProcess {
  readonly clock: Clock;
  readonly network: Network;
  readonly #listeners: Listener[] = [];
  readonly #streams: SimulatedStream[] = [];
  isAlive = true;

  constructor(clock: Clock, network: SimulatedNetwork) {
    this.clock = new MortalClock(clock, this);
    this.network = {
      listen: async (options: ListenOptions, onStream: (stream: ByteStream) => void): Promise<Listener> => {
        const listener = await network.listen(options, (stream) => {
          // Of this network all streams are simulated ones.
          this.#streams.push(stream as SimulatedStream);
          onStream(new MortalStream(stream, this));
        });
        this.#listeners.push(listener);
        return listener;
      },
      connect: (options: ListenOptions): ByteStream => new MortalStream(network.connect(options), this),
    };
  }

  /** Its peers are told by resets, or, when the machine is gone with it, not at all. */
  end(isSilent: boolean): void {
    this.isAlive = false;
    // Both only change tables: nothing is waited for.
    for (const listener of this.#listeners) listener.close().catch(() => {});
    for (const stream of this.#streams) {
      if (isSilent) stream.halfOpen();
      else stream.destroy();
    }
  }

  /** Its machine is back after a silent end, and does not know the connections that peers still hold. */
  resetPeers(): void {
    for (const stream of this.#streams) stream.cut();
  }

  /** Connections that are open. */
  get streams(): readonly SimulatedStream[] {
    return this.#streams.filter(({ isClosed }) => !isClosed);
  }
}

class MortalClock implements Clock {
  readonly #clock: Clock;
  readonly #owner: SimulatedProcess;

  constructor(clock: Clock, owner: SimulatedProcess) {
    this.#clock = clock;
    this.#owner = owner;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  wallMs(): number {
    return this.#clock.wallMs();
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    return this.#clock.setTimer(delayMs, () => this.#whileAlive(callback));
  }

  defer(callback: () => void): void {
    this.#clock.defer(() => this.#whileAlive(callback));
  }

  rest(ms: number): void {
    this.#clock.rest(ms);
  }

  #whileAlive(callback: () => void): void {
    if (this.#owner.isAlive) callback();
  }
}

class MortalStream implements ByteStream {
  readonly #stream: ByteStream;
  readonly #owner: SimulatedProcess;

  constructor(stream: ByteStream, owner: SimulatedProcess) {
    this.#stream = stream;
    this.#owner = owner;
  }

  get remoteAddress(): string {
    return this.#stream.remoteAddress;
  }

  get bufferedBytes(): number {
    return this.#stream.bufferedBytes;
  }

  start(handler: ByteStreamHandler): void {
    const whileAlive = (call: () => void): void => {
      if (this.#owner.isAlive) call();
    };
    this.#stream.start({
      onData: (chunk) => whileAlive(() => handler.onData(chunk)),
      onDrain: () => whileAlive(() => handler.onDrain()),
      onEnd: () => whileAlive(() => handler.onEnd()),
      onClose: (error) => whileAlive(() => handler.onClose(error)),
    });
  }

  write(chunk: Uint8Array): void {
    if (this.#owner.isAlive) this.#stream.write(chunk);
  }

  writeAll(chunks: readonly Uint8Array[]): void {
    if (this.#owner.isAlive) this.#stream.writeAll(chunks);
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  end(): void {
    if (this.#owner.isAlive) this.#stream.end();
  }

  destroy(): void {
    if (this.#owner.isAlive) this.#stream.destroy();
  }
}
