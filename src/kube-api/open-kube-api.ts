// The client as a program uses it: credentials from the user's kubeconfig, HTTP/2 by src/http where the API server offers it.

import { AdaptiveClient } from '../http/adaptive-client.ts';
import { Http2Client } from '../http/http2-client.ts';
import type { Clock } from '../io/clock.ts';
import type { TlsOptions } from '../io/dialer.ts';
import type { HttpClient } from '../io/http-client.ts';
import { TlsDialer } from '../io/tls-dialer.ts';
import type { Credentials } from './credentials.ts';
import { HttpKubeApi } from './http-kube-api.ts';
import { readKubeconfig } from './kubeconfig.ts';

const HTTPS_PORT = 443;
export const IN_FLIGHT_MAX_DEFAULT = 200;
export const WAITING_MAX_DEFAULT = 20_000;

export interface KubeApiOptions {
  /** --kubeconfig. */
  readonly kubeconfig?: string;
  /** --master. */
  readonly master?: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Undefined when there is no such file: `readTextFile` of src/io. */
  readonly readText: (path: string) => string | undefined;
  readonly clock: Clock;
  /** 0 <= chance() < 1, for jitter. */
  readonly chance: () => number;
  readonly userAgent: string;
  /** Writes and reads on their way at once (IN_FLIGHT_MAX_DEFAULT), and waiting (WAITING_MAX_DEFAULT). */
  readonly inFlightMax?: number;
  readonly waitingMax?: number;
  /** Fields that nobody reads, as `MessageDecoder` takes them. */
  readonly unreadFields?: readonly string[];
}

/** Connects when something is asked for. Throws CredentialsError when the credentials cannot be had. */
export async function openKubeApi(options: KubeApiOptions): Promise<HttpKubeApi> {
  const { kubeconfig, master, environment, readText, clock, chance, userAgent } = options;
  const credentials = await readKubeconfig({
    environment,
    readText,
    clock,
    ...(kubeconfig === undefined ? {} : { path: kubeconfig }),
    ...(master === undefined ? {} : { master }),
  });
  const http = httpClient(credentials, clock);
  return new HttpKubeApi({
    http,
    credentials,
    clock,
    chance,
    userAgent,
    inFlightMax: options.inFlightMax ?? IN_FLIGHT_MAX_DEFAULT,
    unreadFields: options.unreadFields ?? [],
    waitingMax: options.waitingMax ?? WAITING_MAX_DEFAULT,
  });
}

function httpClient(credentials: Credentials, clock: Clock): HttpClient {
  const { protocol, hostname, port, host: authority } = new URL(credentials.origin);
  const tls = (): TlsOptions => credentials.tls();
  const openOther = async (): Promise<HttpClient> => {
    const { UndiciHttpClient } = await import('../io/undici-http-client.ts');
    return new UndiciHttpClient(credentials.origin, tls, clock);
  };
  if (protocol !== 'https:') return new AdaptiveClient({ http2: undefined, openOther });
  // An IPv6 address stands in brackets in a URL.
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  const dialer = new TlsDialer({
    host,
    port: port === '' ? HTTPS_PORT : Number(port),
    protocols: ['h2', 'http/1.1'],
    tls,
  });
  return new AdaptiveClient({ http2: new Http2Client({ dialer, clock, authority }), openOther });
}
