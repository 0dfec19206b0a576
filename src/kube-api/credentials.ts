// Who we are for the API server, and where it is. `kubeconfig.ts` reads it from where kubectl does.

import type { TlsOptions } from '../io/dialer.ts';
import type { HttpHeaders } from '../io/http-client.ts';

export interface Credentials {
  /** Like "https://10.0.0.1:6443", without a path. */
  readonly origin: string;
  /** Before all paths: '' or like "/clusters/one". */
  readonly pathPrefix: string;
  /** As headers() has last found them. */
  tls(): TlsOptions;
  /**
   * Authorization and whom to impersonate, as they are now: a token is fetched again when it is due. Rejects when a plugin or a file
   * fails.
   */
  headers(): Promise<HttpHeaders>;
  /** The API server has refused them: read all again. True when the client certificate is another one than at the renewal before. Rejects as headers() does. */
  renew(): Promise<boolean>;
}

/** The configuration of the client is wrong or missing; the text says what to do. */
export class CredentialsError extends Error {
  override readonly name = 'CredentialsError';
}
