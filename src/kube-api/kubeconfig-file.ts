// Kubeconfig files as they are written (client-go, tools/clientcmd/api/v1/types.go): read, checked, several merged into one.
//
// Of several files the first that names something counts. Paths in a file are relative to its folder. What is not known here is left out; what is known and
// does not go together is refused once it is to be used (kubeconfig-validation.ts).

import { parse } from 'yaml';
import { CredentialsError } from './credentials.ts';
import { isObject, itemsOf } from './object-head.ts';

const EXEC_EXTENSION = 'client.authentication.k8s.io/exec';

export interface Cluster {
  readonly name: string;
  /** '' where the file says none. */
  readonly server: string;
  /** In base64; before the file. */
  readonly caData?: string;
  readonly caFile?: string;
  readonly tlsServerName?: string;
  readonly proxyUrl?: string;
  readonly skipTlsVerify: boolean;
  /** What exec plugins are told besides. */
  readonly execConfig?: unknown;
}

export interface User {
  readonly name: string;
  /** In base64; before the files. */
  readonly certData?: string;
  readonly keyData?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly token?: string;
  /** Before the token. */
  readonly tokenFile?: string;
  readonly username?: string;
  readonly password?: string;
  readonly impersonated?: string;
  readonly impersonatedUid?: string;
  readonly impersonatedGroups: readonly string[];
  readonly impersonatedExtra: readonly (readonly [string, string])[];
  /** Who logs in for the user, as the file has it. */
  readonly exec?: Fields;
  readonly authProvider?: Fields;
}

export interface Context {
  readonly name: string;
  readonly cluster: string;
  readonly user: string;
}

export type Fields = Readonly<Record<string, unknown>>;

export interface Kubeconfig {
  readonly clusters: ReadonlyMap<string, Cluster>;
  readonly users: ReadonlyMap<string, User>;
  readonly contexts: ReadonlyMap<string, Context>;
  /** '' for none. */
  readonly currentContext: string;
}

export interface KubeconfigFile {
  readonly path: string;
  readonly text: string;
}

/** Throws CredentialsError. */
export function readKubeconfigFiles(files: readonly KubeconfigFile[]): Kubeconfig {
  const clusters = new Map<string, Cluster>();
  const users = new Map<string, User>();
  const contexts = new Map<string, Context>();
  let currentContext = '';
  for (const { path, text } of files) {
    const document = documentOf(path, text);
    const folder = folderOf(path);
    for (const entry of entriesOf(path, document, 'clusters', 'cluster')) add(clusters, clusterOf(folder, entry));
    for (const entry of entriesOf(path, document, 'users', 'user')) add(users, userOf(folder, entry));
    for (const entry of entriesOf(path, document, 'contexts', 'context')) add(contexts, contextOf(path, entry));
    if (currentContext === '') currentContext = textOf(document['current-context']) ?? '';
  }
  return { clusters, users, contexts, currentContext };
}

/** One of the named things of a list: where it stands, for an error; its name; what it is. */
interface Entry {
  readonly place: string;
  readonly name: string;
  readonly fields: Fields;
}

function documentOf(path: string, text: string): Fields {
  let document: unknown;
  try {
    document = parse(text);
  } catch (error) {
    throw new CredentialsError(`${path}: ${error instanceof Error ? error.message.trim() : String(error)}`);
  }
  return isObject(document) ? document : {};
}

function entriesOf(path: string, document: Fields, list: string, kind: string): Entry[] {
  const entries: unknown = document[list];
  if (!Array.isArray(entries)) return [];
  return entries.map((entry: unknown, index) => {
    const place = `${list}[${index}]`;
    const name = isObject(entry) ? textOf(entry.name) : undefined;
    if (!isObject(entry) || name === undefined) throw new CredentialsError(`${path}: ${place}.name is missing`);
    const fields = entry[kind];
    // A user may be nobody.
    if (!isObject(fields) && kind !== 'user') throw new CredentialsError(`${path}: ${place}.${kind} is missing`);
    return { place: `${place}.${kind}`, name, fields: isObject(fields) ? fields : {} };
  });
}

function clusterOf(folder: string, { name, fields }: Entry): Cluster {
  return {
    name,
    server: textOf(fields.server) ?? '',
    skipTlsVerify: fields['insecure-skip-tls-verify'] === true,
    ...optional('caData', textOf(fields['certificate-authority-data'])),
    ...optional('caFile', pathOf(folder, fields['certificate-authority'])),
    ...optional('tlsServerName', textOf(fields['tls-server-name'])),
    ...optional('proxyUrl', textOf(fields['proxy-url'])),
    ...optional('execConfig', extensionOf(fields, EXEC_EXTENSION)),
  };
}

function extensionOf({ extensions }: Fields, name: string): unknown {
  const found = itemsOf(extensions).find((one) => isObject(one) && one.name === name);
  return isObject(found) ? found.extension : undefined;
}

function userOf(folder: string, { name, fields }: Entry): User {
  const { exec, token, username, password, as: impersonated } = fields;
  const authProvider = fields['auth-provider'];
  return {
    name,
    ...optional('certData', textOf(fields['client-certificate-data'])),
    ...optional('keyData', textOf(fields['client-key-data'])),
    ...optional('certFile', pathOf(folder, fields['client-certificate'])),
    ...optional('keyFile', pathOf(folder, fields['client-key'])),
    ...optional('token', textOf(token)),
    ...optional('tokenFile', pathOf(folder, fields.tokenFile)),
    ...optional('username', textOf(username)),
    ...optional('password', textOf(password)),
    ...optional('impersonated', textOf(impersonated)),
    ...optional('impersonatedUid', textOf(fields['as-uid'])),
    impersonatedGroups: textsOf(fields['as-groups']),
    impersonatedExtra: Object.entries(isObject(fields['as-user-extra']) ? fields['as-user-extra'] : {}).flatMap(
      ([key, values]) => textsOf(values).map((value) => [key, value] as const),
    ),
    ...optional('exec', isObject(exec) ? { ...exec, command: commandOf(folder, exec.command) } : undefined),
    ...optional('authProvider', isObject(authProvider) ? authProvider : undefined),
  };
}

function contextOf(path: string, { place, name, fields }: Entry): Context {
  const cluster = textOf(fields.cluster);
  if (cluster === undefined) throw new CredentialsError(`${path}: ${place}.cluster is missing`);
  return { name, cluster, user: textOf(fields.user) ?? '' };
}

function add<T extends { readonly name: string }>(known: Map<string, T>, one: T): void {
  if (!known.has(one.name)) known.set(one.name, one);
}

function optional<Name extends string, T>(name: Name, value: T | undefined): { readonly [K in Name]?: T } {
  // One field, of that name and value.
  return (value === undefined ? {} : { [name]: value }) as { readonly [K in Name]?: T };
}

/** A command with a slash in it is relative to the file's folder, as other paths are; one without is looked for in PATH. */
function commandOf(folder: string, command: unknown): string | undefined {
  const text = textOf(command);
  return text?.includes('/') === true ? pathOf(folder, text) : text;
}

function textsOf(values: unknown): string[] {
  return itemsOf(values).flatMap((value) => textOf(value) ?? []);
}

/** YAML makes numbers of names and passwords that look like one. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function pathOf(folder: string, value: unknown): string | undefined {
  const path = textOf(value);
  return path === undefined || path.startsWith('/') ? path : `${folder}/${path}`;
}

function folderOf(path: string): string {
  const end = path.lastIndexOf('/');
  return end < 0 ? '.' : end === 0 ? '' : path.slice(0, end);
}
