/**
 * A client of the Kubernetes API in JSON, as thin as can be: one method for all requests, and the watch stream as lines. It
 * retries nothing, since what fails and for how long is what the runs look at.
 */
import type { IncomingMessage, RequestOptions } from 'node:http';
import { Agent, request } from 'node:https';
import { createInterface } from 'node:readline';

const requestTimeoutMs = 30_000;
const socketsMax = 64;

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/** The parts of any Kubernetes object that the runs read. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly creationTimestamp: string;
    readonly deletionTimestamp?: string;
    readonly generation?: number;
  };
  readonly spec?: {
    readonly nodeName?: string;
    readonly replicas?: number;
    readonly renewTime?: string;
    readonly holderIdentity?: string;
    readonly containers?: readonly { readonly name: string; readonly image: string }[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly readyReplicas?: number;
    readonly updatedReplicas?: number;
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason?: string }[];
  };
  readonly data?: Readonly<Record<string, string>>;
  readonly reason?: string;
  /** Of an Event of core/v1. */
  readonly message?: string;
  readonly involvedObject?: { readonly kind: string; readonly name: string };
  readonly endpoints?: readonly { readonly conditions: { readonly ready?: boolean } }[];
}

export interface KubeList {
  readonly metadata: {
    readonly resourceVersion: string;
    readonly continue?: string;
    readonly remainingItemCount?: number;
  };
  readonly items: readonly KubeObject[];
}

/** A line of a watch. An ERROR carries a Status, whose code is all that is read of it. */
export type WatchEvent =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; readonly object: KubeObject }
  | { readonly type: 'ERROR'; readonly object: { readonly code: number; readonly message: string } };

/** An answer of the API server that is not 2xx. */
export class KubeError extends Error {
  readonly status: number;

  constructor(method: string, path: string, status: number, body: string) {
    super(`${method} ${path}: ${status} ${body.slice(0, 300)}`);
    this.status = status;
  }
}

export interface RequestDetails {
  readonly body?: JsonObject;
  readonly contentType?: 'application/json' | 'application/merge-patch+json' | 'application/strategic-merge-patch+json';
  readonly token?: string;
}

export class KubeClient {
  readonly port: number;
  readonly #ca: Buffer;
  readonly #token: string;
  readonly #agent: Agent;

  constructor(port: number, ca: Buffer, token: string) {
    this.port = port;
    this.#ca = ca;
    this.#token = token;
    this.#agent = new Agent({ keepAlive: true, maxSockets: socketsMax, ca });
  }

  #options(method: string, path: string, token: string | undefined): RequestOptions {
    return {
      host: '127.0.0.1',
      port: this.port,
      method,
      path,
      headers: { Authorization: `Bearer ${token ?? this.#token}`, Accept: 'application/json' },
    };
  }

  /** The parsed answer. The caller names its type: the API server is believed to send what its API says. */
  send<Answer>(method: string, path: string, details: RequestDetails = {}): Promise<Answer> {
    const { body, contentType = 'application/json', token } = details;
    const payload = body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const options = { ...this.#options(method, path, token), agent: this.#agent, timeout: requestTimeoutMs };
      const outgoing = request(options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const status = response.statusCode ?? 0;
          const isJson = response.headers['content-type']?.startsWith('application/json') ?? false;
          if (status < 200 || status > 299) reject(new KubeError(method, path, status, text));
          // Health checks answer plain text, given on as a JSON string would be.
          else resolve(JSON.parse(isJson ? text : JSON.stringify(text)));
        });
      });
      outgoing.on('timeout', () => outgoing.destroy(new Error(`${method} ${path}: no answer`)));
      outgoing.on('error', reject);
      if (payload !== undefined) {
        outgoing.setHeader('Content-Type', contentType);
        outgoing.setHeader('Content-Length', Buffer.byteLength(payload));
      }
      outgoing.end(payload);
    });
  }

  get(path: string): Promise<KubeObject> {
    return this.send('GET', path);
  }

  list(path: string): Promise<KubeList> {
    return this.send('GET', path);
  }

  create(path: string, body: JsonObject): Promise<KubeObject> {
    return this.send('POST', path, { body });
  }

  /** A JSON merge patch (RFC 7396), which all resources understand. */
  patch(path: string, body: JsonObject): Promise<KubeObject> {
    return this.send('PATCH', path, { body, contentType: 'application/merge-patch+json' });
  }

  /** Answers a Status or the object, by the resource; nobody needs either. */
  async delete(path: string): Promise<void> {
    await this.send('DELETE', path);
  }

  /** The lines of a watch until the API server ends it or the signal aborts; throws when it cannot be had. */
  async *watch(path: string, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const options = { ...this.#options('GET', path, undefined), ca: this.#ca, agent: false, signal };
      request(options, resolve).on('error', reject).end();
    });
    const lines = createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY });
    try {
      if (response.statusCode !== 200) {
        throw new KubeError('WATCH', path, response.statusCode ?? 0, (await response.toArray()).join(''));
      }
      // A stream that breaks off rather than ends makes the iteration throw, or ends it: both mean watch again.
      for await (const line of lines) if (line !== '') yield JSON.parse(line);
    } finally {
      lines.close();
      response.destroy();
    }
  }

  close(): void {
    this.#agent.destroy();
  }
}
