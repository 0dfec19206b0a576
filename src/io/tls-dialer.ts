// Connections over TLS with ALPN, by node:tls. The certificate of the server is checked against its host's name, or the one that the options
// name in its place, unless they say not to. All sockets of a dialer read into one buffer.

import { isIP } from 'node:net';
import { type ConnectionOptions, checkServerIdentity, connect, type TLSSocket } from 'node:tls';
import type { Dialer, Dialing, DialListener, TlsOptions } from './dialer.ts';
import type { ListenOptions } from './network.ts';
import { READ_BYTES_MAX, type ReadTarget, readInto, SocketStream } from './socket-stream.ts';

export interface TlsDialerOptions extends ListenOptions {
  /** In order of preference. */
  readonly protocols: readonly string[];
  /** Asked for each connection. */
  readonly tls: () => TlsOptions;
}

export class TlsDialer implements Dialer {
  readonly #options: TlsDialerOptions;
  readonly #buffer = Buffer.allocUnsafeSlow(READ_BYTES_MAX);

  constructor(options: TlsDialerOptions) {
    this.#options = options;
  }

  dial(listener: DialListener): Dialing {
    const { host, port, protocols, tls } = this.#options;
    const target: ReadTarget = { handler: undefined };
    let isOver = false;
    const fail = (error: Error): void => {
      if (isOver) return;
      isOver = true;
      listener.onFailure(error);
    };
    let socket: TLSSocket;
    try {
      // `onread` is node:net's; only the types leave it out.
      const reading: object = { onread: readInto(this.#buffer, target) };
      socket = connect({ host, port, ALPNProtocols: [...protocols], ...checksOf(tls(), host), ...reading });
    } catch (error) {
      // A certificate or a key that is none.
      queueMicrotask(() => fail(error instanceof Error ? error : new Error(String(error))));
      return { cancel: () => (isOver = true) };
    }
    const stream = new SocketStream(socket, target, `${host}:${port}`);
    socket.setNoDelay(true);
    socket.once('error', (error) => fail(firstOf(error)));
    socket.once('close', () => fail(new Error('the server closed the connection')));
    socket.once('secureConnect', () => {
      if (isOver) return;
      isOver = true;
      listener.onOpen(stream, socket.alpnProtocol || '');
    });
    return {
      cancel: () => {
        if (isOver) return;
        isOver = true;
        socket.destroy();
      },
    };
  }
}

/** What node:tls is to check of the server at that host, and to show it. */
export function checksOf(
  { ca, certificate, key, serverName, isUnchecked }: TlsOptions,
  host: string,
): ConnectionOptions {
  const name = serverName ?? host;
  return {
    rejectUnauthorized: !isUnchecked,
    // An address is no server name (RFC 6066 §3), but certificates have them.
    ...(isIP(name) === 0 ? { servername: name } : {}),
    checkServerIdentity: (_, certificate) => checkServerIdentity(name, certificate),
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(key === undefined ? {} : { key }),
  };
}

/** Several addresses were tried: the first failure stands for all. */
function firstOf(error: Error): Error {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : undefined;
  return first instanceof Error ? first : error;
}
