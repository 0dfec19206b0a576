// The network over node:net.
//
// noDelay is on. All sockets of a network read into one buffer; accepted ones, whose reads node would put elsewhere, are made anew around
// the accepted handle.

import { createServer, type Server, Socket } from 'node:net';
import type { ByteStream, Listener, ListenOptions, Network } from './network.ts';
import { READ_BYTES_MAX, type ReadTarget, readInto, SocketStream } from './socket-stream.ts';

/** Connections that wait to be accepted. */
const ACCEPT_BACKLOG_MAX = 1024;

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
      onStream(new SocketStream(this.#adopt(accepted, target), target, remoteAddress));
    });
    return listening(server, options);
  }

  connect(options: ListenOptions): ByteStream {
    const target: ReadTarget = { handler: undefined };
    const socket = new Socket({ allowHalfOpen: true, onread: readInto(this.#buffer, target) });
    socket.setNoDelay(true);
    socket.connect({ host: options.host, port: options.port });
    return new SocketStream(socket, target, `${options.host}:${options.port}`);
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

/** Rejects with the operating system's error. */
export function listening(server: Server, { host, port }: ListenOptions): Promise<Listener> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: ACCEPT_BACKLOG_MAX }, () => {
      server.removeListener('error', reject);
      // An error while accepting (too many open files) costs that connection only.
      server.on('error', () => {});
      const address = server.address();
      resolve({
        port: typeof address === 'object' && address !== null ? address.port : port,
        close: () => {
          // Resolves when it no longer accepts; node's own callback would wait for the open connections.
          server.close();
          return Promise.resolve();
        },
      });
    });
  });
}
