// Credentials from where kubectl and kube-scheduler look for them:
//
//   --kubeconfig, else the files of KUBECONFIG, else ~/.kube/config, else the service account of the pod we run in; --master
//   replaces the server's address
//
// Known forms: client certificate, token, tokenFile, basic, exec plugin, OIDC (plugin-login.ts), impersonation. What cannot be used is refused as client-go does
// (kubeconfig-validation.ts); what is not known is refused rather than left out: proxies.
//
// Files are read again while they are in use. Where one cannot be, what was read before stays, as in client-go; a 401 asks for it again, and then it has to be there.
//
// Headers are kept for HEADERS_MS_MAX, since making them reads files; a token that ends sooner is renewed by the 401 it earns. They are the same object as long
// as they say the same, by which the HTTP client knows them again.

import type { Clock } from '../io/clock.ts';
import type { TlsOptions } from '../io/dialer.ts';
import type { HttpHeaders } from '../io/http-client.ts';
import { type Credentials, CredentialsError } from './credentials.ts';
import { type Cluster, type Kubeconfig, readKubeconfigFiles, type User } from './kubeconfig-file.ts';
import { checkUsable } from './kubeconfig-validation.ts';
import { isPluginUser, type Login, type LoginSource, pluginLogin } from './plugin-login.ts';

