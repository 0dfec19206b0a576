// What pods are selected by: the selectors of spread constraints and affinity terms of pods to be placed, and the counters of
// the pods that each matches. Two that say the same are one.

import { isEmptySelector, type LabelSelector, type Labels, matchesLabels, NO_LABELS } from '../model/label-selector.ts';
import type { AffinityTerm } from '../model/pod-object.ts';
import { canonicalText } from './interner.ts';
import type { PodCounter } from './pod-counter.ts';

export class PodSelector {
  readonly id: number;
  readonly matches: (namespace: string, labels: Labels) => boolean;
  readonly counters: PodCounter[] = [];

  constructor(id: number, matches: (namespace: string, labels: Labels) => boolean) {
    this.id = id;
    this.matches = matches;
  }
}

export class SelectorTable {
  readonly selectors: PodSelector[] = [];
  readonly #byText = new Map<string, PodSelector>();
  /** Label keys that any selector looks at: labels of other keys make no difference between pods. */
  readonly mentionedKeys: Set<string> = new Set();
  /** Grows with mentionedKeys. */
  mentionVersion = 0;

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
      if (this.mentionedKeys.has(key)) continue;
      this.mentionedKeys.add(key);
      this.mentionVersion++;
    }
  }

  #find(
    what: unknown,
    mentioned: readonly LabelSelector[],
    matches: (namespace: string, labels: Labels) => boolean,
  ): PodSelector {
    const text = canonicalText(what);
    let selector = this.#byText.get(text);
    if (selector === undefined) {
      selector = new PodSelector(this.selectors.length, matches);
      this.selectors.push(selector);
      this.#byText.set(text, selector);
      for (const each of mentioned) this.mention(each);
    }
    return selector;
  }
}
