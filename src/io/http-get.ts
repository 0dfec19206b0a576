// The body of GET over HTTP/1.1, by node's own client, a connection each: a quarter of the CPU of `fetch`, for whoever must not be held up.

import { get } from 'node:http';
import { ANSWER_BYTES_MAX } from './http-client.ts';

/** Rejects unless the answer is 200, comes within the time, and has no more than ANSWER_BYTES_MAX. */
export function httpGetText(url: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= ANSWER_BYTES_MAX) chunks.push(chunk);
        else response.destroy(new Error(`${url}: an answer of more than ${ANSWER_BYTES_MAX} bytes`));
      });
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(Buffer.concat(chunks).toString());
        else reject(new Error(`${url}: HTTP ${response.statusCode}`));
      });
    });
    request.on('error', reject);
  });
}
