// Credentials from where kubectl and kube-scheduler look for them, by @kubernetes/client-node's KubeConfig:
//
//   --kubeconfig, else the files of KUBECONFIG, else ~/.kube/config, else the service account of the pod we run in; --master
//   replaces the server's address
//
// Known forms: client certificate, token, tokenFile, basic, exec plugin, OIDC, impersonation of a user. Of several files the first that names
// something counts. What the library does not know is added here: `tokenFile`, and KUBERNETES_EXEC_INFO for plugins that ask for it. What
// neither knows is refused rather than left out: proxies, impersonated groups.
//
// Headers are kept for HEADERS_MS_MAX, since making them reads files; a token that ends sooner is renewed by the 401 it earns.

import { bufferFromFileOrString, type Cluster, KubeConfig, type User } from '@kubernetes/client-node';
import { parse } from 'yaml';
import type { Clock } from '../io/clock.ts';
import type { TlsOptions } from '../io/dialer.ts';
import { type Credentials, CredentialsError } from './credentials.ts';
import { isObject } from './object-head.ts';

const HEADERS_MS_MAX = 10_000;
const SERVICE_ACCOUNT_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token';

export interface KubeconfigOptions {
  /** --kubeconfig. */
  readonly path?: string;
  /** --master: the server's URL, in place of the file's. */
  readonly master?: string;
  /** In place of the current one. */
  readonly context?: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Undefined when there is no such file. */
  readonly readText: (path: string) => string | undefined;
  readonly clock: Clock;
}

/** Throws CredentialsError. */
export async function readKubeconfig(options: KubeconfigOptions): Promise<Credentials> {
  const credentials = new KubeconfigCredentials(options);
  await credentials.renew();
  return credentials;
}

interface Loaded {
  readonly config: KubeConfig;
  readonly cluster: Cluster;
}

/** What https.request and the library's authenticators take. */
interface HttpsOptions {
  headers: Record<string, string>;
  auth?: string;
  cert?: string | Buffer;
  key?: string | Buffer;
}

class KubeconfigCredentials implements Credentials {
  readonly #options: KubeconfigOptions;
  #loaded: Loaded;
  #tls: TlsOptions;
  #headers: Readonly<Record<string, string>> = {};
  #headersAtMs = Number.NEGATIVE_INFINITY;
  #refreshing: Promise<void> | undefined;
  readonly #url: URL;

  constructor(options: KubeconfigOptions) {
    this.#options = options;
    this.#loaded = load(options);
    this.#url = serverUrl(this.#loaded.cluster);
    this.#tls = tlsOf(this.#loaded.cluster, {});
  }

  get origin(): string {
    return this.#url.origin;
  }

  get pathPrefix(): string {
    return this.#url.pathname.replace(/\/+$/, '');
  }

  tls(): TlsOptions {
    return this.#tls;
  }

  async headers(): Promise<Readonly<Record<string, string>>> {
    if (this.#options.clock.nowMs() - this.#headersAtMs >= HEADERS_MS_MAX) {
      this.#refreshing ??= this.#refresh().finally(() => {
        this.#refreshing = undefined;
      });
      await this.#refreshing;
    }
    return this.#headers;
  }

  async renew(): Promise<boolean> {
    const before = this.#tls;
    this.#loaded = load(this.#options);
    this.#headersAtMs = Number.NEGATIVE_INFINITY;
    await this.headers();
    return String(before.certificate) !== String(this.#tls.certificate);
  }

  async #refresh(): Promise<void> {
    const { config, cluster } = this.#loaded;
    const options: HttpsOptions = { headers: {} };
    try {
      await config.applyToHTTPSOptions(options);
    } catch (error) {
      throw new CredentialsError(`credentials of user ${config.getCurrentUser()?.name ?? ''}: ${textOf(error)}`);
    }
    const headers = Object.entries(options.headers).map(([name, value]) => [name.toLowerCase(), value.trim()]);
    const basic =
      options.auth === undefined ? {} : { authorization: `Basic ${Buffer.from(options.auth).toString('base64')}` };
    this.#tls = tlsOf(cluster, options);
    this.#headers = { ...Object.fromEntries(headers), ...basic };
    this.#headersAtMs = this.#options.clock.nowMs();
  }
}

function tlsOf(
  cluster: Cluster,
  { cert, key }: { readonly cert?: string | Buffer; readonly key?: string | Buffer },
): TlsOptions {
  let ca: Buffer | null;
  try {
    ca = bufferFromFileOrString(cluster.caFile, cluster.caData);
  } catch (error) {
    throw new CredentialsError(`the certificate authority of cluster ${cluster.name}: ${textOf(error)}`);
  }
  return {
    isUnchecked: cluster.skipTLSVerify,
    ...(ca === null ? {} : { ca }),
    ...(cert === undefined ? {} : { certificate: cert }),
    ...(key === undefined ? {} : { key }),
    ...(cluster.tlsServerName === undefined ? {} : { serverName: cluster.tlsServerName }),
  };
}

function serverUrl({ name, server }: Cluster): URL {
  const url = URL.canParse(server) ? new URL(server) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new CredentialsError(`the server of cluster ${name} is not an http or https address: ${server}`);
  }
  return url;
}

