// Where a server is, as users write it: `http://host:port` or `host:port`.

export interface Endpoint {
  readonly host: string;
  readonly port: number;
  /** The `:authority` of requests: host and port as given. */
  readonly authority: string;
}

const DEFAULT_PORT = 2379;

/** Throws RangeError on what is not an address, or asks for what is not supported. */
export function parseEndpoint(text: string): Endpoint {
  const withScheme = text.includes('://') ? text : `http://${text}`;
  if (!URL.canParse(withScheme)) throw new RangeError(`${JSON.stringify(text)} is not an endpoint`);
  const url = new URL(withScheme);
  if (url.protocol !== 'http:') throw new RangeError(`${JSON.stringify(text)}: only http:// is supported`);
  // URL drops the port that belongs to the scheme, also when it was written.
  const port = url.port !== '' ? Number(url.port) : /:80(\/|$)/.test(text) ? 80 : DEFAULT_PORT;
  const isBracketed = url.hostname.startsWith('[');
  return {
    host: isBracketed ? url.hostname.slice(1, -1) : url.hostname,
    port,
    authority: `${url.hostname}:${port}`,
  };
}

/** Whether the host is this machine by its name or address. */
export function isLoopback({ host }: Pick<Endpoint, 'host'>): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
