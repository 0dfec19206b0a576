// The filter of one plugin of volumes, as a class of pods sees it.

import type { NodeLoad } from './node-load.ts';

export interface NodeFilter {
  /** The number of the failure; 0: the node passes. */
  failureAt(slot: number, load: NodeLoad): number;
  forgetShapes?(shapes: readonly number[]): void;
}
