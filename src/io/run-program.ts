// Runs another program to its end, for what it prints. It reads nothing.
//
// Limits: RUN_MS_MAX from start to end, and OUTPUT_BYTES_MAX of each of its two outputs; beyond either it is killed, and the run fails.

import { spawn } from 'node:child_process';

const RUN_MS_MAX = 60_000;
const OUTPUT_BYTES_MAX = 1 << 20;

export interface ProgramEnd {
  /** Its exit code; null when a signal has ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Rejects when it cannot be started, or is killed for a limit. */
export function runProgram(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<ProgramEnd> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const stop = (problem: string): void => {
      reject(new Error(`${command}: ${problem}`));
      child.kill('SIGKILL');
    };
    const timer = setTimeout(() => stop(`has not ended after ${RUN_MS_MAX / 1000} s`), RUN_MS_MAX);
    const [stdout, stderr] = [child.stdout, child.stderr].map((stream) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      stream.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > OUTPUT_BYTES_MAX) stop(`prints more than ${OUTPUT_BYTES_MAX} bytes`);
        else chunks.push(chunk);
      });
      return () => Buffer.concat(chunks).toString();
    });
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code, stdout: stdout(), stderr: stderr() });
    });
  });
}