function load(options: KubeconfigOptions): Loaded {
  const { context, master, readText } = options;
  const texts = configPaths(options).flatMap((path) => {
    const text = readText(path);
    return text === undefined ? [] : [{ path, text }];
  });
  const config = new KubeConfig();
  if (texts.length > 0) loadFiles(config, texts);
  else if (options.path !== undefined) throw new CredentialsError(`${options.path}: there is no such kubeconfig`);
  else if (isInCluster(options)) config.loadFromCluster();
  else if (master !== undefined) {
    config.loadFromClusterAndUser({ name: 'master', server: master, skipTLSVerify: false }, { name: 'nobody' });
  } else throw new CredentialsError('no kubeconfig: use --kubeconfig, KUBECONFIG or ~/.kube/config, or run in a pod');
  if (context !== undefined) config.setCurrentContext(context);
  const cluster = currentCluster(config, master);
  // The library makes a connection of its own from this, which nobody uses, and refuses plain HTTP with checks that it has not.
  const skipTLSVerify = cluster.skipTLSVerify || cluster.server.startsWith('http:');
  const { users, contexts, currentContext } = config;
  config.loadFromOptions({ clusters: [{ ...cluster, skipTLSVerify }], users, contexts, currentContext });
  return { config, cluster };
}

function currentCluster(config: KubeConfig, master: string | undefined): Cluster {
  const name = config.getCurrentContext();
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    throw new CredentialsError(
      name === undefined || name === ''
        ? 'the kubeconfig names no current-context'
        : `context ${name} of the kubeconfig has no cluster`,
    );
  }
  if (cluster.proxyUrl !== undefined && cluster.proxyUrl !== null) {
    throw new CredentialsError(`cluster ${cluster.name}: proxy-url is not supported`);
  }
  return master === undefined ? cluster : { ...cluster, server: master };
}

function configPaths({ path, environment }: KubeconfigOptions): string[] {
  if (path !== undefined) return [path];
  const { KUBECONFIG: listed = '', HOME: home = '' } = environment;
  if (listed !== '') return listed.split(':').filter((name) => name !== '');
  return home === '' ? [] : [`${home}/.kube/config`];
}

function isInCluster({ environment, readText }: KubeconfigOptions): boolean {
  return (environment.KUBERNETES_SERVICE_HOST ?? '') !== '' && readText(SERVICE_ACCOUNT_TOKEN) !== undefined;
}

function loadFiles(config: KubeConfig, files: readonly { readonly path: string; readonly text: string }[]): void {
  let current: string | undefined;
  const [clusters, users, contexts] = [new Map<string, Cluster>(), new Map<string, User>(), new Map()];
  for (const { path, text } of files) {
    const one = new KubeConfig();
    try {
      one.loadFromString(text);
      one.makePathsAbsolute(folderOf(path));
    } catch (error) {
      throw new CredentialsError(`${path}: ${textOf(error)}`);
    }
    for (const cluster of one.clusters ?? []) if (!clusters.has(cluster.name)) clusters.set(cluster.name, cluster);
    for (const user of one.users ?? []) {
      if (!users.has(user.name)) users.set(user.name, completeUser(user, rawUser(text, user.name), path));
    }
    for (const context of one.contexts ?? []) if (!contexts.has(context.name)) contexts.set(context.name, context);
    if (current === undefined && typeof one.currentContext === 'string' && one.currentContext !== '') {
      current = one.currentContext;
    }
  }
  config.loadFromOptions({
    clusters: [...clusters.values()],
    users: [...users.values()],
    contexts: [...contexts.values()],
    currentContext: current ?? '',
  });
}

function rawUser(text: string, name: string): Readonly<Record<string, unknown>> {
  const document: unknown = parse(text);
  const users: unknown = isObject(document) ? document.users : undefined;
  if (!Array.isArray(users)) return {};
  const found: unknown = users.find((entry) => isObject(entry) && entry.name === name);
  return isObject(found) && isObject(found.user) ? found.user : {};
}

function completeUser(user: User, raw: Readonly<Record<string, unknown>>, path: string): User {
  const { tokenFile } = raw;
  if (raw['as-groups'] !== undefined || raw['as-uid'] !== undefined || raw['as-user-extra'] !== undefined) {
    throw new CredentialsError(`${path}: user ${user.name}: only a user can be impersonated (as), no groups`);
  }
  if (typeof tokenFile === 'string' && tokenFile !== '') {
    // As client-go: the file counts, also where there is a token.
    const file = tokenFile.startsWith('/') ? tokenFile : `${folderOf(path)}/${tokenFile}`;
    const { token: _, ...others } = user;
    return { ...others, authProvider: { name: 'tokenFile', config: { tokenFile: file } } };
  }
  if (!isObject(user.exec)) return user;
  const { apiVersion = 'client.authentication.k8s.io/v1', env } = user.exec;
  const info = { apiVersion, kind: 'ExecCredential', spec: { interactive: false } };
  const variables: unknown[] = Array.isArray(env) ? env : [];
  return {
    ...user,
    exec: { ...user.exec, env: [...variables, { name: 'KUBERNETES_EXEC_INFO', value: JSON.stringify(info) }] },
  };
}

function folderOf(path: string): string {
  const end = path.lastIndexOf('/');
  return end < 0 ? '.' : end === 0 ? '/' : path.slice(0, end);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message.trim() : String(error);
}