const HEADERS_MS_MAX = 10_000;
/** A token's character (RFC 9110 §5.6.2), but for the percent sign. */
const HEADER_NAME = /^[!#$&'*+.^_`|~0-9A-Za-z-]$/;
const PEM_CERTIFICATE = '-----BEGIN CERTIFICATE-----';
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
/** Where a pod's environment names such a port, the API server is reached in plain HTTP. */
const PLAIN_PORTS: readonly string[] = ['80', '8080', '8001'];
const NOBODY: User = { name: 'nobody', impersonatedGroups: [], impersonatedExtra: [] };

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
  #headers: HttpHeaders = {};
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

  async headers(): Promise<HttpHeaders> {
    if (this.#options.clock.nowMs() - this.#headersAtMs >= HEADERS_MS_MAX) {
      this.#refreshing ??= this.#refreshOrKeep().finally(() => {
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

  async #refreshOrKeep(): Promise<void> {
    try {
      await this.#refresh();
    } catch (error) {
      if (this.#headersAtMs === Number.NEGATIVE_INFINITY) throw error;
      this.#headersAtMs = this.#options.clock.nowMs();
    }
  }

  async #refresh(): Promise<void> {
    const { cluster, user } = this.#access;
    let login: Login = { headers: {} };
    try {
      if (isPluginUser(user)) {
        this.#plugin ??= await pluginLogin(cluster, user, {
          environment: this.#options.environment,
          wallMs: () => this.#options.clock.wallMs(),
          caData: () => this.#caData(),
        });
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

  #headersOf({ headers }: Login, user: User): HttpHeaders {
    const { username, password = '' } = user;
    const token = this.#tokenOf(user)?.trim();
    return {
      ...headers,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(username === undefined
        ? {}
        : { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` }),
      ...impersonation(user),
    };
  }

  /** The file's; where that cannot be read at the first time the other one, if there is one. */
  #tokenOf({ token, tokenFile }: User): string | undefined {
    if (tokenFile === undefined) return token;
    try {
      const text = this.#fileText(tokenFile);
      // Somebody is about to write it.
      if (text.trim() === '') throw new Error(`read empty token from file ${JSON.stringify(tokenFile)}`);
      return text;
    } catch (error) {
      if (token === undefined || this.#headersAtMs !== Number.NEGATIVE_INFINITY) throw error;
      return token;
    }
  }

  #caData(): string | undefined {
    const { caData, caFile } = this.#access.cluster;
    if (caData !== undefined) return caData;
    return caFile === undefined ? undefined : Buffer.from(this.#fileText(caFile)).toString('base64');
  }

  #tlsOf({ certificate, key }: Login): TlsOptions {
    const { cluster } = this.#access;
    let ca: string | Buffer | undefined;
    try {
      ca = dataOrFile(cluster.caData, cluster.caFile, this.#fileText);
    } catch (error) {
      throw new CredentialsError(`the certificate authority of cluster ${cluster.name}: ${textOf(error)}`);
    }
    // As client-go says it. OpenSSL would take it for nobody who vouches, and say so of each connection.
    if (ca?.includes(PEM_CERTIFICATE) === false) {
      throw new CredentialsError('unable to load root certificates: unable to parse bytes as PEM block');
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

/** As client-go's NewImpersonatingRoundTripper sends it. */
function impersonation(user: User): HttpHeaders {
  const { impersonated, impersonatedUid, impersonatedGroups, impersonatedExtra } = user;
  if (impersonated === undefined) return {};
  const extra: Record<string, string[]> = {};
  for (const [key, value] of impersonatedExtra) {
    const name = `impersonate-extra-${headerKey(key)}`.toLowerCase();
    extra[name] = [...(extra[name] ?? []), value];
  }
  return {
    'impersonate-user': impersonated,
    ...(impersonatedUid === undefined ? {} : { 'impersonate-uid': impersonatedUid }),
    ...(impersonatedGroups.length === 0 ? {} : { 'impersonate-group': [...impersonatedGroups] }),
    ...extra,
  };
}

/** What cannot stand in a header's name is percent-encoded, the percent sign included. */
function headerKey(key: string): string {
  const isPlain = (byte: number): boolean => HEADER_NAME.test(String.fromCharCode(byte));
  const bytes = [...Buffer.from(key)];
  return bytes
    .map((byte) => (isPlain(byte) ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`))
    .join('');
}

/** The user's own, where no plugin has brought one; a key alone counts for nothing. */
function ownCertificate(login: Login, user: User, fileText: (path: string) => string): Partial<Login> {
  const certificate = login.certificate ?? dataOrFile(user.certData, user.certFile, fileText);
  if (certificate === undefined) return {};
  const key = login.key ?? dataOrFile(user.keyData, user.keyFile, fileText);
  return { certificate, ...(key === undefined ? {} : { key }) };
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
  if (files.length > 0) {
    const access = replaced(accessIn(readKubeconfigFiles(files), context), master);
    checkUsable(access.cluster, access.user, (path) => unreadable(path, readText));
    return access;
  }
  if (options.path !== undefined) throw new CredentialsError(`${options.path}: there is no such kubeconfig`);
  if (isInCluster(options)) return replaced(accessOfPod(options), master);
  if (master === undefined) {
    throw new CredentialsError('no kubeconfig: use --kubeconfig, KUBECONFIG or ~/.kube/config, or run in a pod');
  }
  return { cluster: { name: 'master', server: master, skipTlsVerify: false }, user: NOBODY };
}

/** As Go's os.Open says it. */
function unreadable(path: string, readText: KubeconfigOptions['readText']): string | undefined {
  try {
    return readText(path) === undefined ? `open ${path}: no such file or directory` : undefined;
  } catch (error) {
    const isDenied = error instanceof Error && 'code' in error && error.code === 'EACCES';
    return isDenied ? `open ${path}: permission denied` : textOf(error);
  }
}

function accessIn({ clusters, users, contexts, currentContext }: Kubeconfig, wanted = currentContext): Access {
  if (wanted === '') throw new CredentialsError('the kubeconfig names no current-context');
  const context = contexts.get(wanted);
  if (context === undefined) throw new CredentialsError(`context was not found for specified context: ${wanted}`);
  const cluster = clusters.get(context.cluster);
  if (cluster === undefined) {
    throw new CredentialsError(`cluster "${context.cluster}" was not found for context "${wanted}"`);
  }
  return { cluster, user: users.get(context.user) ?? NOBODY };
}

function accessOfPod({ environment }: KubeconfigOptions): Access {
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '' } = environment;
  const scheme = PLAIN_PORTS.includes(port) ? 'http' : 'https';
  const server = `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
  return {
    cluster: { name: 'inCluster', server, caFile: `${SERVICE_ACCOUNT}/ca.crt`, skipTlsVerify: false },
    user: { ...NOBODY, name: 'inClusterUser', tokenFile: `${SERVICE_ACCOUNT}/token` },
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
