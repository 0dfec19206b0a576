// Logins by an exec plugin (client-go, plugin/pkg/client/auth/exec of 0.36): a program that prints an ExecCredential. What it says is kept until it expires;
// its refusals have client-go's words.

import { errorText } from '../base/error-text.ts';
import { type ProgramEnd, runProgram } from '../io/run-program.ts';
import type { Cluster, Fields } from './kubeconfig-file.ts';
import { isObject, itemsOf } from './object-head.ts';
import type { Login, LoginSource } from './plugin-login.ts';

const V1 = 'client.authentication.k8s.io/v1';
const VERSIONS: readonly unknown[] = [V1, 'client.authentication.k8s.io/v1beta1'];

export interface ExecWorld {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** By the calendar, in ms. */
  readonly wallMs: () => number;
  /** What the authority of the cluster is, in base64; undefined: the system's. */
  readonly caData: () => string | undefined;
}

/** `exec`: as the file has it, and checked (kubeconfig-validation.ts). Throws what is wrong with it beyond that. */
export function execLogin(cluster: Cluster, exec: Fields, world: ExecWorld): LoginSource {
  const { apiVersion, command, args, env, interactiveMode } = exec;
  if (!VERSIONS.includes(apiVersion)) throw new Error(`exec plugin: invalid apiVersion ${JSON.stringify(apiVersion)}`);
  if (interactiveMode === 'Always') {
    throw new Error('exec plugin cannot support interactive mode: standard input is unavailable');
  }
  const { environment, wallMs } = world;
  const variables = itemsOf(env).flatMap((one) => (isObject(one) ? [[String(one.name), String(one.value ?? '')]] : []));
  let kept: Login | undefined;
  let expiresMs = Number.POSITIVE_INFINITY;
  return async () => {
    if (kept !== undefined && wallMs() < expiresMs) return kept;
    const told = {
      ...environment,
      ...Object.fromEntries(variables),
      KUBERNETES_EXEC_INFO: infoOf(cluster, exec, world),
    };
    const end = await runProgram(String(command), itemsOf(args).map(String), told);
    const status = statusOf(end, String(command), apiVersion);
    const { expirationTimestamp } = status;
    const expiry = typeof expirationTimestamp === 'string' ? Date.parse(expirationTimestamp) : Number.NaN;
    expiresMs = Number.isNaN(expiry) ? Number.POSITIVE_INFINITY : expiry;
    kept = loginOf(status);
    return kept;
  };
}

function infoOf(
  { server, tlsServerName, skipTlsVerify, execConfig }: Cluster,
  { apiVersion, provideClusterInfo }: Fields,
  world: ExecWorld,
): string {
  const caData = world.caData();
  const cluster = {
    server,
    ...(tlsServerName === undefined ? {} : { 'tls-server-name': tlsServerName }),
    ...(skipTlsVerify ? { 'insecure-skip-tls-verify': true } : {}),
    ...(caData === undefined ? {} : { 'certificate-authority-data': caData }),
    config: execConfig ?? null,
  };
  const spec = { ...(provideClusterInfo === true ? { cluster } : {}), interactive: false };
  return JSON.stringify({ kind: 'ExecCredential', apiVersion, spec });
}

function statusOf({ code, stdout, stderr }: ProgramEnd, command: string, apiVersion: unknown): Fields {
  if (code !== 0) throw new Error(`exec: executable ${command} failed with exit code ${code}: ${stderr.trim()}`);
  let answer: unknown;
  try {
    answer = JSON.parse(stdout);
  } catch (error) {
    throw new Error(`decoding stdout: ${errorText(error)}`);
  }
  if (!isObject(answer) || answer.kind !== 'ExecCredential')
    throw new Error('decoding stdout: it is no ExecCredential');
  if (answer.apiVersion !== apiVersion) {
    throw new Error(
      `exec plugin is configured to use API version ${apiVersion}, plugin returned version ${answer.apiVersion}`,
    );
  }
  if (!isObject(answer.status)) throw new Error("exec plugin didn't return a status field");
  return answer.status;
}

function loginOf({ token, clientCertificateData: certificate, clientKeyData: key }: Fields): Login {
  const has = (value: unknown): value is string => typeof value === 'string' && value !== '';
  if (!has(token) && !has(certificate) && !has(key)) {
    throw new Error("exec plugin didn't return a token or cert/key pair");
  }
  if (has(certificate) !== has(key)) throw new Error('exec plugin returned only certificate or key, not both');
  return {
    headers: has(token) ? { authorization: `Bearer ${token}` } : {},
    ...(has(certificate) && has(key) ? { certificate, key } : {}),
  };
}
