// What pods are selected by: the selectors of spread constraints and affinity terms of pods to be placed, and the counters of
// the pods that each matches. Two that say the same are one. One that no counter has any more is swept away.
//
// Most selectors want a label to have one value. They are found by it, so that pods with labels of their own (of a Job, a StatefulSet) are not held
// against thousands of selectors each.

import { isEmptySelector, type LabelSelector, type Labels, matchesLabels, NO_LABELS } from '../model/label-selector.ts';
import type { AffinityTerm } from '../model/pod-object.ts';
import { canonicalText } from './interner.ts';
import type { PodCounter } from './pod-counter.ts';
import type { SweepRounds } from './sweep-rounds.ts';

type Matches = (namespace: string, labels: Labels) => boolean;

export class PodSelector {
  /** Grows from one to the next; from 1 on. */
  readonly id: number;
  readonly matches: Matches;
  /** What it looks at. */
  readonly parts: readonly LabelSelector[];
  counters: PodCounter[] = [];
  /** When it was last used. */
  round = 0;
  isDropped = false;

  constructor(id: number, parts: readonly LabelSelector[], matches: Matches) {
    this.id = id;
    this.parts = parts;
    this.matches = matches;
  }
}

export class SelectorTable {
  /** In the order of their ids. */
  selectors: PodSelector[] = [];
  /** Of the newest selector; 0 for none. */
  lastId = 0;
  readonly #rounds: SweepRounds;
  readonly #byText = new Map<string, PodSelector>();
  /** Label keys that any selector looks at, and when that was last said: labels of other keys make no difference between pods. */
  readonly mentionedKeys: Map<string, number> = new Map();
  /** Grows when a key comes to mentionedKeys. (When one goes, pods that were told apart by it need not be told apart any longer.) */
  mentionVersion = 0;
  /** Grows when a key comes or goes. */
  keysVersion = 0;

  /** Selectors by a label that they want, and those that cannot be found so. */
  #byLabel = new Map<string, PodSelector[]>();
  #others: PodSelector[] = [];

  constructor(rounds: SweepRounds) {
    this.#rounds = rounds;
  }

  /** All that match. */
  matching(namespace: string, labels: Labels): PodSelector[] {
    const found = this.#others.filter((selector) => selector.matches(namespace, labels));
    for (const [key, value] of labels) {
      for (const selector of this.#byLabel.get(`${key}=${value}`) ?? []) {
        if (selector.matches(namespace, labels)) found.push(selector);
      }
    }
    return found;
  }

  /** Of a spread constraint: pods of the namespace; an empty selector counts none. */
  ofSpread(namespace: string, selector: LabelSelector): PodSelector {
    return this.#find(['spread', namespace, selector], [selector], (other, labels) =>
      isEmptySelector(selector) ? false : other === namespace && matchesLabels(selector, labels),
    );
  }

  /** Pods that match all terms of a pod to be placed, whose namespaces are resolved. */
  ofTerms(terms: readonly AffinityTerm[]): PodSelector {
    const texts = terms.map(({ selector, namespaces, namespaceSelector }) =>
      canonicalText([selector, namespaces, namespaceSelector]),
    );
    return this.#find(
      ['terms', ...texts.sort()],
      terms.map(({ selector }) => selector),
      (namespace, labels) =>
        terms.every(
          (term) =>
            // Upstream asks the namespace selector once more, of no labels.
            (term.namespaces.has(namespace) || matchesLabels(term.namespaceSelector, NO_LABELS)) &&
            matchesLabels(term.selector, labels),
        ),
    );
  }

  mention(selector: LabelSelector): void {
    for (const { key } of selector.requirements) {
      if (!this.mentionedKeys.has(key)) {
        this.mentionVersion++;
        this.keysVersion++;
      }
      this.mentionedKeys.set(key, this.#rounds.current);
    }
  }

  /** Once counters have marked theirs. */
  sweep(): void {
    for (const [text, selector] of this.#byText) {
      if (this.#rounds.isOver(selector.round)) {
        selector.isDropped = true;
        this.#byText.delete(text);
      } else for (const part of selector.parts) this.mention(part);
    }
    this.selectors = [...this.#byText.values()];
    this.#byLabel = new Map();
    this.#others = [];
    for (const selector of this.selectors) this.#file(selector);
    for (const [key, round] of this.mentionedKeys) {
      if (!this.#rounds.isOver(round)) continue;
      this.mentionedKeys.delete(key);
      this.keysVersion++;
    }
  }

  #find(what: unknown, parts: readonly LabelSelector[], matches: Matches): PodSelector {
    const text = canonicalText(what);
    let selector = this.#byText.get(text);
    if (selector === undefined) {
      selector = new PodSelector(++this.lastId, parts, matches);
      this.selectors.push(selector);
      this.#file(selector);
      this.#byText.set(text, selector);
      this.#rounds.changed();
      for (const part of parts) this.mention(part);
    }
    selector.round = this.#rounds.current;
    return selector;
  }

  #file(selector: PodSelector): void {
    const label = labelWanted(selector.parts);
    if (label === undefined) this.#others.push(selector);
    else {
      const ofLabel = this.#byLabel.get(label);
      if (ofLabel === undefined) this.#byLabel.set(label, [selector]);
      else ofLabel.push(selector);
    }
  }
}

/** A label without which no pod matches all of them: `key=value`. */
function labelWanted(parts: readonly LabelSelector[]): string | undefined {
  for (const { requirements } of parts) {
    for (const { key, operator, values } of requirements) {
      if (operator === 'In' && values.length === 1) return `${key}=${values[0]}`;
    }
  }
  return undefined;
}
