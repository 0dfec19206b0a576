// Selectors as objects have them: LabelSelector, NodeSelector, preferred node terms.

import type { JsonView } from './json-view.ts';
import {
  EVERYTHING,
  type LabelSelector,
  NOTHING,
  type Operator,
  type Requirement,
  requirementProblems,
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
const FIELD_OPERATORS: ReadonlySet<string> = new Set(['In', 'NotIn']);

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
  const problem = asOne(requirements.flatMap((requirement) => requirementProblems(requirement)));
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
  const { problems, ...term } = parsedNodeTermOf(view);
  return { ...term, problem: problems[0] };
}

/** All that cannot be parsed of a term, with the fields to blame. */
export function nodeTermProblems(view: JsonView): readonly string[] {
  return parsedNodeTermOf(view).problems;
}

interface ParsedTerm {
  readonly expressions: readonly Requirement[];
  readonly fields: readonly FieldRequirement[];
  readonly problems: readonly string[];
}

function parsedNodeTermOf(view: JsonView): ParsedTerm {
  const expressions: Requirement[] = [];
  const fields: FieldRequirement[] = [];
  const problems: string[] = [];
  for (const [index, expression] of view.objects('matchExpressions').entries()) {
    const at = `matchExpressions[${index}]`;
    const operator = expression.text('operator');
    const parsed = requirementOf(expression, NODE_OPERATORS);
    if (typeof parsed === 'string') problems.push(`${at}.operator: ${unsupported(operator, NODE_OPERATORS)}`);
    else {
      // Upstream counts and prints the values as they are, repeated ones, too; a list that is empty and one that is not there differ.
      const raw = { ...parsed, values: expression.texts('values') };
      const found = requirementProblems(raw, expression.has('values') ? '[]' : 'null');
      problems.push(...found.map((problem) => `${at}.${problem}`));
      expressions.push(parsed);
    }
  }
  for (const [index, expression] of view.objects('matchFields').entries()) {
    const at = `matchFields[${index}]`;
    const operator = expression.text('operator');
    const values = expression.texts('values');
    if (operator !== 'In' && operator !== 'NotIn') {
      problems.push(`${at}.operator: ${unsupported(operator, FIELD_OPERATORS)}`);
      continue;
    }
    if (values.length !== 1) {
      const list = values.length === 0 && !expression.has('values') ? 'null' : JSON.stringify(values);
      problems.push(`${at}.values: Invalid value: ${list}: must have one element`);
    }
    fields.push({ key: expression.text('key'), operator, values });
  }
  return { expressions, fields, problems };
}

function unsupported(operator: string, operators: ReadonlySet<string>): string {
  const supported = [...operators].map((one) => JSON.stringify(one));
  return `Unsupported value: ${JSON.stringify(operator)}: supported values: ${supported.join(', ')}`;
}

/** Errors as upstream joins them; '' for none. */
export function asOne(problems: readonly string[]): string {
  return problems.length > 1 ? `[${problems.join(', ')}]` : problems.join('');
}
