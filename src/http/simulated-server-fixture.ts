// A client over the simulated network, and a server of our own role at the other end that answers by a script.

import { Connection } from '../h2/connection.ts';
import type { ConnectionHandler } from '../h2/connection-handler.ts';
import { type ConnectionOptions, SERVER_DEFAULTS } from '../h2/connection-options.ts';
import { DriverSet } from '../h2/driver-set.ts';
import { type HeaderBlock, type HeaderField, headerValue } from '../h2/header-block.ts';
import type { Stream } from '../h2/stream.ts';
import type { Dialer, Dialing, DialListener } from '../io/dialer.ts';
import { HttpError, type ShortRequest } from '../io/http-client.ts';
import type { ByteStream } from '../io/network.ts';
import { SimulatedClock } from '../testing/clock.ts';
import { SimulatedNetwork } from '../testing/network.ts';
import { Random } from '../testing/random.ts';
import { Http2Client, type Http2ClientOptions } from './http2-client.ts';

const HOST = { host: '127.0.0.1', port: 6443 };

/** A request as the server has it, with what the server can do about it. */
export class Served {
  readonly connection: ServedConnection;
  readonly stream: Stream;
  readonly fields: readonly HeaderField[];
  body = '';
  readonly #id: number;

  constructor(connection: ServedConnection, stream: Stream, fields: readonly HeaderField[]) {
    this.connection = connection;
    this.stream = stream;
    this.fields = fields;
    this.#id = stream.id;
  }

  /** Afterwards the stream may be another request's. */
  get isOver(): boolean {
    return this.stream.id !== this.#id;
  }

  field(name: string): string | undefined {
    return headerValue(this.fields, name);
  }

  get path(): string {
    return this.field(':path') ?? '';
  }

  answer(status: number, text = '', fields: readonly HeaderField[] = []): void {
    this.head(status, fields, text === '');
    if (text !== '') this.data(text, true);
  }

  head(status: number, fields: readonly HeaderField[] = [], isLast = false): void {
    this.connection.h2.sendHeaders(this.stream, [{ name: ':status', value: String(status) }, ...fields], null, isLast);
    this.connection.flush();
  }

  data(text: string | Uint8Array, isLast = false): void {
    const bytes = Buffer.from(text);
    this.connection.h2.sendData(this.stream, bytes, 0, bytes.length, isLast);
    this.connection.flush();
  }

  reset(errorCode: number): void {
    this.connection.h2.reset(this.stream, errorCode);
    this.connection.flush();
  }
}

export class ServedConnection implements ConnectionHandler {
  readonly h2: Connection;
  readonly server: SimulatedServer;
  /** Of streams that the client has given up: their error codes. */
  readonly resets: number[] = [];
  readonly #driver: { flush(): void };

  constructor(server: SimulatedServer, transport: ByteStream) {
    this.server = server;
    this.h2 = new Connection('server', server.h2, this);
    const driver = server.drivers.add(this.h2, transport);
    this.#driver = driver;
    driver.start();
  }

  flush(): void {
    this.#driver.flush();
  }

  onHeaders(stream: Stream, block: HeaderBlock, endStream: boolean): void {
    const served = new Served(this, stream, block.fields);
    stream.userData = served;
    this.server.whenBegun(served);
    if (endStream) this.server.onRequest(served);
  }

  onData(stream: Stream, buffer: Uint8Array, start: number, end: number, endStream: boolean): void {
    const served = stream.userData;
    if (!(served instanceof Served)) return;
    served.body += Buffer.from(buffer.subarray(start, end)).toString();
    if (endStream) this.server.onRequest(served);
  }

  onReset(_stream: Stream, errorCode: number): void {
    this.resets.push(errorCode);
  }

  onTrailers(): void {}
  onDrain(): void {}
  onSettings(): void {}
  onGoaway(): void {}
  onBatchEnd(): void {}
  onPingAck(): void {}
  onClose(): void {}
}

export type Script = (request: Served) => void;

export class SimulatedServer {
  readonly clock: SimulatedClock;
  readonly network: SimulatedNetwork;
  readonly drivers: DriverSet;
  readonly h2: ConnectionOptions;
  readonly requests: Served[] = [];
  readonly connections: ServedConnection[] = [];
  /** What a connection is agreed on to speak. */
  protocol = 'h2';
  script: Script;
  /** Called when a request begins. */
  whenBegun: Script = () => {};

  constructor(script: Script, h2: Partial<ConnectionOptions> = {}, seed = 1) {
    this.script = script;
    this.h2 = { ...SERVER_DEFAULTS, pingMinTimeMs: 0, ...h2 };
    this.clock = new SimulatedClock();
    this.network = new SimulatedNetwork({ clock: this.clock, random: new Random(seed) });
    this.drivers = new DriverSet(this.clock);
  }

  async listen(): Promise<this> {
    await this.network.listen(HOST, (stream) => this.connections.push(new ServedConnection(this, stream)));
    return this;
  }

  onRequest(served: Served): void {
    this.requests.push(served);
    this.script(served);
  }

  client(options: Partial<Http2ClientOptions> = {}): Http2Client {
    return new Http2Client({ dialer: new SimulatedDialer(this), clock: this.clock, authority: 'api.test', ...options });
  }
}

class SimulatedDialer implements Dialer {
  readonly #server: SimulatedServer;

  constructor(server: SimulatedServer) {
    this.#server = server;
  }

  /** Opens at once; a connection that is refused tells when it is used, as a handshake would. */
  dial(listener: DialListener): Dialing {
    const { clock, network, protocol } = this.#server;
    const timer = clock.setTimer(1, () => listener.onOpen(network.connect(HOST), protocol));
    return timer;
  }
}

export const HEADERS = {
  accept: 'application/json',
  'impersonate-user': 'jürgen',
  authorization: `Bearer ${'x'.repeat(900)}`,
  'user-agent': 'test',
};
export const TIMEOUT_MS = 5_000;
export const never: AbortSignal = new AbortController().signal;

/** A request as they are told apart here: by path. */
export function get(path: string, options: Partial<ShortRequest> = {}): ShortRequest {
  return { method: 'GET', path, headers: HEADERS, timeoutMs: TIMEOUT_MS, ...options };
}

export const echo: Script = (request) =>
  request.answer(200, `${request.field(':method')} ${request.path} ${request.body}`);
export const silence: Script = () => {};

interface SetUp {
  readonly server: SimulatedServer;
  readonly clock: SimulatedClock;
  readonly http: Http2Client;
}

export async function setUp(script: Script, options: Partial<ConnectionOptions> = {}): Promise<SetUp> {
  const server = await new SimulatedServer(script, options).listen();
  return { server, clock: server.clock, http: server.client() };
}

/** How a request ends: its body, or the stage and the text of its error. */
export async function outcomeOf(answer: Promise<{ readonly body: Buffer }>): Promise<string> {
  try {
    return (await answer).body.toString();
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    return `${error.stage}: ${error.message}`;
  }
}
