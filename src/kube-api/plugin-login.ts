// Logins that others make for a user: exec plugins (exec-login.ts), and OIDC by @kubernetes/client-node, which is loaded when it is wanted, since it takes longer
// than all else at a start. Of the auth providers that there once were client-go says what has become of them, and so does this.

import type { HttpHeaders } from '../io/http-client.ts';
import { type ExecWorld, execLogin } from './exec-login.ts';
import type { Cluster, User } from './kubeconfig-file.ts';
import { isObject } from './object-head.ts';

/** What a login adds to a user's own. */
export interface Login {
  readonly headers: HttpHeaders;
  readonly certificate?: string | Buffer;
  readonly key?: string | Buffer;
}

/** Answers kept as long as they say. Rejects as the plugin fails. */
export type LoginSource = () => Promise<Login>;

const OIDC_NEEDS: readonly string[] = ['idp-issuer-url', 'client-id'];
const REMOVED: ReadonlyMap<unknown, string> = new Map([
  [
    'gcp',
    `The gcp auth plugin has been removed.
Please use the "gke-gcloud-auth-plugin" kubectl/client-go credential plugin instead.
See https://cloud.google.com/blog/products/containers-kubernetes/kubectl-auth-changes-in-gke for further details`,
  ],
  [
    'azure',
    `The azure auth plugin has been removed.
Please use the https://github.com/Azure/kubelogin kubectl/client-go credential plugin instead.
See https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins for further details`,
  ],
]);

/** As in client-go a plugin is not asked where the user has something to show already. */
export function isPluginUser({ exec, authProvider, token, tokenFile, username, certData, certFile }: User): boolean {
  if (authProvider !== undefined) return true;
  return exec !== undefined && (token ?? tokenFile ?? username ?? certData ?? certFile) === undefined;
}

/** Throws what is wrong with the plugin's configuration. */
export async function pluginLogin(cluster: Cluster, user: User, world: ExecWorld): Promise<LoginSource> {
  return user.exec === undefined ? providerLogin(cluster, user) : execLogin(cluster, user.exec, world);
}

async function providerLogin({ name, server }: Cluster, user: User): Promise<LoginSource> {
  const { authProvider = {} } = user;
  const removed = REMOVED.get(authProvider.name);
  if (removed !== undefined) throw new Error(removed);
  if (authProvider.name !== 'oidc') {
    throw new Error(`no Auth Provider found for name ${JSON.stringify(authProvider.name ?? '')}`);
  }
  const given = isObject(authProvider.config) ? authProvider.config : {};
  const lacking = OIDC_NEEDS.find((key) => given[key] === undefined || given[key] === '');
  if (lacking !== undefined) throw new Error(`Must provide ${lacking}`);
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  // The library makes a connection of its own from this, which nobody uses, and refuses plain HTTP with checks that it has not.
  const cluster = { name, server, skipTLSVerify: true };
  const context = { name: 'login', cluster: name, user: user.name };
  const users = [{ name: user.name, authProvider }];
  config.loadFromOptions({ clusters: [cluster], users, contexts: [context], currentContext: context.name });
  return async () => {
    const options: { headers: Record<string, string> } = { headers: {} };
    await config.applyToHTTPSOptions(options);
    const headers = Object.entries(options.headers).map(([field, value]) => [field.toLowerCase(), value.trim()]);
    return { headers: Object.fromEntries(headers) };
  };
}
