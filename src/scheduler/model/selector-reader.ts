// Selectors as objects have them: LabelSelector, NodeSelector, preferred node terms.

import type { JsonView } from './json-view.ts';
import {
  EVERYTHING,
  type LabelSelector,
  NOTHING,
  type Operator,
  type Requirement,
  requirementProblem,
  selectorOf,
} from './label-selector.ts';
import {
  type FieldRequirement,
  isEmptyTerm,
  type NodeSelector,
  type NodeSelectorTerm,
  type PreferredNodeTerm,
} from './node-selector.ts';

const LABEL_OPERATORS: ReadonlySet<string> = new Set(['In', 'NotIn', 'Exists', 'DoesNotExist']);
const NODE_OPERATORS: ReadonlySet<string> = new Set([...LABEL_OPERATORS, 'Gt', 'Lt']);

export interface ParsedSelector {
  /** `nothing` where there is a problem. */
  readonly selector: LabelSelector;
  /** What cannot be parsed, '' for nothing. */
  readonly problem: string;
}

/** metav1.LabelSelector: absent selects nothing, an empty one everything. */
export function parsedSelectorOf(view: JsonView): ParsedSelector {
  if (!view.isPresent) return { selector: NOTHING, problem: '' };
  const requirements: Requirement[] = [];
  for (const [key, value] of view.pairs('matchLabels')) requirements.push({ key, operator: 'In', values: [value] });
  for (const expression of view.objects('matchExpressions')) {
    const parsed = requirementOf(expression, LABEL_OPERATORS);
    if (typeof parsed === 'string') return { selector: NOTHING, problem: parsed };
    requirements.push(parsed);
  }
  const problem = requirements.map(requirementProblem).find((text) => text !== undefined) ?? '';
  if (problem !== '') return { selector: NOTHING, problem };
  return { selector: requirements.length === 0 ? EVERYTHING : selectorOf(requirements), problem: '' };
}

/** The same where a selector that cannot be parsed is the object's error. Throws ObjectError. */
export function selectorIn(view: JsonView, field: string): LabelSelector {
  const { selector, problem } = parsedSelectorOf(view.object(field));
  return problem === '' ? selector : view.refuse(field, problem);
}

/** The requirement, or what is wrong with its operator. */
function requirementOf(view: JsonView, operators: ReadonlySet<string>): Requirement | string {
  const operator = view.text('operator');
  if (!isOperator(operator, operators)) return `${JSON.stringify(operator)} is not a valid label selector operator`;
  return { key: view.text('key'), operator, values: [...new Set(view.texts('values'))] };
}

function isOperator(text: string, operators: ReadonlySet<string>): text is Operator {
  return operators.has(text);
}

/** Required terms; an absent selector is undefined. */
export function nodeSelectorOf(view: JsonView): NodeSelector | undefined {
  if (!view.isPresent) return undefined;
  return { terms: view.objects('nodeSelectorTerms').map(nodeTermOf) };
}

export function preferredNodeTermsOf(views: readonly JsonView[]): PreferredNodeTerm[] {
  return views
    .map((view) => ({ weight: view.number('weight'), term: nodeTermOf(view.object('preference')) }))
    .filter(({ weight, term }) => weight !== 0 && !isEmptyTerm(term));
}

function nodeTermOf(view: JsonView): NodeSelectorTerm {
  const expressions: Requirement[] = [];
  const fields: FieldRequirement[] = [];
  let problem: string | undefined;
  for (const expression of view.objects('matchExpressions')) {
    const parsed = requirementOf(expression, NODE_OPERATORS);
    if (typeof parsed === 'string') problem ??= parsed;
    else {
      problem ??= requirementProblem(parsed);
      expressions.push(parsed);
    }
  }
  for (const expression of view.objects('matchFields')) {
    const operator = expression.text('operator');
    const values = expression.texts('values');
    if (values.length !== 1) problem ??= 'must have one element';
    if (operator === 'In' || operator === 'NotIn') fields.push({ key: expression.text('key'), operator, values });
    else problem ??= `${JSON.stringify(operator)} is not a valid field selector operator`;
  }
  return { expressions, fields, problem };
}
