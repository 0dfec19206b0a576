// Logins that others make for a user: exec plugins, OIDC and the auth providers of old, by @kubernetes/client-node, which is loaded when there is one, since it
// takes longer than all else at a start. Added to what it does: KUBERNETES_EXEC_INFO for plugins that ask for it.

import type { Cluster, Fields, User } from './kubeconfig-file.ts';

/** What a login adds to a user's own. */
export interface Login {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly certificate?: string | Buffer;
  readonly key?: string | Buffer;
}

/** Answers kept as long as they say. Rejects as the plugin fails. */
export type LoginSource = () => Promise<Login>;

/** What https.request and the library's authenticators take. */
interface HttpsOptions {
  headers: Record<string, string>;
  cert?: string | Buffer;
  key?: string | Buffer;
}

export function isPluginUser({ exec, authProvider }: User): boolean {
  return exec !== undefined || authProvider !== undefined;
}

export async function pluginLogin({ name, server }: Cluster, user: User): Promise<LoginSource> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  // The library makes a connection of its own from this, which nobody uses, and refuses plain HTTP with checks that it has not.
  const cluster = { name, server, skipTLSVerify: true };
  const { exec, authProvider } = user;
  const known = {
    name: user.name,
    ...(exec === undefined ? {} : { exec: informed(exec) }),
    ...(authProvider === undefined ? {} : { authProvider }),
  };
  const context = { name: 'login', cluster: name, user: user.name };
  config.loadFromOptions({ clusters: [cluster], users: [known], contexts: [context], currentContext: context.name });
  return async () => {
    const options: HttpsOptions = { headers: {} };
    await config.applyToHTTPSOptions(options);
    const { headers, cert, key } = options;
    return {
      headers: Object.fromEntries(Object.entries(headers).map(([field, value]) => [field.toLowerCase(), value.trim()])),
      ...(cert === undefined ? {} : { certificate: cert }),
      ...(key === undefined ? {} : { key }),
    };
  };
}

function informed(exec: Fields): Fields {
  const { apiVersion = 'client.authentication.k8s.io/v1', env } = exec;
  const info = { apiVersion, kind: 'ExecCredential', spec: { interactive: false } };
  const variables: unknown[] = Array.isArray(env) ? env : [];
  return { ...exec, env: [...variables, { name: 'KUBERNETES_EXEC_INFO', value: JSON.stringify(info) }] };
}
