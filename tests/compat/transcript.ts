// Requests and replies as text that is the same on every store which behaves the same.
//
// Revisions are written relative to where the case began (`r2`), ids of the cluster and the raft term only by being
// there, ids that the server chose by the order in which they came. Zero values are left out, absent messages too:
// a header with everything is `@r2`, one with a revision alone `(r2)`, an empty one `{}`.

import { createHash } from 'node:crypto';

const REVISIONS = new Set([
  'revision',
  'start_revision',
  'mod_revision',
  'create_revision',
  'compact_revision',
  'hash_revision',
  'min_mod_revision',
  'max_mod_revision',
  'min_create_revision',
  'max_create_revision',
]);
/** Their values are the store's own affair. */
const OWN = new Set(['cluster_id', 'member_id', 'raft_term', 'memberID', 'leader', 'hash']);
const TEXT_CHARS_MAX = 64;

export class Transcript {
  readonly lines: string[] = [];
  /** The revision that is written `r0`. */
  base = 0;
  readonly #names = new Map<bigint, string>();

  get text(): string {
    return `${this.lines.join('\n')}\n`;
  }

  add(line: string): void {
    this.lines.push(line);
  }

  /** From now on the id is written as a name. */
  nameId(id: bigint): void {
    if (!this.#names.has(id)) this.#names.set(id, `id${this.#names.size + 1}`);
  }

  show(value: unknown, name = ''): string {
    if (typeof value === 'number') {
      if (OWN.has(name)) return 'own';
      return REVISIONS.has(name) && value > 0 ? `r${value - this.base}` : String(value);
    }
    if (typeof value === 'bigint') return OWN.has(name) ? 'own' : (this.#names.get(value) ?? String(value));
    if (typeof value === 'string') return JSON.stringify(value);
    if (value instanceof Uint8Array) return showBytes(value);
    if (Array.isArray(value)) return `[${value.map((one) => this.show(one, name)).join(', ')}]`;
    if (typeof value === 'object' && value !== null) return this.#showFields(value, name);
    return String(value);
  }

  #showFields(message: object, name: string): string {
    const parts: string[] = [];
    for (const [field, value] of Object.entries(message)) {
      if (!isZero(value)) parts.push(`${field}: ${this.show(value, field)}`);
    }
    if (name !== 'header') return `{${parts.join(', ')}}`;
    const text = parts.join(', ');
    return text
      .replace(/^cluster_id: own, member_id: own, revision: (\S+), raft_term: own$/, '@$1')
      .replace(/^cluster_id: own, member_id: own, raft_term: own$/, '@0')
      .replace(/^revision: (\S+)$/, '($1)')
      .replace(/^$/, '{}');
  }
}

function isZero(value: unknown): boolean {
  if (value === undefined || value === 0 || value === 0n || value === false || value === '') return true;
  return (value instanceof Uint8Array || Array.isArray(value)) && value.length === 0;
}

function showBytes(bytes: Uint8Array): string {
  if (bytes.length > TEXT_CHARS_MAX) {
    return `<${bytes.length} bytes ${createHash('sha1').update(bytes).digest('hex').slice(0, 8)}>`;
  }
  return JSON.stringify(Buffer.from(bytes).toString('latin1'));
}
