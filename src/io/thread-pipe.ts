// Messages between threads of a process (node:worker_threads). Their memory changes hands and is not copied on the way, but once before it, out of the
// pool that short buffers share.

import { parentPort, Worker } from 'node:worker_threads';
import { errorText } from '../base/error-text.ts';
import type { MessagePipe, MessagePipeHandler } from './message-pipe.ts';

interface Port {
  postMessage(message: Uint8Array, transfer: readonly ArrayBuffer[]): void;
}

function post(port: Port, message: Uint8Array): void {
  const own = new Uint8Array(message);
  port.postMessage(own, [own.buffer]);
}

/** A new thread that runs the module; it ends with the process, or with the pipe. */
export function startThread(module: URL): MessagePipe {
  const worker = new Worker(module);
  let isClosed = false;
  return {
    start({ onMessage, onClose }: MessagePipeHandler): void {
      const end = (reason: string): void => {
        if (isClosed) return;
        isClosed = true;
        onClose(reason);
      };
      worker.on('message', (message: Uint8Array) => {
        if (!isClosed) onMessage(message);
      });
      worker.on('error', (error) => end(errorText(error)));
      worker.on('exit', (code) => end(`the thread has ended with code ${code}`));
      worker.unref();
    },
    send: (message) => post(worker, message),
    close(): void {
      isClosed = true;
      void worker.terminate();
    },
  };
}

/** Within a thread that startThread has made: the other end. Undefined elsewhere. */
export function parentPipe(): MessagePipe | undefined {
  const port = parentPort;
  if (port === null) return undefined;
  return {
    start({ onMessage, onClose }: MessagePipeHandler): void {
      port.on('message', onMessage);
      port.on('close', () => onClose('the thread that it was made by has ended'));
    },
    send: (message) => post(port, message),
    close: () => port.close(),
  };
}
