// Whole messages between two threads or processes, in order: the interface. thread-pipe.ts is between threads, stream-pipe.ts over a byte stream.

export interface MessagePipe {
  /** Starts delivery. Called once, before anything else. */
  start(handler: MessagePipeHandler): void;
  /** The pipe keeps the bytes: the caller never changes them again. */
  send(message: Uint8Array): void;
  /** Ends it, on both sides. onClose is not called. */
  close(): void;
}

export interface MessagePipeHandler {
  onMessage(message: Uint8Array): void;
  /** The last call: the other side has ended it, or it broke. */
  onClose(reason: string): void;
}
