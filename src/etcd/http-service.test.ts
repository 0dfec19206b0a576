// What the pages say, letter for letter as a real etcd 3.7.3 said it, but for the order of the checks, which is any there.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ALARM_CORRUPT, ALARM_NOSPACE } from '../api/messages.ts';
import type { HttpResponse } from '../grpc/server-connection.ts';
import type { Engine } from './engine.ts';
import { HttpService } from './http-service.ts';

const ALL = '[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\n[+]non_learner ok\n';
const HEALTHY = '{"health":"true","reason":""}';
const NOT_FOUND = '404 page not found\n';
const NOT_ALLOWED = 'Method Not Allowed\n';

function service(alarms: readonly number[] = [], unready?: string): HttpService {
  const engine: Pick<Engine, 'alarms' | 'standingAlarms'> = { alarms: new Set(alarms), standingAlarms: [...alarms] };
  return new HttpService({
    // No more of it is used.
    engine: engine as Engine,
    metrics: () => Promise.resolve('metrics\n'),
    unreadyReason: () => unready,
  });
}

function ask(http: HttpService, request: string): HttpResponse {
  const [method, target] = request.split(' ');
  let response: HttpResponse | undefined;
  http.handle({ method, target }, (given) => {
    response = given;
  });
  assert.ok(response !== undefined);
  return response;
}

function header({ headers }: HttpResponse, name: string): string | undefined {
  return headers.find(([key]) => key === name)?.[1];
}

const PAGES: readonly (readonly [string, number, string])[] = [
  ['GET /health', 200, HEALTHY],
  ['GET /health?exclude=NOSPACE', 200, HEALTHY],
  ['GET /health?serializable=true', 200, HEALTHY],
  ['POST /health', 405, NOT_ALLOWED],
  ['GET /health/x', 404, NOT_FOUND],
  ['GET /livez', 200, 'ok\n'],
  ['GET /livez?verbose', 200, '[+]serializable_read ok\nok\n'],
  ['GET /livez?verbose=false', 200, '[+]serializable_read ok\nok\n'],
  ['GET /livez?exclude=serializable_read&verbose', 200, 'ok\n'],
  ['GET /livez?exclude=nope&verbose', 200, '[+]serializable_read ok\nok\n'],
  ['GET /livez/serializable_read', 200, 'ok\n'],
  ['GET /livez/serializable_read?verbose', 200, '[+]serializable_read ok\nok\n'],
  ['GET /livez/nope', 404, NOT_FOUND],
  ['GET /livez/', 404, NOT_FOUND],
  ['POST /livez', 405, NOT_ALLOWED],
  ['POST /livez/nope', 404, NOT_FOUND],
  ['GET /readyz', 200, 'ok\n'],
  ['GET /readyz?verbose', 200, `${ALL}ok\n`],
  ['GET /readyz?exclude=linearizable_read&verbose', 200, `${ALL.replace('[+]linearizable_read ok\n', '')}ok\n`],
  ['GET /readyz/data_corruption', 200, 'ok\n'],
  ['HEAD /readyz', 405, NOT_ALLOWED],
  ['GET /version', 200, '{"etcdserver":"3.7.3","etcdcluster":"3.7.0","storage":"3.7.0"}'],
  ['POST /version', 405, NOT_ALLOWED],
  ['GET /v3/kv/range', 404, NOT_FOUND],
  ['GET /', 404, NOT_FOUND],
  ['OPTIONS /health', 200, ''],
];

describe('a page', () => {
  for (const [request, status, body] of PAGES) {
    it(`${request} is answered with ${status}`, () => {
      const response = ask(service(), request);
      assert.deepEqual([response.status, response.body], [status, body]);
      assert.equal(header(response, 'access-control-allow-origin'), '*');
      assert.equal(header(response, 'allow'), status === 405 ? 'GET' : undefined);
      const isChecked = status !== 200 || /livez|readyz/.test(request);
      assert.equal(header(response, 'x-content-type-options'), isChecked ? 'nosniff' : undefined);
      const type = request.startsWith('GET /version') ? 'application/json' : 'text/plain; charset=utf-8';
      assert.equal(header(response, 'content-type'), request.startsWith('OPTIONS') ? undefined : type);
    });
  }

  it('/health tells of the first alarm that is not excluded, and is counted', () => {
    const http = service([ALARM_NOSPACE, ALARM_CORRUPT]);
    for (const [query, reason] of [
      ['', 'NOSPACE'],
      ['?exclude=NOSPACE', 'CORRUPT'],
    ]) {
      const response = ask(http, `GET /health${query}`);
      assert.deepEqual([response.status, response.body], [503, `{"health":"false","reason":"ALARM ${reason}"}\n`]);
    }
    assert.equal(ask(http, 'GET /health?exclude=NOSPACE&exclude=CORRUPT').status, 200);
    assert.deepEqual([http.counters.successes, http.counters.failures], [1, 2]);
  });

  it('/readyz tells of every check, when one fails; /livez does not fail with it', () => {
    const http = service([ALARM_CORRUPT], 'the disk is slow');
    const corrupt = '[-]data_corruption failed: alarm activated: CORRUPT\n';
    const slow = '[-]linearizable_read failed: the disk is slow\n';
    const all = `${corrupt}[+]serializable_read ok\n${slow}[+]non_learner ok\n\n`;
    for (const [target, status, body] of [
      ['/readyz', 503, all],
      ['/readyz/linearizable_read', 503, `${slow}\n`],
      ['/readyz/linearizable_read?exclude=linearizable_read', 503, `${slow}\n`],
      ['/readyz?exclude=linearizable_read&exclude=data_corruption', 200, 'ok\n'],
      ['/livez', 200, 'ok\n'],
    ] as const) {
      const response = ask(http, `GET ${target}`);
      assert.deepEqual([response.status, response.body], [status, body]);
    }
    const counted = http.counters.checks.map(({ kind, name, ...rest }) => `${kind} ${name} ${JSON.stringify(rest)}`);
    assert.deepEqual(counted, [
      'readyz data_corruption {"successes":0,"failures":1,"isFine":false}',
      'readyz serializable_read {"successes":2,"failures":0,"isFine":true}',
      'readyz linearizable_read {"successes":0,"failures":3,"isFine":false}',
      'readyz non_learner {"successes":2,"failures":0,"isFine":true}',
      'livez serializable_read {"successes":1,"failures":0,"isFine":true}',
    ]);
  });
});
