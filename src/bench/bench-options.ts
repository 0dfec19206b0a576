// What a run of `k1m bench` was asked for, and the checks that keep it bounded.

import { errorText } from '../base/error-text.ts';
import { type Endpoint, isLoopback, parseEndpoint } from '../client/endpoint.ts';

export type LoadName = 'put' | 'renew' | 'get' | 'list' | 'count' | 'watch' | 'mixed';
export const LOAD_NAMES: readonly LoadName[] = ['put', 'renew', 'get', 'list', 'count', 'watch', 'mixed'];

export const DURATION_SECONDS_MAX: number = 24 * 3600;
export const CONNECTIONS_MAX = 10_000;
export const IN_FLIGHT_MAX = 100_000;
export const VALUE_BYTES_MAX = 1_000_000;
export const ROUNDS_MAX = 1_000;

export interface BenchOptions {
  readonly load: LoadName;
  readonly endpoint: string;
  /** Empty: one server only. */
  readonly against: string;
  readonly connections: number;
  /** Requests in flight on each connection. */
  readonly inFlight: number;
  readonly keys: number;
  readonly valueBytes: number;
  /** Requests a second; 0: closed loop. */
  readonly rate: number;
  readonly durationSeconds: number;
  readonly warmupSeconds: number;
  /** Rounds for each server, when two are compared. */
  readonly rounds: number;
  readonly prefix: string;
  readonly seed: number;
  /** Keys of a page; 0: all in one. */
  readonly limit: number;
  readonly watchers: number;
  /** Nodes of the cluster that `mixed` stands for. */
  readonly nodes: number;
  readonly keepsKeys: boolean;
  readonly allowsRemote: boolean;
}

/** An option that cannot be. */
export class OptionError extends Error {
  override readonly name = 'OptionError';
}

/** The endpoints, one or two. Throws OptionError. */
export function checkOptions(options: BenchOptions): Endpoint[] {
  checkRange('connections', options.connections, 1, CONNECTIONS_MAX);
  checkRange('in-flight', options.inFlight, 1, IN_FLIGHT_MAX);
  checkRange('value-bytes', options.valueBytes, 1, VALUE_BYTES_MAX);
  checkRange('duration', options.durationSeconds, 1, DURATION_SECONDS_MAX);
  checkRange('warmup', options.warmupSeconds, 0, DURATION_SECONDS_MAX);
  checkRange('rounds', options.rounds, 1, ROUNDS_MAX);
  checkRange('rate', options.rate, 0, Number.MAX_SAFE_INTEGER);
  checkRange('limit', options.limit, 0, Number.MAX_SAFE_INTEGER);
  checkRange('watchers', options.watchers, 1, IN_FLIGHT_MAX);
  const slots = options.connections * options.inFlight;
  const needsKeys = options.load === 'put' || options.load === 'renew' || options.load === 'watch';
  if (needsKeys && options.keys <= slots) {
    throw new OptionError(`--keys must be above connections × in-flight = ${slots}: each request has its own key`);
  }
  const endpoints = [options.endpoint, options.against].filter((text) => text !== '').map(parse);
  for (const endpoint of endpoints) {
    if (!options.allowsRemote && !isLoopback(endpoint)) {
      throw new OptionError(
        `${endpoint.authority} is another machine: add --allow-remote if it is meant to get this load`,
      );
    }
  }
  return endpoints;
}

function parse(text: string): Endpoint {
  try {
    return parseEndpoint(text);
  } catch (error) {
    throw new OptionError(errorText(error));
  }
}

function checkRange(name: string, value: number, least: number, most: number): void {
  if (value >= least && value <= most) return;
  throw new OptionError(`--${name} must be from ${least} to ${most}, not ${value}`);
}
