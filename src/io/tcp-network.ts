// The network over node:net.
//
// noDelay is on: whoever writes has gathered what belongs together. Several chunks go out in one writev between cork
// and uncork. What node's stream queues (`writableLength`) is what the operating system has not taken.

import { connect, createServer, type Server, type Socket } from 'node:net';
import type { ByteStream, ByteStreamHandler, Listener, ListenOptions, Network } from './network.ts';

/** Connections that wait to be accepted. */
const ACCEPT_BACKLOG_MAX = 1024;

const EMPTY: Uint8Array = Buffer.allocUnsafeSlow(0);

class TcpStream implements ByteStream {
  readonly remoteAddress: string;
  readonly #socket: Socket;
  #failure: Error | undefined;
  #handler: ByteStreamHandler | undefined;
  /** An empty write with a callback stands behind the last one. */
  #isMarked = false;

  constructor(socket: Socket, remoteAddress: string) {
    this.remoteAddress = remoteAddress;
    this.#socket = socket;
    socket.on('error', (error) => {
      this.#failure = error;
    });
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  start(handler: ByteStreamHandler): void {
    const socket = this.#socket;
    this.#handler = handler;
    socket.on('data', (chunk: Buffer) => handler.onData(chunk));
    socket.on('drain', () => handler.onDrain());
    socket.on('end', () => handler.onEnd());
    socket.on('close', () => handler.onClose(this.#failure));
  }

  write(chunk: Uint8Array): void {
    const socket = this.#socket;
    if (!socket.writable) return;
    socket.write(chunk);
    if (socket.writableLength > 0) this.#mark();
  }

  writeAll(chunks: readonly Uint8Array[]): void {
    const socket = this.#socket;
    if (!socket.writable) return;
    socket.cork();
    for (let i = 0; i < chunks.length; i++) socket.write(chunks[i]);
    socket.uncork();
    if (socket.writableLength > 0) this.#mark();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Node tells 'drain' only above its high-water mark; below it the callback of an empty write does. */
  #mark(): void {
    const socket = this.#socket;
    if (this.#isMarked || socket.writableNeedDrain) return;
    this.#isMarked = true;
    socket.write(EMPTY, () => {
      this.#isMarked = false;
      if (socket.destroyed) return;
      if (socket.writableLength > 0) this.#mark();
      else this.#handler?.onDrain();
    });
  }
}

class TcpListener implements Listener {
  readonly port: number;
  readonly #server: Server;

  constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  close(): Promise<void> {
    // Resolves when it no longer accepts; node's own callback would wait for the open connections.
    this.#server.close();
    return Promise.resolve();
  }
}

export class TcpNetwork implements Network {
  listen(options: ListenOptions, onStream: (stream: ByteStream) => void): Promise<Listener> {
    // Half-open is allowed so that an answer can still follow the peer's end.
    const server = createServer({ noDelay: true, allowHalfOpen: true, highWaterMark: 64 * 1024 }, (socket) => {
      onStream(new TcpStream(socket, `${socket.remoteAddress}:${socket.remotePort}`));
    });
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: options.host, port: options.port, backlog: ACCEPT_BACKLOG_MAX }, () => {
        server.removeListener('error', reject);
        // An error while accepting (too many open files) costs that connection only.
        server.on('error', () => {});
        const address = server.address();
        resolve(new TcpListener(server, typeof address === 'object' && address !== null ? address.port : options.port));
      });
    });
  }

  connect(options: ListenOptions): ByteStream {
    const socket = connect({ host: options.host, port: options.port, noDelay: true, allowHalfOpen: true });
    return new TcpStream(socket, `${options.host}:${options.port}`);
  }
}
