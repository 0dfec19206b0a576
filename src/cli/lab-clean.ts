// `k1m lab clean`, and the end of the other commands with --cleanup: what the lab has made is removed, and nothing else.

import { Command } from 'commander';
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
export async function removeNodes({ target, progress }: Lab, signal?: AbortSignal): Promise<string> {
  let removed = 0;
  progress.start('nodes and leases removed', 0, () => removed);
  await target.removeNodes({ onRemoved: (some) => (removed += some), signal });
  progress.stop();
  return `${removed} nodes and leases removed`;
}

/** Those in these namespaces; undefined: in all. */
export async function removePods(
  { target, progress }: Lab,
  names: readonly string[] | undefined,
  signal?: AbortSignal,
): Promise<string> {
  let removed = 0;
  progress.start('pods removed', 0, () => removed);
  await target.removePods(names, { onRemoved: (some) => (removed += some), signal });
  progress.stop();
  return `${removed} pods removed`;
}
