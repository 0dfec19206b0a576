// `k1m lab clean`, and the end of the other commands with --cleanup: what the lab has made is removed, and nothing else.

import { Command } from 'commander';
import type { Removal } from '../lab/lab-target.ts';
import { type Lab, namespaces, say, type TargetFlags, targetOptions, withLab } from './lab-session.ts';

/** commander's names of the options. */
interface CleanFlags extends TargetFlags {
  readonly namespace?: readonly string[];
}

export function cleanCommand(): Command {
  return targetOptions(new Command('clean'))
    .description('remove what k1m lab has made')
    .option('--namespace <names>', 'of the pods, with commas between; all, unless given', namespaces)
    .action((flags: CleanFlags, command: Command) =>
      withLab(flags, command, async (lab) => {
        say(await removePods(lab, flags.namespace, lab.signal));
        if (!lab.signal.aborted) say(await removeNodes(lab, lab.signal));
      }),
    );
}

/**
 * Resolves with what to say of it. What an interrupted command has begun with is removed all the same: `signal` is given where removing is all there is
 * to do.
 */
export function removeNodes({ target, progress }: Lab, signal?: AbortSignal): Promise<string> {
  return counted('nodes and leases removed', progress, (onRemoved) => target.removeNodes({ onRemoved, signal }));
}

/** Those in these namespaces; undefined: in all. */
export function removePods(
  { target, progress }: Lab,
  names: readonly string[] | undefined,
  signal?: AbortSignal,
): Promise<string> {
  return counted('pods removed', progress, (onRemoved) => target.removePods(names, { onRemoved, signal }));
}

async function counted(
  what: string,
  progress: Lab['progress'],
  remove: (onRemoved: Removal['onRemoved']) => Promise<void>,
): Promise<string> {
  let removed = 0;
  progress.start(what, 0, () => removed);
  await remove((some) => {
    removed += some;
  });
  progress.stop();
  return `${removed} ${what}`;
}
