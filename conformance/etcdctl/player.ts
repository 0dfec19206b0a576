/**
 * Plays cases on one store and keeps what etcdctl printed, in a form that equal stores have in common: ids, terms, sizes,
 * durations, hashes and addresses are replaced by words, runs of blanks and of table lines by one.
 */
import { spawn } from 'node:child_process';
import { peerPath } from '../lab/peer-path.ts';
import type { Case } from './case.ts';

const caseTimeoutMs = 15_000;
const longCaseTimeoutMs = 120_000;
const afterLinesMs = 150;

const rewrites: readonly (readonly [RegExp, string])[] = [
  [/http:\/\/127\.0\.0\.1:\d+/g, 'URL'],
  [/127\.0\.0\.1:\d+/g, 'ADDRESS'],
  [/"(ts|caller|target|logger)":"[^"]*"/g, '"$1":""'],
  [/("?(?:raft_term|raftTerm|RaftTerm|raftIndex|RaftIndex|raftAppliedIndex|RaftAppliedIndex)"?)( ?: ?)\d+/g, '$1$2N'],
  [/("?(?:dbSize\w*|DBSize\w*|hash|Hash|totalSize)"?)( ?: ?)\d+/g, '$1$2N'],
  [/("?(?:cluster_id|member_id|ClusterID|MemberID|ID|leader|Leader|id)"?)( ?: ?)\d{4,}/g, '$1$2ID'],
  [/"(took|Took)":"[^"]*"/g, '"$1":""'],
  [/\b\d+(\.\d+)?(ns|µs|ms|m?s)\b/g, 'DURATION'],
  [/\b\d+(\.\d+)? [kMG]?B\b/g, 'SIZE'],
  [/remaining\(-?\d+s\)/g, 'remaining(N)'],
  [/("ttl":|"TTL" : )\d+/g, '$1N'],
  [/\b\d+%/g, 'N%'],
  // The simple and table forms of a status: ..., leader, learner, term, index, applied index
  [/(true|false)([,│ ]+)(true|false)([,│ ]+)\d+([,│ ]+)\d+([,│ ]+)\d+/g, '$1$2$3$4N$5N$6N'],
  [/(URL, )\d+(, \d+$)/gm, '$1N$2'],
  [/\b\d{13,20}\b/g, 'ID'],
  [/\b(?=[a-f]*\d)[0-9a-f]{12,16}\b/g, 'HEX'],
  [/[─━]+/g, '─'],
  [/-{3,}/g, '---'],
  [/ {2,}/g, ' '],
];

/** Lists that etcd gives in no order: the keys attached to a lease. */
const unorderedLists: readonly (readonly [RegExp, string])[] = [
  [/(?<=attached keys\(\[)[^\]]*(?=\]\))/g, ' '],
  [/(?<="keys":\[)[^\]]*(?=\])/g, ','],
];

function sortLists(text: string): string {
  return unorderedLists.reduce(
    (result, [pattern, separator]) => result.replace(pattern, (list) => list.split(separator).sort().join(separator)),
    text,
  );
}

function replaceAll(text: string, replacements: readonly (readonly [RegExp, string])[]): string {
  return replacements.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), text);
}

/** The code of a case that had to be killed. */
export const hang = 'did not end';

export interface Played {
  readonly code: string;
  /** What was printed, normalised; stderr after stdout. */
  readonly text: string;
}

interface Printed {
  readonly code: string;
  readonly stdout: string;
  readonly stderr: string;
}

export class Player {
  readonly #endpoint: string;
  readonly #folder: string;
  /** What was captured, by name, as hexadecimal digits. */
  readonly #captured: Map<string, string> = new Map();

  constructor(endpoint: string, folder: string) {
    this.#endpoint = endpoint;
    this.#folder = folder;
  }

  async play(played: Case): Promise<Played> {
    const { code, stdout, stderr } = await this.#run(played, await this.#fill(played.args));
    if (played.captureAs !== undefined) {
      const [id] = /\b[0-9a-f]{12,16}\b/.exec(stdout) ?? [];
      if (id !== undefined) this.#captured.set(played.captureAs, id);
    }
    return { code, text: this.#normal(stderr === '' ? stdout : `${stdout}${stderr}`) };
  }

  #normal(text: string): string {
    const known = [...this.#captured].flatMap(([name, id]): [RegExp, string][] => [
      [new RegExp(`\\b0*${id}\\b`, 'g'), name],
      [new RegExp(`\\b${BigInt(`0x${id}`)}\\b`, 'g'), name],
    ]);
    return sortLists(replaceAll(text.replaceAll(this.#folder, 'FOLDER'), [...known, ...rewrites])).trimEnd();
  }

  async #fill(args: readonly string[]): Promise<string[]> {
    const values = new Map([...this.#captured, ['FOLDER', this.#folder]]);
    if (args.some((arg) => arg.includes('$NEXT'))) values.set('NEXT', String((await this.#revision()) + 1));
    return args.map((arg) => arg.replace(/\$([A-Z]+)\b/g, (whole, name) => values.get(name) ?? whole));
  }

  async #revision(): Promise<number> {
    const args = ['get', 'nothing', '-w', 'json'];
    const { stdout } = await this.#run({ name: 'revision', args }, args);
    const { header }: { header: { revision: number } } = JSON.parse(stdout);
    return header.revision;
  }

  #run(played: Case, args: readonly string[]): Promise<Printed> {
    const { program = 'etcdctl', stdin, env, endAfterLines, meanwhile = [] } = played;
    const timeout = args.includes('perf') ? longCaseTimeoutMs : caseTimeoutMs;
    const all = program === 'etcdctl' ? [`--endpoints=${this.#endpoint}`, ...args] : args;
    return new Promise((resolve, reject) => {
      const child = spawn(peerPath(program), all, { env: { ...process.env, ...env }, timeout, killSignal: 'SIGKILL' });
      let stdout = '';
      let stderr = '';
      let isEnded = false;
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        stdout += text;
        if (isEnded || endAfterLines === undefined || stdout.split('\n').length <= endAfterLines) return;
        isEnded = true;
        // A little longer, so that a line too many would show.
        setTimeout(() => child.kill('SIGINT'), afterLinesMs);
      });
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        stderr += text;
      });
      child.on('error', reject);
      child.on('close', (code, signal) => {
        const how = signal === 'SIGKILL' ? hang : String(code ?? signal);
        resolve({ code: isEnded ? 'ended by us' : how, stdout, stderr });
      });
      // The end of stdin ends an interactive command, so that stays open when we are the ones to end it.
      child.stdin.on('error', () => {});
      child.stdin.write(stdin ?? '');
      if (endAfterLines === undefined) child.stdin.end();
      this.#runAll(meanwhile).catch(reject);
    });
  }

  async #runAll(lines: readonly (readonly string[])[]): Promise<void> {
    for (const args of lines) await this.#run({ name: args.join(' '), args }, args);
  }
}
