// Credentials from where kubectl and kube-scheduler look for them:
//
//   --kubeconfig, else the files of KUBECONFIG, else ~/.kube/config, else the service account of the pod we run in; --master
//   replaces the server's address
//
// Known forms: client certificate, token, tokenFile, basic, exec plugin, OIDC and other auth providers (plugin-login.ts), impersonation of a user. What is not
// known is refused rather than left out: proxies, impersonated groups.
//
// Headers are kept for HEADERS_MS_MAX, since making them reads files; a token that ends sooner is renewed by the 401 it earns. They are the same object as long
// as they say the same, by which the HTTP client knows them again.

import type { Clock } from '../io/clock.ts';
import type { TlsOptions } from '../io/dialer.ts';
import { type Credentials, CredentialsError } from './credentials.ts';
import { type Cluster, type Kubeconfig, readKubeconfigFiles, type User } from './kubeconfig-file.ts';
import { isPluginUser, type Login, type LoginSource, pluginLogin } from './plugin-login.ts';

const HEADERS_MS_MAX = 10_000;
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
/** Where a pod's environment names such a port, the API server is reached in plain HTTP. */
const PLAIN_PORTS: readonly string[] = ['80', '8080', '8001'];
const NOBODY: User = { name: 'nobody' };

export interface KubeconfigOptions {
  /** --kubeconfig. */
  readonly path?: string;
  /** --master: the server's URL, in place of the file's. */
  readonly master?: string;
  /** In place of the current one. */
  readonly context?: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Undefined when there is no such file; throws when it cannot be read. */
  readonly readText: (path: string) => string | undefined;
  readonly clock: Clock;
}

/** Throws CredentialsError. */
export async function readKubeconfig(options: KubeconfigOptions): Promise<Credentials> {
  const credentials = new KubeconfigCredentials(options);
  await credentials.renew();
  return credentials;
}

/** Whom we speak with, and as whom. */
interface Access {
  readonly cluster: Cluster;
  readonly user: User;
}

class KubeconfigCredentials implements Credentials {
  readonly #options: KubeconfigOptions;
  readonly #url: URL;
  #access: Access;
  /** Of a user for whom a plugin logs in. */
  #plugin: LoginSource | undefined;
  #tls: TlsOptions;
  /** The client certificate as of the last renewal: connections may have been made with it, whatever was read since. */
  #renewedCertificate = '';
  #headers: Readonly<Record<string, string>> = {};
  #headersAtMs = Number.NEGATIVE_INFINITY;
  #refreshing: Promise<void> | undefined;

