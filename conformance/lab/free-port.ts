/** Ports of 127.0.0.1 that nobody listens on. Taken together, so that no two are the same. */
import { createServer, type Server } from 'node:net';

export async function freePorts(count: number): Promise<number[]> {
  const servers: Server[] = [];
  const ports: number[] = [];
  for (let index = 0; index < count; index++) {
    const server = createServer();
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
    ports.push(address.port);
    servers.push(server);
  }
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  return ports;
}
