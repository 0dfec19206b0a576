// Which images the nodes have: how many nodes, and the size that the first of them told.

import type { NodeImage } from '../model/node-object.ts';

interface ImageState {
  readonly sizeBytes: number;
  nodeCount: number;
}

export class ImageTable {
  readonly #images = new Map<string, ImageState>();
  /** Grows when anything changes. */
  version = 0;

  get size(): number {
    return this.#images.size;
  }

  add(images: readonly NodeImage[]): void {
    const seen = new Set<string>();
    for (const { names, sizeBytes } of images) {
      for (const name of names) {
        if (seen.has(name)) continue;
        seen.add(name);
        const state = this.#images.get(name);
        if (state === undefined) this.#images.set(name, { sizeBytes, nodeCount: 1 });
        else state.nodeCount++;
        this.version++;
      }
    }
  }

  remove(names: ReadonlySet<string>): void {
    for (const name of names) {
      const state = this.#images.get(name);
      if (state === undefined) continue;
      if (--state.nodeCount === 0) this.#images.delete(name);
      this.version++;
    }
  }

  /** What having the image counts for in ImageLocality: its size, less the rarer it is. */
  worthOf(name: string, nodeCount: number): number {
    const state = this.#images.get(name);
    return state === undefined ? 0 : Math.trunc(state.sizeBytes * (state.nodeCount / nodeCount));
  }
}
