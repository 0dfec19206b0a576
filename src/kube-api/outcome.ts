// From HTTP to outcomes: what a status says about a request, in words that tell an operator what to do.

import type { Failure, JsonObject } from './kube-api.ts';
import { isObject } from './object-head.ts';

/** An answer, or why there is none. */
export type Answer =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly body: string;
      readonly retryAfterMs: number | undefined;
    }
  | { readonly kind: 'no-answer'; readonly stage: 'connect' | 'exchange'; readonly text: string }
  /** Too many requests wait here. */
  | { readonly kind: 'full' };

/** What a request was about, for the texts. */
export interface RequestSubject {
  /** RBAC's: "create", "patch". */
  readonly verb: string;
  /** RBAC's: "pods/binding". */
  readonly resource: string;
}

const TEXT_CHARACTERS_MAX = 1000;
/** Where a server says 429 without saying for how long. */
const RETRY_AFTER_MS_DEFAULT = 1000;
/** As the store's update and the registry's deletion say it. */
const OTHER_UID = /Precondition failed: UID|the UID in the precondition \(.*\) does not match/;
const RETRY_AFTER_MS_MAX = 300_000;

/** Seconds of a Retry-After header (RFC 9110 §10.2.3); dates are not used by API servers. */
export function readRetryAfter(header: string | undefined): number | undefined {
  if (header === undefined || !/^[0-9]{1,9}$/.test(header)) return undefined;
  return Math.min(Number(header) * 1000, RETRY_AFTER_MS_MAX);
}

export function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The message of a Status, or the beginning of whatever was sent. */
export function messageOf(body: string): string {
  const message = parseObject(body)?.message;
  return (typeof message === 'string' ? message : body).trim().slice(0, TEXT_CHARACTERS_MAX);
}

export function isSuccess(status: number): boolean {
  return status >= 200 && status <= 299;
}

export function failureOf(answer: Answer, subject: RequestSubject): Failure {
  if (answer.kind === 'full') return { kind: 'too-many-requests', retryAfterMs: RETRY_AFTER_MS_DEFAULT };
  if (answer.kind === 'no-answer') {
    const { stage, text } = answer;
    return stage === 'connect' ? { kind: 'unreachable', text } : { kind: 'unknown', text };
  }
  const { status, body, retryAfterMs } = answer;
  const text = messageOf(body);
  switch (status) {
    case 404:
      return { kind: 'gone', text };
    case 409:
      // A precondition on the uid fails with 409, and the object that was meant is no more.
      return OTHER_UID.test(text) ? { kind: 'gone', text } : { kind: 'conflict', text };
    case 429:
      return { kind: 'too-many-requests', retryAfterMs: retryAfterMs ?? RETRY_AFTER_MS_DEFAULT };
    default:
      if (status >= 500) return { kind: 'unknown', text: `${status}: ${text}` };
      return { kind: 'refused', status, text: refusalText(status, text, subject) };
  }
}

/** Why nothing was found, or written. */
export function failureText(failure: Failure): string {
  return failure.kind === 'too-many-requests' ? 'the API server has too many requests (429)' : failure.text;
}

export function refusalText(status: number, text: string, { verb, resource }: RequestSubject): string {
  if (status === 401) return `the API server does not accept the credentials (401): ${text}`;
  if (status === 403) return `not allowed to ${verb} ${resource} (403; a ClusterRole has to grant it): ${text}`;
  return `${verb} ${resource}: ${status} ${text}`;
}
