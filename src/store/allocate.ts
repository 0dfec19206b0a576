// Where the memory of segments, rows and history comes from.
//
// Private memory is the default because V8 counts it: dropping a segment lets the collector run soon. Shared memory is
// not counted, so dropped segments stay until a collection happens for another reason (measured: 400 segments of 16 MiB
// written one after the other peak at 3.6 GB shared, 0.4 GB private). A process that shares the store with other threads
// has to see to collections itself.

export type Allocate = (bytes: number) => ArrayBuffer | SharedArrayBuffer;

export function allocatePrivate(bytes: number): ArrayBuffer {
  return new ArrayBuffer(bytes);
}

export function allocateShared(bytes: number): SharedArrayBuffer {
  return new SharedArrayBuffer(bytes);
}
