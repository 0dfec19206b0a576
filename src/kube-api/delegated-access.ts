// Who may see what of a component's own pages, as the API server decides it (apiserver pkg/server/options authentication.go and
// authorization.go of 1.36, in the form kube-scheduler uses):
//
//   client certificate ─► its name and organizations        paths that are always allowed ─► yes
//   bearer token ─► TokenReview ─► user, groups              group system:masters ─► yes
//   neither ─► system:anonymous                              SubjectAccessReview ─► yes or no
//
// What is refused is answered in upstream's words. An API server that does not answer lets nobody in.
//
// Limits: ANSWERS_MAX answers of each kind are kept for ANSWER_MS_MAX, the oldest go first; tokens are kept as their hashes. A token of more than TOKEN_CHARACTERS_MAX
// is not asked about.

import { createHash } from 'node:crypto';
import type { Clock } from '../io/clock.ts';
import type { JsonObject, WriteOutcome } from './kube-api.ts';
import { isObject, itemsOf } from './object-head.ts';

const ANSWERS_MAX = 1000;
const ANSWER_MS_MAX = 10_000;
const TOKEN_CHARACTERS_MAX = 16_384;
const MASTERS = 'system:masters';

export type ReviewKind = 'TokenReview' | 'SubjectAccessReview';

/** Asks an API server. */
export interface Reviewer {
  /** `done` has the review with its status. */
  review(kind: ReviewKind, spec: JsonObject): Promise<WriteOutcome>;
}

export interface AccessRequest {
  readonly method: string;
  /** Without a query. */
  readonly path: string;
  readonly authorization: string | undefined;
  /** By a certificate that was checked; 'refused' for one that was not vouched for. */
  readonly client: { readonly commonName: string; readonly organizations: readonly string[] } | 'refused' | undefined;
}

export interface AccessRefusal {
  readonly status: 401 | 403 | 500;
  readonly body: string;
}

export interface DelegatedAccessOptions {
  readonly authentication: Reviewer;
  readonly authorization: Reviewer;
  /** Exact, or with a * at the end. */
  readonly alwaysAllowedPaths: readonly string[];
  readonly clock: Clock;
  /** An API server that cannot be asked. */
  readonly onProblem: (text: string) => void;
}

interface User {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: JsonObject;
}

const ANONYMOUS: User = { name: 'system:anonymous', groups: ['system:unauthenticated'] };
const VERBS: ReadonlyMap<string, string> = new Map([
  ['GET', 'get'],
  ['HEAD', 'get'],
  ['POST', 'post'],
  ['PUT', 'put'],
  ['PATCH', 'patch'],
  ['DELETE', 'delete'],
]);

/** Throws RangeError, in upstream's words, for a path with a * that is not at its end. */
export function checkAllowedPaths(paths: readonly string[]): void {
  for (const path of paths) {
    const rest = withoutSlash(path);
    if (rest.slice(0, -1).includes('*')) throw new RangeError(`only trailing * allowed in ${JSON.stringify(rest)}`);
  }
}

export class DelegatedAccess {
  readonly #options: DelegatedAccessOptions;
  readonly #users: KeptAnswers<User | 'refused'>;
  readonly #permissions: KeptAnswers<boolean>;

  constructor(options: DelegatedAccessOptions) {
    this.#options = options;
    this.#users = new KeptAnswers(options.clock);
    this.#permissions = new KeptAnswers(options.clock);
  }

