// For commander's options that say where a store is.

import { InvalidArgumentError } from 'commander';
import { errorText } from '../base/error-text.ts';
import { parseEndpoint } from '../client/endpoint.ts';

/** The text as it was given. */
export function endpointUrl(text: string): string {
  try {
    parseEndpoint(text);
  } catch (error) {
    throw new InvalidArgumentError(errorText(error));
  }
  return text;
}
