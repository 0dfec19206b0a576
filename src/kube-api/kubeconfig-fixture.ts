// Kubeconfigs in few words: one cluster, one user, one context.

export function config(user: object, cluster: object = {}): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: 'https://10.0.0.1:6443', ...cluster } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  });
}

/** A user's `exec` that says that status, which is JavaScript. */
export function execPlugin(status: string, more: object = {}): object {
  const apiVersion = 'client.authentication.k8s.io/v1';
  const answer = `{ kind: 'ExecCredential', apiVersion: '${apiVersion}', status: ${status} }`;
  const args = ['-e', `process.stdout.write(JSON.stringify(${answer}))`];
  return { apiVersion, command: process.execPath, args, interactiveMode: 'Never', ...more };
}
