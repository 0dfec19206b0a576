// Loaded before a test run (`--import`): gives one module with one change, which the environment names.

import { registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';

/** K1M_MUTANT, as JSON. */
export interface MutantOrder {
  readonly path: string;
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
}

const order: MutantOrder = JSON.parse(process.env.K1M_MUTANT ?? '{}');
const url = pathToFileURL(order.path).href;

registerHooks({
  load(asked, context, next) {
    const loaded = next(asked, context);
    if (asked !== url) return loaded;
    const source = Buffer.from(loaded.source as Uint8Array | string as string).toString();
    return { ...loaded, source: source.slice(0, order.start) + order.replacement + source.slice(order.end) };
  },
});
