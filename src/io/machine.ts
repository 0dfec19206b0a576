// The machine under a folder: which file system it is on, and what this process may use.

import { accessSync, constants, readFileSync, realpathSync, statSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { processUsage } from './process-usage.ts';

export interface MachineFacts {
  /** As the kernel names it, like ext4; empty where nobody tells. */
  readonly fileSystem: string;
  readonly isReadOnly: boolean;
  /** This process may make files in the folder. */
  readonly isWritable: boolean;
  /** Of the file system. */
  readonly deviceId: number;
  /** 0 where nobody tells. */
  readonly openFilesMax: number;
  readonly memoryBytes: number;
  readonly cores: number;
  readonly nodeVersion: string;
}

/** The folder exists. */
export function machineFacts(folder: string): MachineFacts {
  return {
    ...mountOf(realpathSync(folder)),
    isWritable: mayWrite(folder),
    deviceId: statSync(folder).dev,
    openFilesMax: processUsage().openFilesMax,
    memoryBytes: totalmem(),
    cores: availableParallelism(),
    nodeVersion: process.version,
  };
}

function mayWrite(folder: string): boolean {
  try {
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The mount with the longest path above the folder, from /proc/self/mountinfo (proc(5)). */
function mountOf(path: string): Pick<MachineFacts, 'fileSystem' | 'isReadOnly'> {
  let best = { point: '', fileSystem: '', isReadOnly: false };
  let text = '';
  try {
    text = readFileSync('/proc/self/mountinfo', 'utf8');
  } catch {
    // Not Linux.
  }
  for (const line of text.split('\n')) {
    const [mount, source] = line.split(' - ');
    if (source === undefined) continue;
    const [, , , , escaped, options] = mount.split(' ');
    const point = escaped.replace(/\\(\d{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
    const isAbove = point === '/' || path === point || path.startsWith(`${point}/`);
    // Of two at the same place the later one is in front.
    if (!isAbove || point.length < best.point.length) continue;
    best = { point, fileSystem: source.split(' ')[0], isReadOnly: options.split(',').includes('ro') };
  }
  return { fileSystem: best.fileSystem, isReadOnly: best.isReadOnly };
}
