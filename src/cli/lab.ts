// `k1m lab`: simulated nodes and pods. docs/lab.md says what they are, and what they do.

import { Command } from 'commander';
import { cleanCommand } from './lab-clean.ts';
import { nodesCommand } from './lab-nodes.ts';
import { podsCommand } from './lab-pods.ts';

export function labCommand(): Command {
  return new Command('lab')
    .description(
      'simulated nodes and pods, in a store as kube-apiserver would have written them, or through an API server',
    )
    .addCommand(nodesCommand())
    .addCommand(podsCommand())
    .addCommand(cleanCommand());
}
