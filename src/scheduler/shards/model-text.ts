// Parts of the model as text for another process: JSON, with maps and sets as objects of one field whose name no field of the model has.

const MAP = '@map';
const SET = '@set';

export function partText(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (part instanceof Map) return { [MAP]: [...part] };
    if (part instanceof Set) return { [SET]: [...part] };
    return part;
  });
}

/** What partText was given. Throws for text that is not JSON. */
export function partOf(text: string): unknown {
  return JSON.parse(text, (_, part: unknown) => {
    if (typeof part !== 'object' || part === null) return part;
    if (MAP in part) return new Map(part[MAP] as [unknown, unknown][]);
    if (SET in part) return new Set(part[SET] as unknown[]);
    return part;
  });
}
