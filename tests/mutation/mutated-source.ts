// Loaded before a program (`--import`): gives one module with one change, which the environment names.

import { type LoadFnOutput, registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';

/** K1M_MUTANT, as JSON. */
export interface MutantOrder {
  readonly path: string;
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
}

export function mutated(source: string, { start, end, replacement }: MutantOrder): string {
  return source.slice(0, start) + replacement + source.slice(end);
}

/** Of a module that a hook has loaded. */
export function textOf({ source }: LoadFnOutput): string {
  return Buffer.from(source as Uint8Array | string as string).toString();
}

const order: MutantOrder | undefined = JSON.parse(process.env.K1M_MUTANT || 'null') ?? undefined;
if (order !== undefined) {
  const url = pathToFileURL(order.path).href;
  registerHooks({
    load(asked, context, next) {
      const loaded = next(asked, context);
      if (asked !== url) return loaded;
      return { ...loaded, source: mutated(textOf(loaded), order) };
    },
  });
}
