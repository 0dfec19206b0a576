// The client as a program uses it: credentials from the user's kubeconfig, HTTP by undici.

import type { Clock } from '../io/clock.ts';
import { UndiciHttpClient } from '../io/undici-http-client.ts';
import { HttpKubeApi } from './http-kube-api.ts';
import { readKubeconfig } from './kubeconfig.ts';

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
  const http = new UndiciHttpClient(credentials.origin, () => credentials.tls());
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
