// `node tests/linearizable/run.ts --endpoint http://127.0.0.1:2379 [--clients N] [--calls N] [--seed S]`: the checkers against a
// new, empty server of anybody's. A real etcd must be accepted too: that is what shows that the checkers know its rules.

import { parseArgs } from 'node:util';
import { RealClock } from '../../src/io/clock.ts';
import { TcpNetwork } from '../../src/io/tcp-network.ts';
import { judge } from '../sim/judgement.ts';
import { recordServer } from './server-history.ts';

const { values } = parseArgs({
  options: {
    endpoint: { type: 'string', default: 'http://127.0.0.1:2379' },
    clients: { type: 'string', default: '20' },
    calls: { type: 'string', default: '500' },
    seed: { type: 'string', default: '1' },
  },
});
const keepAlive = setInterval(() => {}, 60_000);
const history = await recordServer({
  seed: Number(values.seed),
  network: new TcpNetwork(),
  clock: new RealClock(),
  endpoint: values.endpoint,
  prefix: 'k/',
  clients: Number(values.clients),
  callsPerClient: Number(values.calls),
});
clearInterval(keepAlive);
const startedMs = performance.now();
const { violations, undecided } = judge(history, [], false);
for (const { promise, text } of violations) process.stdout.write(`${promise}: ${text.replaceAll('\0', '\\0')}\n`);
let events = 0;
for (const { responses } of history.watches) {
  for (const response of responses) if (response.kind === 'events') events += response.events.length;
}
const seconds = ((performance.now() - startedMs) / 1000).toFixed(2);
process.stdout.write(
  `${history.calls.length} calls, ${history.watches.length} watches with ${events} events: ${violations.length} violations, ` +
    `${undecided} keys undecided; judged in ${seconds} s\n`,
);
process.exitCode = violations.length > 0 ? 1 : 0;
