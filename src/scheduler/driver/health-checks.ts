// /healthz, /livez and /readyz in kube-scheduler's form (apiserver pkg/server/healthz of 1.36): `ok`, or which check fails; `?verbose` lists all,
// `?exclude=NAME` leaves one out, and a check alone is at its name below the page's.
//
// These pages are open to everybody, so a reason says no more than how long something has lasted.

import type { Http1Response } from '../../io/http1.ts';

export interface HealthCheck {
  readonly name: string;
  /** '' while all is well. */
  readonly problem: string;
}

/** Undefined when the path is another one's. `target` is a path with its query. */
export function answerChecks(target: string, page: string, checks: readonly HealthCheck[]): Http1Response | undefined {
  const [path, query = ''] = target.split('?', 2);
  if (path === `/${page}`) return answerAll(page, checks, new URLSearchParams(query));
  const one = checks.find(({ name }) => path === `/${page}/${name}`);
  if (one === undefined) return undefined;
  return one.problem === '' ? text(200, 'ok') : text(500, `internal server error: ${one.problem}\n`);
}

function answerAll(page: string, checks: readonly HealthCheck[], query: URLSearchParams): Http1Response {
  const excluded = query.getAll('exclude').flatMap((names) => names.split(','));
  const lines = checks.map(({ name, problem }) => {
    if (excluded.includes(name)) return `[+]${name} excluded: ok\n`;
    return problem === '' ? `[+]${name} ok\n` : `[-]${name} failed: ${problem}\n`;
  });
  const unknown = excluded.filter((name) => !checks.some((check) => check.name === name));
  if (unknown.length > 0) {
    const names = unknown.map((name) => JSON.stringify(name)).join(',');
    lines.push(`warn: some health checks cannot be excluded: no matches for ${names}\n`);
  }
  const hasFailed = checks.some(({ name, problem }) => problem !== '' && !excluded.includes(name));
  if (hasFailed) return text(500, `${lines.join('')}${page} check failed\n`);
  return text(200, query.has('verbose') ? `${lines.join('')}${page} check passed\n` : 'ok');
}

function text(status: number, body: string): Http1Response {
  return {
    status,
    headers: [
      ['content-type', 'text/plain; charset=utf-8'],
      ['cache-control', 'no-cache, private'],
      ['x-content-type-options', 'nosniff'],
    ],
    body,
  };
}
