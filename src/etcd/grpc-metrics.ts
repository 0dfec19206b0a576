// The counters of gRPC calls as Prometheus text, under the names of go-grpc-prometheus, which etcd uses. A thousand lines, most of
// them zero, which dashboards expect to be there: written here, since a metrics library takes milliseconds for them, and
// requests wait for that at each scrape.

import { CODE_NAMES } from '../api/errors.ts';
import type { Method } from '../api/methods.ts';
import type { MethodEntry, Registry } from '../grpc/registry.ts';

interface CallCounter {
  readonly name: string;
  readonly help: string;
  readonly read: (entry: MethodEntry) => number;
}

const COUNTERS: readonly CallCounter[] = [
  {
    name: 'grpc_server_started_total',
    help: 'Total number of RPCs started on the server.',
    read: ({ started }) => started,
  },
  {
    name: 'grpc_server_msg_received_total',
    help: 'Total number of RPC stream messages received on the server.',
    read: ({ messagesReceived }) => messagesReceived,
  },
  {
    name: 'grpc_server_msg_sent_total',
    help: 'Total number of gRPC stream messages sent by the server.',
    read: ({ messagesSent }) => messagesSent,
  },
];
const HANDLED = 'grpc_server_handled_total';

/** With a line break at its end. `unserved` are methods that answer UNIMPLEMENTED: they count zero. */
export function grpcMetricsText(registry: Registry, unserved: readonly Method[]): string {
  let text = '';
  for (const { name, help, read } of COUNTERS) {
    text += heading(name, help);
    for (const method of unserved) text += `${name}{${labelsOf(method)}} 0\n`;
    for (const entry of registry.entries) text += `${name}{${labelsOf(entry.method)}} ${read(entry)}\n`;
  }
  text += heading(HANDLED, 'Total number of RPCs completed on the server, regardless of success or failure.');
  for (const { method, handled } of registry.entries) {
    const labels = labelsOf(method);
    for (let code = 0; code < CODE_NAMES.length; code++) {
      text += `${HANDLED}{${labels},grpc_code="${CODE_NAMES[code]}"} ${handled[code]}\n`;
    }
  }
  return text;
}

function heading(name: string, help: string): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} counter\n`;
}

function labelsOf({ shape, service, name }: Method): string {
  return `grpc_type="${shape}",grpc_service="${service}",grpc_method="${name}"`;
}
