// Labels and the selectors over them (apimachinery pkg/labels of Kubernetes 1.36).
//
// A selector is a conjunction of requirements, or `nothing` (the absent LabelSelector), which matches no labels at all. A
// selector without requirements matches everything.

import { nameProblems, valueProblems } from './label-name.ts';

export type Labels = ReadonlyMap<string, string>;

export const NO_LABELS: Labels = new Map();

export type Operator = 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt';

export interface Requirement {
  readonly key: string;
  readonly operator: Operator;
  /** In and NotIn: one or more; Gt and Lt: one, a decimal int64; else none. Without duplicates. */
  readonly values: readonly string[];
}

export interface LabelSelector {
  readonly matchesNothing: boolean;
  readonly requirements: readonly Requirement[];
}

export const NOTHING: LabelSelector = { matchesNothing: true, requirements: [] };
export const EVERYTHING: LabelSelector = { matchesNothing: false, requirements: [] };

export function selectorOf(requirements: readonly Requirement[]): LabelSelector {
  return { matchesNothing: false, requirements };
}

/** Each pair has to be there. */
export function selectorOfPairs(pairs: Labels): LabelSelector {
  const requirements: Requirement[] = [];
  for (const [key, value] of pairs) requirements.push({ key, operator: 'In', values: [value] });
  return selectorOf(requirements);
}

/** Both; `nothing` stays nothing. */
export function andSelectors(a: LabelSelector, b: LabelSelector): LabelSelector {
  if (a.matchesNothing || b.matchesNothing) return NOTHING;
  return selectorOf([...a.requirements, ...b.requirements]);
}

/** labels.Selector.Empty: no requirement, so that everything matches. `nothing` is not empty. */
export function isEmptySelector(selector: LabelSelector): boolean {
  return !selector.matchesNothing && selector.requirements.length === 0;
}

export function matchesLabels(selector: LabelSelector, labels: Labels): boolean {
  return !selector.matchesNothing && selector.requirements.every((requirement) => isMet(requirement, labels));
}

export function isMet({ key, operator, values }: Requirement, labels: Labels): boolean {
  const value = labels.get(key);
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
    case 'Lt': {
      const have = value === undefined ? undefined : parseInt64(value);
      const bound = parseInt64(values[0] ?? '');
      if (have === undefined || bound === undefined) return false;
      return operator === 'Gt' ? have > bound : have < bound;
    }
  }
}

/** Go's strconv.ParseInt(text, 10, 64); undefined where it fails. */
export function parseInt64(text: string): bigint | undefined {
  if (!/^[-+]?\d+$/.test(text)) return undefined;
  const value = BigInt(text.startsWith('+') ? text.slice(1) : text);
  return BigInt.asIntN(64, value) === value ? value : undefined;
}

/** What labels.NewRequirement refuses, in its words: each problem with the field of the requirement, `values: Invalid …`. `none` is printed for no values. */
export function requirementProblems({ key, operator, values }: Requirement, none = 'null'): string[] {
  const problems = nameProblems(key);
  const found = problems.length === 0 ? [] : [`key: Invalid value: ${JSON.stringify(key)}: ${problems.join('; ')}`];
  const list = values.length === 0 ? none : JSON.stringify(values);
  const refuse = (problem: string): unknown => found.push(`values: Invalid value: ${list}: ${problem}`);
  switch (operator) {
    case 'In':
    case 'NotIn':
      if (values.length === 0) refuse("for 'in', 'notin' operators, values set can't be empty");
      break;
    case 'Exists':
    case 'DoesNotExist':
      if (values.length !== 0) refuse('values set must be empty for exists and does not exist');
      break;
    case 'Gt':
    case 'Lt':
      if (values.length !== 1) refuse("for 'Gt', 'Lt' operators, exactly one value is required");
      for (const [index, value] of values.entries()) {
        if (parseInt64(value) !== undefined) continue;
        const text = `values[${index}]: Invalid value: ${JSON.stringify(value)}`;
        found.push(`${text}: for 'Gt', 'Lt' operators, the value must be an integer`);
      }
      break;
  }
  for (const [index, value] of values.entries()) {
    const wrong = valueProblems(value);
    if (wrong.length === 0) continue;
    found.push(`values[${index}][${key}]: Invalid value: ${JSON.stringify(value)}: ${wrong.join('; ')}`);
  }
  return found;
}
