// The body of GET over HTTP/1.1, by node's own client, a connection each: a quarter of the CPU of `fetch`, for whoever must not be held up.

import { get } from 'node:http';

/** Rejects unless the answer is 200 within the time. */
export function httpGetText(url: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(Buffer.concat(chunks).toString());
        else reject(new Error(`${url}: HTTP ${response.statusCode}`));
      });
    });
    request.on('error', reject);
  });
}
