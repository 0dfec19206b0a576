// The plain HTTP endpoints beside gRPC (etcd 3.7, server/etcdserver/api/etcdhttp): /health, /livez, /readyz, /version, /metrics,
// the same over HTTP/1.1 and HTTP/2.

import { ALARM_CORRUPT } from '../api/messages.ts';
import type { HttpRequest, HttpResponse } from '../grpc/server-connection.ts';
import type { Engine } from './engine.ts';
import { type CheckKind, HealthCounters } from './health-metrics.ts';
import { alarmName, ETCD_CLUSTER_VERSION, ETCD_VERSION, STORAGE_VERSION } from './maintenance-service.ts';

/** Sent with every reply, as etcd does. */
const CORS_HEADERS: Headers = [
  ['access-control-allow-methods', 'POST, GET, OPTIONS, PUT, DELETE'],
  ['access-control-allow-origin', '*'],
  ['access-control-allow-headers', 'accept, content-type, authorization'],
];

type Headers = readonly (readonly [string, string])[];

const TEXT = 'text/plain; charset=utf-8';
/** Of errors and checks: what Go's http.Error adds. */
const NOT_SNIFFED: Headers = [['x-content-type-options', 'nosniff']];

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
  readonly #checks: Readonly<Record<CheckKind, readonly Check[]>>;

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
    if (request.method === 'OPTIONS') reply({ status: 200, headers: CORS_HEADERS, body: '' });
    else if (path === '/health') reply(this.#health(request.method, query));
    else if (path === '/version') reply(this.#version(request.method));
    else if (path === '/metrics') this.#sendMetrics(reply);
    else if (isCheckPath(path, 'livez')) reply(this.#check(request.method, 'livez', path, query));
    else if (isCheckPath(path, 'readyz')) reply(this.#check(request.method, 'readyz', path, query));
    else reply(refuse(404, '404 page not found'));
  }

  #health(method: string, query: URLSearchParams): HttpResponse {
    if (method !== 'GET') return methodNotAllowed();
    const excluded = new Set(query.getAll('exclude'));
    for (const alarm of this.#engine.standingAlarms) {
      const name = alarmName(alarm);
      if (excluded.has(name)) continue;
      this.counters.failures++;
      return refuse(503, `{"health":"false","reason":"ALARM ${name}"}`);
    }
    this.counters.successes++;
    return respond(200, TEXT, '{"health":"true","reason":""}');
  }

  #version(method: string): HttpResponse {
    if (method !== 'GET') return methodNotAllowed();
    const body = { etcdserver: ETCD_VERSION, etcdcluster: ETCD_CLUSTER_VERSION, storage: STORAGE_VERSION };
    return respond(200, 'application/json', JSON.stringify(body));
  }

  #check(method: string, kind: CheckKind, path: string, query: URLSearchParams): HttpResponse {
    const isAll = path === `/${kind}`;
    const only = path.slice(kind.length + 2);
    const checks = this.#checks[kind].filter(({ name }) => isAll || name === only);
    if (checks.length === 0) return refuse(404, '404 page not found');
    if (method !== 'GET') return methodNotAllowed();
    const excluded = new Set(isAll ? query.getAll('exclude') : []);
    let text = '';
    let isFine = true;
    for (const { name, problem } of checks) {
      if (excluded.has(name)) continue;
      const reason = problem();
      this.counters.checked(kind, name, reason === undefined);
      text += reason === undefined ? `[+]${name} ok\n` : `[-]${name} failed: ${reason}\n`;
      isFine &&= reason === undefined;
    }
    if (!isFine) return refuse(503, text);
    return respond(200, TEXT, query.has('verbose') ? `${text}ok\n` : 'ok\n', NOT_SNIFFED);
  }

  #sendMetrics(reply: (response: HttpResponse) => void): void {
    this.#metrics().then(
      (text) => reply(respond(200, 'text/plain; version=0.0.4; charset=utf-8', text)),
      (error: unknown) => reply(refuse(500, String(error))),
    );
  }
}

function isCheckPath(path: string, kind: CheckKind): boolean {
  return path === `/${kind}` || path.startsWith(`/${kind}/`);
}

function methodNotAllowed(): HttpResponse {
  return refuse(405, 'Method Not Allowed', [['allow', 'GET']]);
}

/** As Go's http.Error, line break included. */
function refuse(status: number, text: string, headers: Headers = []): HttpResponse {
  return respond(status, TEXT, `${text}\n`, [...headers, ...NOT_SNIFFED]);
}

function respond(status: number, contentType: string, body: string, headers: Headers = []): HttpResponse {
  return { status, headers: [['content-type', contentType], ...headers, ...CORS_HEADERS], body };
}
