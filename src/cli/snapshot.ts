// `k1m snapshot save|status|restore`: etcd's snapshot files, made, looked at and taken in; with etcdctl's and etcdutl's
// flags, texts and formats. docs/operating.md has the runbook.

import { Command, Option } from 'commander';
import { saveSnapshot } from '../backup/save.ts';
import { openFile } from '../backup/snapshot-file.ts';
import { databaseStatus, folderStatus, type SnapshotStatus } from '../backup/status.ts';
import { EtcdClient } from '../client/etcd-client.ts';
import { RealClock } from '../io/clock.ts';
import { FileDisk } from '../io/file-disk.ts';
import { TcpNetwork } from '../io/tcp-network.ts';
import { databaseOf, isFolderOfOurs } from './backup-source.ts';
import { restoreCommand } from './restore.ts';
import { onStopped } from './stopped-folder.ts';

const FORMATS = ['simple', 'table', 'json', 'fields'] as const;
type Format = (typeof FORMATS)[number];

export function snapshotCommand(): Command {
  return new Command('snapshot')
    .description("save, look at and restore etcd's snapshot files")
    .addCommand(saveCommand())
    .addCommand(statusCommand())
    .addCommand(restoreCommand());
}

function saveCommand(): Command {
  return new Command('save')
    .description("save a server's state as etcd's snapshot file: a server of k1m, or an etcd")
    .argument('<filename>', 'the file to write; FILENAME.part until it is complete')
    .addOption(new Option('--endpoint <url>', 'the server').default('http://127.0.0.1:2379'))
    .action(async (path: string, { endpoint }: { endpoint: string }) => {
      const client = new EtcdClient({ network: new TcpNetwork(), clock: new RealClock(), endpoints: [endpoint] });
      try {
        const { version } = await saveSnapshot(new FileDisk(), path, client.snapshot());
        process.stdout.write(`Snapshot saved at ${path}\n${version === '' ? '' : `Server version ${version}\n`}`);
      } finally {
        client.close();
      }
    });
}

function statusCommand(): Command {
  return new Command('status')
    .description('say what is in a snapshot file or a data folder')
    .argument('<filename>', 'a snapshot file, or the data folder of an etcd or a k1m that has stopped')
    .addOption(new Option('-w, --write-out <format>', 'how').choices(FORMATS).default('simple'))
    .action(async (path: string, { writeOut }: { writeOut: Format }) => {
      if (isFolderOfOurs(path)) {
        process.stdout.write(statusText(await onStopped(path, folderStatus), writeOut));
        return;
      }
      const file = await openFile(new FileDisk(), databaseOf(path));
      try {
        process.stdout.write(statusText(await databaseStatus(file), writeOut));
      } finally {
        await file.close();
      }
    });
}

/** In etcdutl's formats. */
export function statusText(status: SnapshotStatus, format: Format): string {
  const { hash, revision, totalKey, totalSize, version } = status;
  const cells = [hash.toString(16), `${revision}`, `${totalKey}`, sizeText(totalSize), version];
  switch (format) {
    case 'simple':
      return `${cells.join(', ')}\n`;
    case 'json':
      return `${JSON.stringify({ hash, revision, totalKey, totalSize, version })}\n`;
    case 'fields':
      return `"Hash" : ${hash}\n"Revision" : ${revision}\n"Keys" : ${totalKey}\n"Size" : ${totalSize}\n"Version" : ${version}\n`;
    case 'table':
      return tableText(['HASH', 'REVISION', 'TOTAL KEYS', 'TOTAL SIZE', 'VERSION'], cells);
  }
}

function tableText(heads: readonly string[], cells: readonly string[]): string {
  const widths = heads.map((head, i) => Math.max(head.length, cells[i].length));
  const line = (left: string, middle: string, right: string): string => {
    return `${left}${widths.map((width) => '─'.repeat(width + 2)).join(middle)}${right}\n`;
  };
  const centred = heads.map((head, i) => {
    const space = widths[i] - head.length;
    return ` ${' '.repeat(Math.floor(space / 2))}${head}${' '.repeat(Math.ceil(space / 2))} `;
  });
  const right = cells.map((cell, i) => ` ${cell.padStart(widths[i])} `);
  return `${line('┌', '┬', '┐')}│${centred.join('│')}│\n${line('├', '┼', '┤')}│${right.join('│')}│\n${line('└', '┴', '┘')}`;
}

/** As etcdutl says sizes: powers of a thousand, one digit after the point below ten. */
export function sizeText(bytes: number): string {
  if (bytes < 10) return `${bytes} B`;
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'];
  const power = Math.floor(Math.log(bytes) / Math.log(1000));
  const value = Math.floor((bytes / 1000 ** power) * 10 + 0.5) / 10;
  // Go rounds a half to the even number.
  const rounded = value % 1 === 0.5 ? 2 * Math.round(value / 2) : Math.round(value);
  return `${value < 10 ? value.toFixed(1) : rounded} ${units[power]}`;
}
