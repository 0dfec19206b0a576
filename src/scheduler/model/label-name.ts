// Names and values of labels: what the API's validation says of them, in its words (apimachinery pkg/api/validate/content).

const NAME_PATTERN = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const NAME = new RegExp(`^${NAME_PATTERN}$`);
const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const SUBDOMAIN_PATTERN = `${LABEL}(\\.${LABEL})*`;
const SUBDOMAIN = new RegExp(`^${SUBDOMAIN_PATTERN}$`);

const CHARACTERS =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const NAME_RULE = `${CHARACTERS} (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '${NAME_PATTERN}')`;
const VALUE_RULE =
  `a valid label must be an empty string or ${CHARACTERS.replace('must consist', 'consist')} ` +
  `(e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(${NAME_PATTERN})?')`;
const SUBDOMAIN_RULE =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end " +
  `with an alphanumeric character (e.g. 'example.com', regex used for validation is '${SUBDOMAIN_PATTERN}')`;

/** `name` or `prefix/name`: what is wrong with it, nothing for a good one. */
export function nameProblems(text: string): string[] {
  const parts = text.split('/');
  if (parts.length > 2) {
    return [`a valid label key ${NAME_RULE} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  }
  const problems: string[] = [];
  if (parts.length === 2) {
    const [prefix] = parts;
    if (prefix === '') problems.push('prefix part must be non-empty');
    else {
      if (byteLength(prefix) > 253) problems.push('prefix part must be no more than 253 bytes');
      if (!SUBDOMAIN.test(prefix)) problems.push(`prefix part ${SUBDOMAIN_RULE}`);
    }
  }
  const name = parts.at(-1) ?? '';
  if (name === '') problems.push('name part must be non-empty');
  else if (byteLength(name) > 63) problems.push('name part must be no more than 63 bytes');
  if (!NAME.test(name)) problems.push(`name part ${NAME_RULE}`);
  return problems;
}

export function valueProblems(text: string): string[] {
  const problems = byteLength(text) > 63 ? ['must be no more than 63 bytes'] : [];
  return text === '' || NAME.test(text) ? problems : [...problems, VALUE_RULE];
}

export function isQualifiedName(text: string): boolean {
  return nameProblems(text).length === 0;
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}
