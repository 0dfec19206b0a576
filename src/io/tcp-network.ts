// The network over node:net.
//
// noDelay is on: whoever writes has gathered what belongs together. Several chunks go out in one writev between cork
// and uncork. What node's stream queues (`writableLength`) is what the operating system has not taken.
//
// All sockets of a network read into one buffer, whose bytes are valid until onData returns. Without it node makes
// 64 KiB of external memory for each read, which fills the heap's budget and causes a major collection every 100 ms
// under load. Node offers this (`onread`) for sockets it connects; for accepted ones the socket is made anew around
// the accepted handle.

import { createServer, type OnReadOpts, type Server, Socket } from 'node:net';
import type { ByteStream, ByteStreamHandler, Listener, ListenOptions, Network } from './network.ts';

/** Connections that wait to be accepted. */
const ACCEPT_BACKLOG_MAX = 1024;

const READ_BYTES_MAX = 256 << 10;
const EMPTY: Uint8Array = Buffer.allocUnsafeSlow(0);

/** Where a socket's reads go; set when its stream is started. */
interface ReadTarget {
  handler: ByteStreamHandler | undefined;
}

function readInto(buffer: Uint8Array, target: ReadTarget): OnReadOpts {
  return {
    buffer,
    callback: (bytes, chunk) => {
      target.handler?.onData(bytes === chunk.length ? chunk : chunk.subarray(0, bytes));
      return true;
    },
  };
}

class TcpStream implements ByteStream {
  readonly remoteAddress: string;
  readonly #socket: Socket;
  readonly #target: ReadTarget;
  #failure: Error | undefined;
  /** An empty write with a callback stands behind the last one. */
  #isMarked = false;

  constructor(socket: Socket, target: ReadTarget, remoteAddress: string) {
    this.remoteAddress = remoteAddress;
    this.#socket = socket;
    this.#target = target;
    socket.on('error', (error) => {
      this.#failure = error;
    });
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  start(handler: ByteStreamHandler): void {
    const socket = this.#socket;
    this.#target.handler = handler;
    socket.on('drain', () => handler.onDrain());
    socket.on('end', () => handler.onEnd());
    socket.on('close', () => handler.onClose(this.#failure));
    socket.resume();
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
      else this.#target.handler?.onDrain();
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

/** An accepted socket as node keeps it: the handle is the operating system's side of it. */
type Accepted = Socket & { _handle?: object | null };

export class TcpNetwork implements Network {
  readonly #buffer = Buffer.allocUnsafeSlow(READ_BYTES_MAX);

  listen(options: ListenOptions, onStream: (stream: ByteStream) => void): Promise<Listener> {
    // Half-open is allowed so that an answer can still follow the peer's end. Paused, so that nothing is read before
    // the socket that reads into our buffer has taken over.
    const server = createServer({ noDelay: true, allowHalfOpen: true, pauseOnConnect: true }, (accepted) => {
      const remoteAddress = `${accepted.remoteAddress}:${accepted.remotePort}`;
      const target: ReadTarget = { handler: undefined };
      onStream(new TcpStream(this.#adopt(accepted, target), target, remoteAddress));
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
    const target: ReadTarget = { handler: undefined };
    const socket = new Socket({ allowHalfOpen: true, onread: readInto(this.#buffer, target) });
    socket.setNoDelay(true);
    socket.connect({ host: options.host, port: options.port });
    return new TcpStream(socket, target, `${options.host}:${options.port}`);
  }

  /** The accepted connection with reads into our buffer; as node made it where its handle cannot be had. */
  #adopt(accepted: Accepted, target: ReadTarget): Socket {
    const handle = accepted._handle;
    if (handle === undefined || handle === null) {
      accepted.on('data', (chunk: Buffer) => target.handler?.onData(chunk));
      return accepted;
    }
    accepted._handle = null;
    // `handle` is what node's own server passes; its types leave it out.
    const options = { handle, allowHalfOpen: true, onread: readInto(this.#buffer, target) };
    // node's own server passes `handle` too; only the types leave it out.
    const socket = new Socket(options as object as ConstructorParameters<typeof Socket>[0]);
    socket.setNoDelay(true);
    return socket;
  }
}
