// The command line: one file a command; this one puts them together and turns errors into exit codes.
// 0 done · 1 failed · 2 wrong usage or configuration.
//
// The file of a command is loaded when it is the one that was given; all of them only where all are spoken of (help, completion). What one needs
// (the client of Kubernetes: 80 MB, half a second) is so no burden to the others.

import { dirname } from 'node:path';
import { Command, CommanderError, Help, type Option } from 'commander';
import { RefusedError } from '../base/refused-error.ts';
import { stayingAlive } from '../io/clock.ts';
import { DiskError, FolderLockedError } from '../io/disk.ts';
import { CorruptionError, ForeignLogError } from '../journal/errors.ts';
import { CredentialsError } from '../kube-api/credentials.ts';
import { UnrepairableError } from '../repair/repair.ts';
import { ClusterReadingError, InquiryError, ManifestError } from '../scheduler/inquiry/errors.ts';
import { UsageError } from './flag-values.ts';
import { version, versionCommand } from './version.ts';

/** In the order of the help. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./serve.ts')).serveCommand(),
  schedule: async () => (await import('./schedule.ts')).scheduleCommand(),
  snapshot: async () => (await import('./snapshot.ts')).snapshotCommand(),
  migrate: async () => (await import('./migrate.ts')).migrateCommand(),
  wal: async () => (await import('./wal.ts')).walCommand(),
  doctor: async () => (await import('./doctor.ts')).doctorCommand(),
  bench: async () => (await import('./bench.ts')).benchCommand(),
  lab: async () => (await import('./lab.ts')).labCommand(),
  completion: async () => (await import('./completion.ts')).completionCommand(),
  version: async () => versionCommand(),
};

/** The command `help` has no help of its own, and would call it an unknown command: the general one stands for it. */
function argumentsOf(argv: readonly string[]): readonly string[] {
  return argv[2] === 'help' && ['--help', '-h'].includes(argv[3]) ? argv.slice(0, 3) : argv;
}

async function program(argv: readonly string[]): Promise<Command> {
  const root = new Command('k1m')
    .description('the control plane for Kubernetes clusters of up to a million nodes')
    .version(version(), '-V, --version', 'print the version')
    .enablePositionalOptions();
  for (const name of namesToLoad(argv[2])) root.addCommand(await COMMANDS[name]());
  adopt(root);
  return root;
}

function namesToLoad(given: string | undefined): readonly string[] {
  const isOne = given !== undefined && given !== 'completion' && Object.hasOwn(COMMANDS, given);
  return isOne ? [given] : Object.keys(COMMANDS);
}

/** What commander does not hand down to commands that were made on their own. */
function adopt(command: Command): void {
  command.exitOverride();
  command.configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'k1m: ')) });
  command.configureHelp({ optionDescription });
  if (command.name() !== 'serve') command.helpOption('-h, --help', 'print this help');
  if (command.commands.length > 0) command.helpCommand('help [command]', 'print the help of a command');
  command.showHelpAfterError(`See '${pathOf(command)} --help'.`);
  for (const child of command.commands) adopt(child);
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** Commander's, without defaults that say nothing. */
function optionDescription(option: Option): string {
  return new Help().optionDescription(option).replace(/ \(default: (?:""|\[\]|false)\)$/, '');
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof UsageError) {
    process.stderr.write(`k1m: ${error.message}\nSee 'k1m ${error.command} --help'.\n`);
    return 2;
  }
  process.stderr.write(`k1m: ${explain(error)}\n${pointer(error)}`);
  return 1;
}

/** Where there is more to be known of it. */
function pointer(error: unknown): string {
  const isUnreadable = error instanceof DiskError && error.operation === 'read' && error.code === 'EIO';
  const file = error instanceof CorruptionError ? error.file : isUnreadable ? error.path : '';
  if (!/\.(?:wal|snap)$/.test(file)) return '';
  const folder = dirname(dirname(file));
  return `See 'k1m wal verify ${folder}' for all that is damaged, and docs/operating.md, "A disk that lied".\n`;
}

/** One line for what the world does to us; a stack only for what must be our bug. */
function explain(error: unknown): string {
  const isOneLine =
    error instanceof RefusedError ||
    error instanceof UnrepairableError ||
    error instanceof FolderLockedError ||
    error instanceof CredentialsError ||
    error instanceof CorruptionError ||
    error instanceof ForeignLogError ||
    error instanceof ClusterReadingError ||
    error instanceof ManifestError ||
    error instanceof InquiryError;
  if (isOneLine) return error.message;
  if (!(error instanceof Error)) return String(error);
  const { code, address, port } = error as Error & { code?: string; address?: string; port?: number };
  if (code === 'EADDRINUSE') return `listen tcp ${address}:${port}: bind: address already in use`;
  if (code === 'EACCES' && address !== undefined) return `listen tcp ${address}:${port}: bind: permission denied`;
  if (code === 'EADDRNOTAVAIL') return `listen tcp ${address}:${port}: bind: this machine has no such address`;
  return code === undefined ? (error.stack ?? error.message) : error.message;
}

// A reader that has gone, as `| head` goes, is told nothing more; the work goes on.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: Error & { code?: string }) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

try {
  // A command whose connection is lost waits for nothing but a timer.
  const argv = argumentsOf(process.argv);
  await stayingAlive((await program(argv)).parseAsync(argv));
} catch (error) {
  process.exitCode = exitCodeOf(error);
}