  /** Undefined: it may. */
  async refusal(request: AccessRequest): Promise<AccessRefusal | undefined> {
    const user = await this.#userOf(request);
    if (user === undefined) return { status: 401, body: statusText(401, 'Unauthorized', 'Unauthorized') };
    const { path, method } = request;
    if (user.groups.includes(MASTERS) || this.#isAlwaysAllowed(path)) return undefined;
    const verb = VERBS.get(method) ?? method.toLowerCase();
    const isAllowed = await this.#isAllowed(user, path, verb);
    if (isAllowed === true) return undefined;
    if (isAllowed === undefined) {
      return { status: 500, body: `Internal Server Error: ${JSON.stringify(path)}: the API server cannot be asked\n` };
    }
    const message = `forbidden: User ${JSON.stringify(user.name)} cannot ${verb} path ${JSON.stringify(path)}`;
    return { status: 403, body: statusText(403, 'Forbidden', message) };
  }

  async #userOf({ authorization, client }: AccessRequest): Promise<User | undefined> {
    if (client !== undefined && client !== 'refused') {
      return { name: client.commonName, groups: [...client.organizations, 'system:authenticated'] };
    }
    const token = /^bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) return client === 'refused' ? undefined : ANONYMOUS;
    if (token.length > TOKEN_CHARACTERS_MAX) return undefined;
    const key = createHash('sha256').update(token).digest('base64');
    const user = await this.#users.get(key, () => this.#reviewToken(token));
    return user === 'refused' ? undefined : user;
  }

  /** Undefined where it cannot be known: not kept. */
  async #reviewToken(token: string): Promise<User | 'refused' | undefined> {
    const status = await this.#ask(this.#options.authentication, 'TokenReview', { token });
    if (status === undefined) return undefined;
    const { authenticated, user } = status;
    if (authenticated !== true || !isObject(user) || typeof user.username !== 'string') return 'refused';
    return {
      name: user.username,
      groups: itemsOf(user.groups).filter((group) => typeof group === 'string'),
      ...(typeof user.uid === 'string' ? { uid: user.uid } : {}),
      ...(isObject(user.extra) ? { extra: user.extra } : {}),
    };
  }

  #isAllowed({ name, groups, uid, extra }: User, path: string, verb: string): Promise<boolean | undefined> {
    const spec = {
      user: name,
      groups,
      ...(uid === undefined ? {} : { uid }),
      ...(extra === undefined ? {} : { extra }),
      nonResourceAttributes: { path, verb },
    };
    return this.#permissions.get(JSON.stringify(spec), async () => {
      const status = await this.#ask(this.#options.authorization, 'SubjectAccessReview', spec);
      return status === undefined ? undefined : status.allowed === true;
    });
  }

  async #ask(reviewer: Reviewer, kind: ReviewKind, spec: JsonObject): Promise<JsonObject | undefined> {
    const outcome = await reviewer.review(kind, spec);
    if (outcome.kind === 'done' && isObject(outcome.object.status)) return outcome.object.status;
    this.#options.onProblem(`${kind}: ${'text' in outcome ? outcome.text : outcome.kind}`);
    return undefined;
  }

  #isAlwaysAllowed(path: string): boolean {
    const asked = withoutSlash(path);
    return this.#options.alwaysAllowedPaths.map(withoutSlash).some((allowed) => {
      return allowed.endsWith('*') ? asked.startsWith(allowed.slice(0, -1)) : asked === allowed;
    });
  }
}

function withoutSlash(path: string): string {
  return path.startsWith('/') ? path.slice(1) : path;
}

/** A metav1.Status as upstream writes it. */
function statusText(code: number, reason: string, message: string): string {
  const details = code === 403 ? { details: {} } : {};
  const status = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason,
    ...details,
    code,
  };
  return JSON.stringify(status, null, 2);
}

/** Answers by question, for a while; a question that is being asked is not asked again. */
class KeptAnswers<T> {
  readonly #clock: Clock;
  readonly #answers = new Map<string, { readonly answer: Promise<T | undefined>; readonly untilMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async get(question: string, ask: () => Promise<T | undefined>): Promise<T | undefined> {
    const kept = this.#answers.get(question);
    const nowMs = this.#clock.nowMs();
    if (kept !== undefined && nowMs < kept.untilMs) return kept.answer;
    const answer = ask();
    this.#answers.delete(question);
    this.#answers.set(question, { answer, untilMs: nowMs + ANSWER_MS_MAX });
    for (const oldest of this.#answers.keys()) {
      if (this.#answers.size <= ANSWERS_MAX) break;
      this.#answers.delete(oldest);
    }
    const found = await answer;
    if (found === undefined && this.#answers.get(question)?.answer === answer) this.#answers.delete(question);
    return found;
  }
}
