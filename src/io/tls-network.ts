// A network whose both ends prove who they are, by node:tls (TLS 1.3): each shows a certificate that the other's authority vouches for, and the one that
// is connected to has its host's name or address in it. What is said between them is encrypted.
//
// What to show, and who vouches, is asked for at each connection, so that renewed certificates are used without a restart. Each connection is a proof of
// its own: a listener resumes no sessions, by which who was let in once comes again without showing a certificate. Files may be read while they are being
// replaced: what cannot be used is told, and what was used before stays, at both ends.
//
// Limits: HANDSHAKE_MS_MAX for the proof; UNPROVEN_MAX connections of a listener without it, of which the oldest goes for one more, so that who says nothing
// keeps nobody out; CONNECTIONS_MAX in all, of which one too many is closed at once.

import { constants } from 'node:crypto';
import { Socket } from 'node:net';
import {
  connect,
  createSecureContext,
  createServer,
  type SecureContext,
  type SecureContextOptions,
  type TLSSocket,
} from 'node:tls';
import { errorText } from '../base/error-text.ts';
import type { ByteStream, Listener, ListenOptions, Network } from './network.ts';
import { type ReadTarget, SocketStream } from './socket-stream.ts';
import { listening } from './tcp-network.ts';
import { checksOf } from './tls-dialer.ts';

const HANDSHAKE_MS_MAX = 5_000;
const CONNECTIONS_MAX = 256;
const UNPROVEN_MAX = 64;
const VERSION = 'TLSv1.3' as const;

/** In PEM. */
export interface MutualIdentity {
  readonly certificate: string;
  readonly key: string;
  /** Who vouches for the other end; nobody else does, the system's roots included. */
  readonly authority: string;
}

export interface TlsNetworkOptions {
  /** The same object as before where nothing has changed. What it throws makes the connection fail. */
  readonly identity: () => MutualIdentity;
  /** A connection came that did not prove who it is, or what is to be shown to it cannot be had. Others bring these about: the caller bounds what it logs. */
  readonly onProblem: (text: string) => void;
}

export class TlsNetwork implements Network {
  readonly #options: TlsNetworkOptions;
  /** What was shown to the last server that was called, and who vouches for it. */
  #used: { readonly identity: MutualIdentity; readonly context: SecureContext } | undefined;

  constructor(options: TlsNetworkOptions) {
    this.#options = options;
  }

  /** Rejects with the operating system's error, or OpenSSL's for what is no certificate or key. */
  async listen(options: ListenOptions, onStream: (stream: ByteStream) => void): Promise<Listener> {
    const { identity, onProblem } = this.#options;
    let shown = identity();
    // Checked below: node would close what is not authorized without a word about why.
    const proof = { requestCert: true, rejectUnauthorized: false, handshakeTimeout: HANDSHAKE_MS_MAX };
    const server = createServer({ ...listenerContextOf(shown), ...proof, allowHalfOpen: true, noDelay: true });
    server.maxConnections = CONNECTIONS_MAX;
    const unproven = new UnprovenSockets();
    // Ahead of node's own listener, which begins the handshake.
    server.prependListener('connection', (socket: Socket) => {
      unproven.add(socket);
      try {
        const current = identity();
        if (current === shown) return;
        server.setSecureContext(listenerContextOf(current));
        shown = current;
      } catch (error) {
        onProblem(staysText(error));
      }
    });
    const refuse = (socket: TLSSocket, reason: Error | string): void => {
      onProblem(`${addressOf(socket)} is refused: ${typeof reason === 'string' ? reason : reason.message}`);
      socket.destroy();
    };
    server.on('tlsClientError', (error, socket) => refuse(socket, error));
    server.on('secureConnection', (socket) => {
      unproven.delete(socket);
      // An error's code (X509_V_ERR_…), whatever its type says.
      if (!socket.authorized) return refuse(socket, socket.authorizationError ?? 'no certificate');
      const target: ReadTarget = { handler: undefined };
      socket.on('data', (chunk: Buffer) => target.handler?.onData(chunk));
      onStream(new SocketStream(socket, target, addressOf(socket)));
    });
    return listening(server, options);
  }

  connect({ host, port }: ListenOptions): ByteStream {
    const target: ReadTarget = { handler: undefined };
    const socket = this.#dial(host, port);
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => target.handler?.onData(chunk));
    return new SocketStream(socket, target, `${host}:${port}`);
  }

  #context(): SecureContext {
    const { identity, onProblem } = this.#options;
    try {
      const current = identity();
      if (this.#used?.identity !== current) {
        const { certificate, key, authority } = current;
        const context = createSecureContext({ cert: certificate, key, ca: authority, minVersion: VERSION });
        this.#used = { identity: current, context };
      }
    } catch (error) {
      if (this.#used === undefined) throw error;
      onProblem(staysText(error));
    }
    return this.#used.context;
  }

  #dial(host: string, port: number): Socket {
    try {
      const checks = { ...checksOf({ isUnchecked: false }, host), secureContext: this.#context() };
      // `allowHalfOpen` is node:net's; only the types leave it out.
      const open: object = { allowHalfOpen: true };
      return connect({ host, port, ...checks, minVersion: VERSION, ...open });
    } catch (error) {
      // As a connection that fails: told to whoever starts the stream.
      return new Socket().destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

/** Connections that have not proven who they are, the oldest first. */
class UnprovenSockets {
  /** By where they come from: the socket over TLS is another object. */
  readonly #sockets = new Map<string, Socket>();

  add(socket: Socket): void {
    const address = addressOf(socket);
    if (this.#sockets.size >= UNPROVEN_MAX) this.#endOldest();
    this.#sockets.set(address, socket);
    socket.once('close', () => {
      if (this.#sockets.get(address) === socket) this.#sockets.delete(address);
    });
  }

  delete(socket: TLSSocket): void {
    this.#sockets.delete(addressOf(socket));
  }

  #endOldest(): void {
    for (const [address, socket] of this.#sockets) {
      this.#sockets.delete(address);
      socket.destroy();
      return;
    }
  }
}

function staysText(error: unknown): string {
  return `the certificate stays: ${errorText(error)}`;
}

function listenerContextOf({ certificate, key, authority }: MutualIdentity): SecureContextOptions {
  // Without tickets sessions are kept by their names, of which nobody here keeps any.
  return { cert: certificate, key, ca: authority, minVersion: VERSION, secureOptions: constants.SSL_OP_NO_TICKET };
}

function addressOf({ remoteAddress, remotePort }: Socket): string {
  return remoteAddress === undefined ? 'a connection that is gone' : `${remoteAddress}:${remotePort}`;
}
