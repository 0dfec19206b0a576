// HTTPS for a few requests a second: health checks, metrics. HTTP/1.1 over node:https, with limits as http1.ts has them.
//
// A client may show a certificate. One that the authority vouches for is told with the request; whether it is needed is the handler's
// business, since others log in otherwise.

import { createServer, type Server } from 'node:https';
import { TLSSocket } from 'node:tls';
import { type Http1Response, limitServer, readRequest, sendResponse } from './http1.ts';
import type { ListenOptions } from './network.ts';

/** Who a client says it is, by a certificate that was checked. */
export interface ClientCertificate {
  readonly commonName: string;
  readonly organizations: readonly string[];
}

export interface HttpsRequest {
  readonly method: string;
  readonly target: string;
  readonly authorization: string | undefined;
  /** 'refused' for one that nobody vouches for. */
  readonly client: ClientCertificate | 'refused' | undefined;
}

/** In PEM. */
export interface TlsIdentity {
  readonly certificate: string;
  readonly key: string;
  /** Of clients; undefined: the certificates that they show say nothing. */
  readonly clientAuthority: string | undefined;
}

export interface HttpsOptions extends ListenOptions {
  readonly identity: TlsIdentity;
  /** As node:tls has them; its defaults where undefined. */
  readonly minVersion?: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3' | undefined;
  readonly ciphers?: string | undefined;
  readonly handler: (request: HttpsRequest) => Promise<Http1Response>;
}

export class HttpsServer {
  readonly #server: Server;
  readonly #options: HttpsOptions;
  #identity: TlsIdentity;

  private constructor(server: Server, options: HttpsOptions) {
    this.#server = server;
    this.#options = options;
    this.#identity = options.identity;
  }

  /** Rejects with the operating system's error, or with OpenSSL's for what is no certificate or key. */
  static async listen(options: HttpsOptions): Promise<HttpsServer> {
    const { handler } = options;
    const checks = { requestCert: true, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] };
    // An identity that cannot be used throws here.
    const server = createServer({ ...contextOf(options, options.identity), ...checks });
    const https = new HttpsServer(server, options);
    server.on('request', (request, response) => {
      readRequest(request, async (method, target) => {
        const { authorization } = request.headers;
        const client = request.socket instanceof TLSSocket ? https.#clientOf(request.socket) : undefined;
        sendResponse(response, await handler({ method, target, authorization, client }));
      });
    });
    limitServer(server);
    // A handshake that fails costs that connection only.
    server.on('tlsClientError', (_error, socket) => socket.destroy());
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: options.host, port: options.port }, () => {
        server.removeListener('error', reject);
        server.on('error', () => {});
        resolve();
      });
    });
    return https;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : this.#options.port;
  }

  /** For connections from now on. Throws as listen rejects; the identity before stays then. */
  renew(identity: TlsIdentity): void {
    this.#server.setSecureContext(contextOf(this.#options, identity));
    this.#identity = identity;
  }

  #clientOf(socket: TLSSocket): HttpsRequest['client'] {
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined || this.#identity.clientAuthority === undefined) return undefined;
    if (!socket.authorized) return 'refused';
    const { subject } = certificate;
    return { commonName: fieldsOf(subject, 'CN').at(-1) ?? '', organizations: fieldsOf(subject, 'O') };
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

function contextOf({ minVersion, ciphers }: HttpsOptions, { certificate, key, clientAuthority }: TlsIdentity): object {
  return {
    cert: certificate,
    key,
    ...(clientAuthority === undefined ? {} : { ca: clientAuthority }),
    ...(minVersion === undefined ? {} : { minVersion }),
    ...(ciphers === undefined ? {} : { ciphers }),
  };
}

/** The values of a field of a subject, one field a line. */
function fieldsOf(subject: string, name: string): string[] {
  return subject
    .split('\n')
    .filter((line) => line.startsWith(`${name}=`))
    .map((line) => line.slice(name.length + 1));
}
