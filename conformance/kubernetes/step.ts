/** What a step of the run is and what it may use. A step throws when something is not as it must be. */
import { spawn } from 'node:child_process';
import { peerPath } from '../lab/peer-path.ts';
import type { Subject } from '../lab/subject.ts';
import type { ControlPlane } from './control-plane.ts';
import type { FakeKubelet } from './fake-kubelet.ts';
import type { Informer } from './informer.ts';
import type { KubeClient } from './kube-client.ts';
import type { Ledger } from './ledger.ts';

export interface Lab {
  readonly subject: Subject;
  readonly plane: ControlPlane;
  readonly client: KubeClient;
  readonly kubelet: FakeKubelet;
  readonly ledger: Ledger;
  readonly informers: Informer[];
  readonly tokens: ReadonlyMap<string, string>;
  readonly folder: string;
  readonly nodeCount: number;
  readonly replicaCount: number;
}

export interface Step {
  readonly name: string;
  /** Answers a remark for the report, which may be empty. */
  readonly run: (lab: Lab) => Promise<string>;
}

export interface Output {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end or kills it at the limit (code null). */
export function runProgram(program: string, args: readonly string[], timeoutMs: number): Promise<Output> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

export function kubectlArgs(lab: Lab): string[] {
  return [`--kubeconfig=${lab.plane.adminConfigPath}`, `--cache-dir=${lab.folder}/kubectl-cache`];
}

export function kubectl(lab: Lab, ...args: readonly string[]): Promise<Output> {
  return runProgram(peerPath('kubectl'), [...kubectlArgs(lab), ...args], 60_000);
}

export function assertThat(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(what);
}

/** Throws unless the request is refused with that status. */
export async function assertRefused(status: number, what: string, request: Promise<unknown>): Promise<void> {
  let seen = 'it succeeded';
  try {
    await request;
  } catch (error) {
    seen = error instanceof Error ? error.message : String(error);
    if (error instanceof Error && 'status' in error && error.status === status) return;
  }
  throw new Error(`${what} must be refused with ${status}: ${seen}`);
}

/** The store's revision, as its own client reads it. */
export async function storeRevision(lab: Lab): Promise<number> {
  const args = [`--endpoints=${lab.subject.endpoint}`, 'endpoint', 'status', '-w', 'json'];
  const { stdout, stderr } = await runProgram(peerPath('etcdctl'), args, 20_000);
  const [answer]: [{ Status: { header: { revision: number } } }?] = JSON.parse(stdout === '' ? '[]' : stdout);
  if (answer === undefined) throw new Error(`etcdctl endpoint status: ${stderr}`);
  return answer.Status.header.revision;
}
