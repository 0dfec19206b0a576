// Which node is nominated for each waiting pod: what was decided here last, until the API tells something new. A nomination is in force as soon as it
// is decided, before the API has it; one that another scheduler or a leader before has left is taken over.
//
// Between a write and the moment when the API tells it again, the API tells older things: they are not news. Limit: SENT_MS_MAX, for writes
// that are lost; then the API's word counts again, and what differs from it is to be written once more.

const SENT_MS_MAX = 30_000;

interface Nomination {
  /** In force; '' for none. */
  node: string;
  /** What the API told last. */
  told: string;
  /** What was written last and is not told yet; undefined where nothing is on its way. */
  sent: string | undefined;
  sentMs: number;
}

const NO_PODS: ReadonlySet<string> = new Set();

export class NominationBook {
  readonly #byUid = new Map<string, Nomination>();
  readonly #byNode = new Map<string, Set<string>>();

  /** The API's word; answers with the node that is in force. */
  tell(uid: string, told: string, nowMs: number): string {
    const nomination = this.#of(uid);
    const { sent } = this.#current(nomination, nowMs);
    const isNews = sent === undefined && told !== nomination.told;
    nomination.told = told;
    if (told === sent) nomination.sent = undefined;
    if (isNews) this.#move(uid, nomination, told);
    this.#keep(uid, nomination);
    return nomination.node;
  }

  /** Decided here. */
  set(uid: string, node: string): void {
    const nomination = this.#of(uid);
    this.#move(uid, nomination, node);
    this.#keep(uid, nomination);
  }

  /** The API has told what is in force. */
  isTold(uid: string): boolean {
    const nomination = this.#byUid.get(uid);
    return nomination === undefined || nomination.node === nomination.told;
  }

  /** What has to be written, and is taken to be from now on; undefined where the API has it, or is about to. */
  toWrite(uid: string, nowMs: number): string | undefined {
    const nomination = this.#byUid.get(uid);
    if (nomination === undefined) return undefined;
    const { node, told } = nomination;
    if (node === (this.#current(nomination, nowMs).sent ?? told)) return undefined;
    nomination.sent = node;
    nomination.sentMs = nowMs;
    return node;
  }

  /** Uids of the pods that the node is nominated for. */
  on(node: string): ReadonlySet<string> {
    return this.#byNode.get(node) ?? NO_PODS;
  }

  forget(uid: string): void {
    const nomination = this.#byUid.get(uid);
    if (nomination === undefined) return;
    this.#move(uid, nomination, '');
    this.#byUid.delete(uid);
  }

  #of(uid: string): Nomination {
    return this.#byUid.get(uid) ?? { node: '', told: '', sent: undefined, sentMs: 0 };
  }

  #current(nomination: Nomination, nowMs: number): Nomination {
    if (nowMs - nomination.sentMs > SENT_MS_MAX) nomination.sent = undefined;
    return nomination;
  }

  #keep(uid: string, nomination: Nomination): void {
    const { node, told, sent } = nomination;
    if (node === '' && told === '' && sent === undefined) this.#byUid.delete(uid);
    else this.#byUid.set(uid, nomination);
  }

  #move(uid: string, nomination: Nomination, node: string): void {
    if (nomination.node === node) return;
    const left = this.#byNode.get(nomination.node);
    left?.delete(uid);
    if (left?.size === 0) this.#byNode.delete(nomination.node);
    nomination.node = node;
    if (node !== '') this.#byNode.set(node, (this.#byNode.get(node) ?? new Set()).add(uid));
  }
}
