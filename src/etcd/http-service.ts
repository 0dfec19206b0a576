// The plain HTTP endpoints beside gRPC (etcd 3.7, server/etcdserver/api/etcdhttp): /health, /livez, /readyz, /version, /metrics,
// the same over HTTP/1.1 and HTTP/2.

import { ALARM_CORRUPT } from '../api/messages.ts';
import type { HttpRequest, HttpResponse } from '../grpc/server-connection.ts';
import type { Engine } from './engine.ts';
import { alarmName, ETCD_CLUSTER_VERSION, ETCD_VERSION, STORAGE_VERSION } from './maintenance-service.ts';

/** Sent with every reply, as etcd does. */
const CORS_HEADERS: readonly (readonly [string, string])[] = [
  ['access-control-allow-methods', 'POST, GET, OPTIONS, PUT, DELETE'],
  ['access-control-allow-origin', '*'],
  ['access-control-allow-headers', 'accept, content-type, authorization'],
];

/** Counters that /metrics publishes. */
export class HealthCounters {
  successes = 0;
  failures = 0;
}

interface Check {
  readonly name: string;
  /** Undefined when fine. */
  readonly problem: () => string | undefined;
}

export interface HttpServiceOptions {
  readonly engine: Engine;
  /** The text of /metrics. */
  readonly metrics: () => Promise<string>;
  /** Why the server is not ready to serve; undefined when it is. */
  readonly unreadyReason: () => string | undefined;
}

export class HttpService {
  readonly counters: HealthCounters = new HealthCounters();
  readonly #engine: Engine;
  readonly #metrics: () => Promise<string>;
  readonly #checks: Readonly<Record<'livez' | 'readyz', readonly Check[]>>;

  constructor(options: HttpServiceOptions) {
    this.#engine = options.engine;
    this.#metrics = options.metrics;
    const read = { name: 'serializable_read', problem: () => undefined };
    this.#checks = {
      livez: [read],
      readyz: [
        {
          name: 'data_corruption',
          problem: () => (this.#engine.alarms.has(ALARM_CORRUPT) ? 'alarm activated: CORRUPT' : undefined),
        },
        read,
        { name: 'linearizable_read', problem: options.unreadyReason },
        { name: 'non_learner', problem: () => undefined },
      ],
    };
  }

  handle(request: HttpRequest, reply: (response: HttpResponse) => void): void {
    const question = request.target.indexOf('?');
    const path = question < 0 ? request.target : request.target.slice(0, question);
    const query = new URLSearchParams(question < 0 ? '' : request.target.slice(question + 1));
    if (request.method === 'OPTIONS') reply(respond(200, 'text/plain', ''));
    else if (path === '/health') reply(this.#health(request.method, query));
    else if (path === '/version') reply(this.#version(request.method));
    else if (path === '/metrics') this.#sendMetrics(reply);
    else if (isCheckPath(path, 'livez')) reply(this.#check('livez', path, query));
    else if (isCheckPath(path, 'readyz')) reply(this.#check('readyz', path, query));
    else reply(respond(404, 'text/plain; charset=utf-8', '404 page not found\n'));
  }

  #health(method: string, query: URLSearchParams): HttpResponse {
    if (method !== 'GET') return respond(405, 'text/plain; charset=utf-8', 'Method Not Allowed\n', [['allow', 'GET']]);
    const excluded = new Set(query.getAll('exclude'));
    for (const alarm of this.#engine.standingAlarms) {
      const name = alarmName(alarm);
      if (excluded.has(name)) continue;
      this.counters.failures++;
      return respond(503, 'application/json', `{"health":"false","reason":"ALARM ${name}"}`);
    }
    this.counters.successes++;
    return respond(200, 'application/json', '{"health":"true","reason":""}');
  }

  #version(method: string): HttpResponse {
    if (method !== 'GET') return respond(405, 'text/plain; charset=utf-8', 'Method Not Allowed\n', [['allow', 'GET']]);
    const body = { etcdserver: ETCD_VERSION, etcdcluster: ETCD_CLUSTER_VERSION, storage: STORAGE_VERSION };
    return respond(200, 'application/json', JSON.stringify(body));
  }

  #check(kind: 'livez' | 'readyz', path: string, query: URLSearchParams): HttpResponse {
    const only = path.slice(kind.length + 2);
    const checks = this.#checks[kind].filter(({ name }) => only === '' || name === only);
    if (checks.length === 0) return respond(404, 'text/plain; charset=utf-8', '404 page not found\n');
    const excluded = new Set(query.getAll('exclude'));
    let text = '';
    let isFine = true;
    for (const { name, problem } of checks) {
      if (excluded.has(name)) {
        text += `[+]${name} excluded: ok\n`;
        continue;
      }
      const reason = problem();
      text += reason === undefined ? `[+]${name} ok\n` : `[-]${name} failed: ${reason}\n`;
      isFine &&= reason === undefined;
    }
    if (!isFine) return respond(503, 'text/plain; charset=utf-8', `${text}${kind} check failed\n`);
    const isVerbose = query.has('verbose') && query.get('verbose') !== 'false';
    return respond(200, 'text/plain; charset=utf-8', isVerbose ? `${text}${kind} check passed\n` : 'ok\n');
  }

  #sendMetrics(reply: (response: HttpResponse) => void): void {
    this.#metrics().then(
      (text) => reply(respond(200, 'text/plain; version=0.0.4; charset=utf-8', text)),
      (error: unknown) => reply(respond(500, 'text/plain; charset=utf-8', `${String(error)}\n`)),
    );
  }
}

function isCheckPath(path: string, kind: string): boolean {
  return path === `/${kind}` || path.startsWith(`/${kind}/`);
}

function respond(
  status: number,
  contentType: string,
  body: string,
  headers: readonly (readonly [string, string])[] = [],
): HttpResponse {
  return { status, headers: [['content-type', contentType], ...headers, ...CORS_HEADERS], body };
}
