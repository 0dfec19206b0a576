// `k1m completion bash|zsh|fish`: a script for the shell, made from the commands themselves, so that it cannot fall behind.
//
// The words are in the script: completing starts no process.

import { Command, type Option } from 'commander';
import { UsageError } from './flag-values.ts';
import { SERVE_FLAGS } from './flags.ts';

/** What may follow the words of `path`, such as ["k1m", "bench", "put"]. */
interface Completion {
  readonly path: readonly string[];
  readonly commands: readonly Word[];
  readonly flags: readonly Word[];
}

interface Word {
  readonly word: string;
  readonly help: string;
}

type Shell = 'bash' | 'zsh' | 'fish';
const SHELLS: readonly Shell[] = ['bash', 'zsh', 'fish'];

export function completionCommand(): Command {
  return new Command('completion')
    .description('print a completion script for a shell')
    .argument('<shell>', 'bash, zsh or fish')
    .addHelpText(
      'after',
      '\nbash: source <(k1m completion bash)\nzsh:  source <(k1m completion zsh)\nfish: k1m completion fish | source',
    )
    .action((shell: string, _options: unknown, command: Command) => {
      const known = SHELLS.find((name) => name === shell);
      if (known === undefined)
        throw new UsageError(`unknown shell ${JSON.stringify(shell)}; use bash, zsh or fish`, 'completion');
      process.stdout.write(completionScript(command.parent ?? command, known));
    });
}

function completionScript(root: Command, shell: Shell): string {
  const completions = collect(root, [root.name()]);
  if (shell === 'fish') return fishScript(completions);
  // zsh runs bash's functions.
  const start = shell === 'zsh' ? 'autoload -U +X bashcompinit && bashcompinit\n' : '';
  return start + bashScript(completions);
}

function collect(command: Command, path: readonly string[]): Completion[] {
  const commands = command.commands.map((child) => ({ word: child.name(), help: child.description() }));
  const result: Completion[] = [{ path, commands, flags: flagsOf(command) }];
  for (const child of command.commands) result.push(...collect(child, [...path, child.name()]));
  return result;
}

function flagsOf(command: Command): Word[] {
  const own = command.options
    .filter((option: Option) => option.long != null && !option.hidden)
    .map((option: Option) => ({ word: option.long ?? '', help: option.description }));
  // serve reads its flags itself, in etcd's way.
  const served = command.name() === 'serve' ? SERVE_FLAGS.filter(({ use }) => use === 'used') : [];
  return [...own, ...served.map(({ name, help }) => ({ word: `--${name}`, help })), { word: '--help', help: 'help' }];
}

function bashScript(completions: readonly Completion[]): string {
  const cases = completions.map(({ path, commands, flags }) => {
    const words = [...commands, ...flags].map(({ word }) => word).join(' ');
    return `    '${path.join(' ')}') words='${words}' ;;\n`;
  });
  return (
    '_k1m() {\n' +
    `  local path=k1m words='' word i current="\${COMP_WORDS[COMP_CWORD]}"\n` +
    '  for ((i = 1; i < COMP_CWORD; i++)); do\n' +
    `    word="\${COMP_WORDS[i]}"\n` +
    '    case "$path $word" in\n' +
    completions
      .slice(1)
      .map(({ path }) => `      '${path.join(' ')}') path='${path.join(' ')}' ;;\n`)
      .join('') +
    '    esac\n' +
    '  done\n' +
    '  case "$path" in\n' +
    cases.join('') +
    '  esac\n' +
    '  COMPREPLY=($(compgen -W "$words" -- "$current"))\n' +
    '}\n' +
    'complete -o default -F _k1m k1m\n'
  );
}

function fishScript(completions: readonly Completion[]): string {
  const quote = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`;
  let script = 'complete -c k1m -e\n';
  for (const { path, commands, flags } of completions) {
    const seen = path.slice(1).map((word) => `__fish_seen_subcommand_from ${word}`);
    const unseen =
      commands.length === 0 ? [] : [`not __fish_seen_subcommand_from ${commands.map(({ word }) => word).join(' ')}`];
    const condition = [...seen, ...unseen].join('; and ');
    const when = condition === '' ? '' : ` -n ${quote(condition)}`;
    for (const { word, help } of commands) script += `complete -c k1m -f${when} -a ${word} -d ${quote(help)}\n`;
    for (const { word, help } of flags) script += `complete -c k1m${when} -l ${word.slice(2)} -d ${quote(help)}\n`;
  }
  return script;
}