  constructor(options: KubeconfigOptions) {
    this.#options = options;
    this.#access = accessOf(options);
    this.#url = serverUrl(this.#access.cluster);
    this.#tls = this.#tlsOf({ headers: {} });
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
    // One under way may have begun with what is refused by now.
    while (this.#refreshing !== undefined) await this.#refreshing.catch(() => {});
    this.#access = accessOf(this.#options);
    this.#plugin = undefined;
    this.#headersAtMs = Number.NEGATIVE_INFINITY;
    await this.headers();
    const before = this.#renewedCertificate;
    this.#renewedCertificate = String(this.#tls.certificate);
    return before !== this.#renewedCertificate;
  }

  async #refresh(): Promise<void> {
    const { cluster, user } = this.#access;
    let login: Login = { headers: {} };
    try {
      if (isPluginUser(user)) {
        this.#plugin ??= await pluginLogin(cluster, user);
        login = await this.#plugin();
      }
      login = { ...login, ...ownCertificate(login, user, this.#fileText), headers: this.#headersOf(login, user) };
    } catch (error) {
      throw new CredentialsError(`credentials of user ${user.name}: ${textOf(error)}`);
    }
    this.#tls = this.#tlsOf(login);
    if (JSON.stringify(this.#headers) !== JSON.stringify(login.headers)) this.#headers = login.headers;
    this.#headersAtMs = this.#options.clock.nowMs();
  }

  /** A password counts more than a token, and that more than what a plugin says, as @kubernetes/client-node has it. */
  #headersOf({ headers }: Login, user: User): Readonly<Record<string, string>> {
    const { username, password = '', impersonated, tokenFile } = user;
    const token = tokenFile === undefined ? user.token : this.#fileText(tokenFile);
    return {
      ...headers,
      ...(token === undefined ? {} : { authorization: `Bearer ${token.trim()}` }),
      ...(username === undefined
        ? {}
        : { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` }),
      ...(impersonated === undefined ? {} : { 'impersonate-user': impersonated }),
    };
  }

  #tlsOf({ certificate, key }: Login): TlsOptions {
    const { cluster } = this.#access;
    let ca: string | Buffer | undefined;
    try {
      ca = dataOrFile(cluster.caData, cluster.caFile, this.#fileText);
    } catch (error) {
      throw new CredentialsError(`the certificate authority of cluster ${cluster.name}: ${textOf(error)}`);
    }
    return {
      isUnchecked: cluster.skipTlsVerify,
      ...(ca === undefined ? {} : { ca }),
      ...(certificate === undefined ? {} : { certificate }),
      ...(key === undefined ? {} : { key }),
      ...(cluster.tlsServerName === undefined ? {} : { serverName: cluster.tlsServerName }),
    };
  }

  /** Of a file that has to be there. */
  readonly #fileText = (path: string): string => {
    const text = this.#options.readText(path);
    if (text === undefined) throw new Error(`ENOENT: no such file or directory, open '${path}'`);
    return text;
  };
}

/** The user's own, where no plugin has brought one. */
function ownCertificate(login: Login, user: User, fileText: (path: string) => string): Partial<Login> {
  const certificate = login.certificate ?? dataOrFile(user.certData, user.certFile, fileText);
  const key = login.key ?? dataOrFile(user.keyData, user.keyFile, fileText);
  return { ...(certificate === undefined ? {} : { certificate }), ...(key === undefined ? {} : { key }) };
}

function dataOrFile(
  data: string | undefined,
  file: string | undefined,
  fileText: (path: string) => string,
): string | Buffer | undefined {
  if (data !== undefined) return Buffer.from(data, 'base64');
  return file === undefined ? undefined : fileText(file);
}

function serverUrl({ name, server }: Cluster): URL {
  const url = URL.canParse(server) ? new URL(server) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new CredentialsError(`the server of cluster ${name} is not an http or https address: ${server}`);
  }
  return url;
}

function accessOf(options: KubeconfigOptions): Access {
  const { context, master, readText } = options;
  const files = configPaths(options).flatMap((path) => {
    const text = readText(path);
    return text === undefined ? [] : [{ path, text }];
  });
  if (files.length > 0) return replaced(accessIn(readKubeconfigFiles(files), context), master);
  if (options.path !== undefined) throw new CredentialsError(`${options.path}: there is no such kubeconfig`);
  if (isInCluster(options)) return replaced(accessOfPod(options), master);
  if (master === undefined) {
    throw new CredentialsError('no kubeconfig: use --kubeconfig, KUBECONFIG or ~/.kube/config, or run in a pod');
  }
  return { cluster: { name: 'master', server: master, skipTlsVerify: false }, user: NOBODY };
}

function accessIn({ clusters, users, contexts, currentContext }: Kubeconfig, wanted = currentContext): Access {
  if (wanted === '') throw new CredentialsError('the kubeconfig names no current-context');
  const context = contexts.get(wanted);
  const cluster = context === undefined ? undefined : clusters.get(context.cluster);
  if (context === undefined || cluster === undefined) {
    throw new CredentialsError(`context ${wanted} of the kubeconfig has no cluster`);
  }
  if (cluster.proxyUrl !== undefined) {
    throw new CredentialsError(`cluster ${cluster.name}: proxy-url is not supported`);
  }
  return { cluster, user: users.get(context.user) ?? NOBODY };
}

function accessOfPod({ environment }: KubeconfigOptions): Access {
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '' } = environment;
  const scheme = PLAIN_PORTS.includes(port) ? 'http' : 'https';
  const server = `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
  return {
    cluster: { name: 'inCluster', server, caFile: `${SERVICE_ACCOUNT}/ca.crt`, skipTlsVerify: false },
    user: { name: 'inClusterUser', tokenFile: `${SERVICE_ACCOUNT}/token` },
  };
}

function replaced({ cluster, user }: Access, master: string | undefined): Access {
  return { cluster: master === undefined ? cluster : { ...cluster, server: master }, user };
}

function configPaths({ path, environment }: KubeconfigOptions): string[] {
  if (path !== undefined) return [path];
  const { KUBECONFIG: listed = '', HOME: home = '' } = environment;
  if (listed !== '') return listed.split(':').filter((name) => name !== '');
  return home === '' ? [] : [`${home}/.kube/config`];
}

function isInCluster({ environment, readText }: KubeconfigOptions): boolean {
  return (environment.KUBERNETES_SERVICE_HOST ?? '') !== '' && readText(`${SERVICE_ACCOUNT}/token`) !== undefined;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message.trim() : String(error);
}
