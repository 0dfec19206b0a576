// The scheduler's pages over HTTPS, for whom the API server lets see them, and, where it is asked for, over plain HTTP on the
// loopback address for everybody there.
//
// Certificate and client authority are looked at once a minute, and replaced when they have changed. What cannot be read or used then is
// told, and the ones before stay.

import { errorText } from '../base/error-text.ts';
import type { RealClock } from '../io/clock.ts';
import { Http1, type Http1Request, type Http1Response } from '../io/http1.ts';
import { type HttpsRequest, HttpsServer, type TlsIdentity } from '../io/https-server.ts';
import { TcpNetwork } from '../io/tcp-network.ts';
import { DelegatedAccess } from '../kube-api/delegated-access.ts';
import type { HttpKubeApi } from '../kube-api/http-kube-api.ts';
import { isObject } from '../kube-api/object-head.ts';
import { UsageError } from './flag-values.ts';
import { checkSecureServing, clientAuthority, type SecureServingFlags, servingPair } from './secure-serving.ts';

const RENEW_MS = 60_000;
const LOOPBACK = '127.0.0.1';

/** commander's names of the options. */
export interface StatusPortFlags extends SecureServingFlags {
  /** Plain HTTP; 0: none. */
  readonly port: number;
}

export interface StatusPortOptions {
  readonly flags: StatusPortFlags;
  readonly clock: RealClock;
  /** Of the scheduler, for what no other kubeconfig is named. Without one there is no secure port. */
  readonly api: HttpKubeApi | undefined;
  /** To be closed by the caller of `close` here. */
  readonly openApi: (kubeconfig: string) => Promise<HttpKubeApi>;
  readonly answer: (request: Http1Request) => Http1Response;
  /** Also with each request: the caller bounds what it logs. */
  readonly onProblem: (text: string) => void;
}

export class StatusPort {
  readonly #options: StatusPortOptions;
  readonly #opened: HttpKubeApi[] = [];
  #authentication: HttpKubeApi | undefined;
  #https: HttpsServer | undefined;
  #closePlain: () => Promise<void> = async () => {};
  #timer: NodeJS.Timeout | undefined;
  #identity: TlsIdentity | undefined;
  /** What the API server says about who vouches for clients. */
  #lookedUp: string | undefined;

  constructor(options: StatusPortOptions) {
    this.#options = options;
    this.#authentication = options.api;
  }

  /** Rejects with UsageError, CredentialsError or the operating system's error. */
  async start(): Promise<void> {
    const { flags } = this.#options;
    if (flags.port > 0) await this.#startPlain();
    const { api } = this.#options;
    if (flags.securePort === 0 || api === undefined) return;
    const tls = checkSecureServing(flags);
    const access = await this.#access(api);
    const identity = this.#currentIdentity();
    this.#identity = identity;
    try {
      this.#https = await HttpsServer.listen({
        host: flags.bindAddress,
        port: flags.securePort,
        identity,
        ...tls,
        handler: (request) => this.#handle(access, request),
      });
    } catch (error) {
      // OpenSSL's word about a certificate or a key.
      if (error instanceof Error && 'library' in error) throw new UsageError(`tls: ${error.message}`, 'schedule');
      throw error;
    }
    void this.#renew();
    this.#timer = setInterval(() => void this.#renew(), RENEW_MS);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#https?.close();
    await this.#closePlain();
    for (const api of this.#opened) await api.close();
  }

  async #startPlain(): Promise<void> {
    const { flags, answer, clock } = this.#options;
    const pages = new Http1(clock, (request, reply) => reply(answer(request)));
    const listener = await new TcpNetwork().listen({ host: LOOPBACK, port: flags.port }, (stream) => {
      stream.start(pages.accept(stream));
    });
    this.#closePlain = async () => {
      pages.close();
      await listener.close();
    };
  }

  async #access(own: HttpKubeApi): Promise<DelegatedAccess> {
    const { flags, clock } = this.#options;
    const open = async (path: string): Promise<HttpKubeApi> => {
      if (path === '') return own;
      const api = await this.#options.openApi(path);
      this.#opened.push(api);
      return api;
    };
    const authentication = await open(flags.authenticationKubeconfig);
    this.#authentication = authentication;
    return new DelegatedAccess({
      authentication,
      authorization: await open(flags.authorizationKubeconfig),
      alwaysAllowedPaths: flags.authorizationAlwaysAllowPaths,
      clock,
      onProblem: this.#options.onProblem,
    });
  }

  async #handle(
    access: DelegatedAccess,
    { method, target, authorization, client }: HttpsRequest,
  ): Promise<Http1Response> {
    const [path] = target.split('?');
    const refusal = await access.refusal({ method, path, authorization, client });
    if (refusal === undefined) return this.#options.answer({ method, target });
    const type = refusal.status === 500 ? 'text/plain; charset=utf-8' : 'application/json';
    return { status: refusal.status, headers: [['content-type', type]], body: refusal.body };
  }

  #currentIdentity(): TlsIdentity {
    const { flags } = this.#options;
    const isMadeHere = flags.tlsCertFile === '';
    // One that was made here is good for as long as this process should last.
    const { certificate, key } = (isMadeHere ? this.#identity : undefined) ?? servingPair(flags);
    return { certificate, key, clientAuthority: clientAuthority(flags) ?? this.#lookedUp };
  }

  async #renew(): Promise<void> {
    const { flags } = this.#options;
    if (flags.clientCaFile === '' && !flags.authenticationSkipLookup) await this.#lookUp();
    try {
      const identity = this.#currentIdentity();
      if (JSON.stringify(identity) === JSON.stringify(this.#identity)) return;
      this.#https?.renew(identity);
      this.#identity = identity;
    } catch (error) {
      this.#options.onProblem(`the certificate of the secure port stays: ${errorText(error)}`);
    }
  }

  /** As upstream tolerates it by default: without an answer clients with certificates are strangers. */
  async #lookUp(): Promise<void> {
    const outcome = await this.#authentication?.readAuthenticationConfig();
    if (outcome === undefined) return;
    if (outcome.kind === 'found') {
      const { data } = outcome.object;
      const found = isObject(data) ? data['client-ca-file'] : undefined;
      this.#lookedUp = typeof found === 'string' ? found : undefined;
    } else if (outcome.kind !== 'gone') {
      this.#options.onProblem(
        `who vouches for clients' certificates: ${'text' in outcome ? outcome.text : outcome.kind}`,
      );
    }
  }
}
