// What client-go refuses of a kubeconfig before it is used, in its words (tools/clientcmd/validation.go and rest/transport.go of 0.36): of all that the files
// name, the cluster and the user that are about to be used.

import { CredentialsError } from './credentials.ts';
import type { Cluster, Fields, User } from './kubeconfig-file.ts';
import { isObject, itemsOf } from './object-head.ts';

const INTERACTIVE_MODES: readonly unknown[] = ['Never', 'IfAvailable', 'Always'];
/** Plugins of these versions need not say how interactive they are. */
const EXEC_BETAS: readonly unknown[] = [
  'client.authentication.k8s.io/v1beta1',
  'client.authentication.k8s.io/v1alpha1',
];

/** Why a file cannot be read, in Go's words; undefined when it can. */
export type Unreadable = (path: string) => string | undefined;

/** Throws CredentialsError with all that is wrong. */
export function checkUsable(cluster: Cluster, user: User, unreadable: Unreadable): void {
  // Each is said once, as an Aggregate of errors does.
  const problems = [...new Set([...userProblems(user, unreadable), ...clusterProblems(cluster, unreadable)])];
  if (problems.length > 0) {
    const text = problems.length === 1 ? problems[0] : `[${problems.join(', ')}]`;
    throw new CredentialsError(`invalid configuration: ${text}`);
  }
  if (cluster.skipTlsVerify && (cluster.caData ?? cluster.caFile) !== undefined) {
    throw new CredentialsError('specifying a root certificates file with the insecure flag is not allowed');
  }
  if (user.tokenFile !== undefined && (user.username ?? user.password) !== undefined) {
    throw new CredentialsError('username/password or bearer token may be set, but not both');
  }
  if (cluster.proxyUrl !== undefined) throw new CredentialsError(`cluster ${cluster.name}: proxy-url is not supported`);
}

function clusterProblems({ name, server, caData, caFile }: Cluster, unreadable: Unreadable): string[] {
  const problems: string[] = [];
  if (server === '') problems.push(`no server found for cluster ${JSON.stringify(name)}`);
  if (caData !== undefined && caFile !== undefined) {
    const both = `certificate-authority-data and certificate-authority are both specified for ${name}`;
    problems.push(`${both}. certificate-authority-data will override.`);
  }
  const reason = caFile === undefined ? undefined : unreadable(caFile);
  if (reason !== undefined)
    problems.push(`unable to read certificate-authority ${caFile} for ${name} due to ${reason}`);
  return problems;
}

function userProblems(user: User, unreadable: Unreadable): string[] {
  const { name, token, username, password, impersonated, impersonatedGroups, impersonatedUid, impersonatedExtra } =
    user;
  const methods = [
    ...(token === undefined ? [] : ['token']),
    ...((username ?? password) === undefined ? [] : ['basicAuth']),
  ];
  const problems = [...certificateProblems(user, unreadable), ...execProblems(user)];
  if (methods.length > 1) {
    const found = `found [${methods.join(' ')}], only one is allowed`;
    problems.push(`more than one authentication method found for ${name}; ${found}`);
  }
  const others = impersonatedGroups.length + impersonatedExtra.length + (impersonatedUid === undefined ? 0 : 1);
  if (others > 0 && impersonated === undefined) {
    problems.push(`requesting uid, groups or user-extra for ${name} without impersonating a user`);
  }
  return problems;
}

function certificateProblems({ name, certData, certFile, keyData, keyFile }: User, unreadable: Unreadable): string[] {
  if ((certData ?? certFile) === undefined) return [];
  const problems: string[] = [];
  if (certData !== undefined && certFile !== undefined) {
    problems.push(`client-cert-data and client-cert are both specified for ${name}. client-cert-data will override.`);
  }
  if (keyData !== undefined && keyFile !== undefined) {
    problems.push(`client-key-data and client-key are both specified for ${name}; client-key-data will override`);
  }
  if ((keyData ?? keyFile) === undefined) {
    const method = 'to use the clientCert authentication method.';
    problems.push(`client-key-data or client-key must be specified for ${name} ${method}`);
  }
  for (const [kind, file] of [
    ['client-cert', certFile],
    ['client-key', keyFile],
  ]) {
    const reason = file === undefined ? undefined : unreadable(file);
    if (reason !== undefined) problems.push(`unable to read ${kind} ${file} for ${name} due to ${reason}`);
  }
  return problems;
}

function execProblems({ name, exec, authProvider }: User): string[] {
  if (exec === undefined) return [];
  const problems: string[] = [];
  const plugin = `for ${name} to use exec authentication plugin`;
  if (authProvider !== undefined) {
    problems.push(`authProvider cannot be provided in combination with an exec plugin for ${name}`);
  }
  if (isEmpty(exec.command)) problems.push(`command must be specified ${plugin}`);
  if (isEmpty(exec.apiVersion)) problems.push(`apiVersion must be specified ${plugin}`);
  for (const one of itemsOf(exec.env)) {
    if (!isObject(one) || isEmpty(one.name)) problems.push(`env variable name must be specified ${plugin}`);
  }
  return [...problems, ...modeProblems(name, exec)];
}

function modeProblems(name: string, { interactiveMode, apiVersion }: Fields): string[] {
  if (isEmpty(interactiveMode)) {
    const isNeeded = !EXEC_BETAS.includes(apiVersion);
    return isNeeded ? [`interactiveMode must be specified for ${name} to use exec authentication plugin`] : [];
  }
  if (INTERACTIVE_MODES.includes(interactiveMode)) return [];
  return [`invalid interactiveMode for ${name}: ${JSON.stringify(interactiveMode)}`];
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}
