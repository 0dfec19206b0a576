/**
 * A line diff, for people: `-` only on the left, `+` only on the right. Longest common subsequence by the plain table, after
 * the equal beginning and end are cut off; texts whose rest is longer than `cellsMax` allows are shown as all replaced.
 */

const cellsMax = 4_000_000;
const contextLines = 2;

interface Line {
  readonly mark: ' ' | '-' | '+';
  readonly text: string;
}

function middle(left: readonly string[], right: readonly string[]): Line[] {
  const width = right.length + 1;
  if ((left.length + 1) * width > cellsMax) {
    return [...left.map((text): Line => ({ mark: '-', text })), ...right.map((text): Line => ({ mark: '+', text }))];
  }
  // lengths[i * width + j] = length of the longest common subsequence of left[i..] and right[j..]
  const lengths = new Uint32Array((left.length + 1) * width);
  for (let i = left.length - 1; i >= 0; i--) {
    for (let j = right.length - 1; j >= 0; j--) {
      lengths[i * width + j] =
        left[i] === right[j]
          ? lengths[(i + 1) * width + j + 1] + 1
          : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
    }
  }
  const lines: Line[] = [];
  let i = 0;
  let j = 0;
  while (i < left.length || j < right.length) {
    if (i < left.length && j < right.length && left[i] === right[j]) {
      lines.push({ mark: ' ', text: left[i] });
      i++;
      j++;
    } else if (i < left.length && (j === right.length || lengths[(i + 1) * width + j] >= lengths[i * width + j + 1])) {
      lines.push({ mark: '-', text: left[i++] });
    } else {
      lines.push({ mark: '+', text: right[j++] });
    }
  }
  return lines;
}

/** The lines that differ with a little around them; empty when the texts are equal. */
export function diffLines(leftText: string, rightText: string): string[] {
  if (leftText === rightText) return [];
  const left = leftText.split('\n');
  const right = rightText.split('\n');
  let head = 0;
  while (head < left.length && head < right.length && left[head] === right[head]) head++;
  let tail = 0;
  while (tail < Math.min(left.length, right.length) - head && left.at(-1 - tail) === right.at(-1 - tail)) tail++;
  const same = (text: string): Line => ({ mark: ' ', text });
  const lines = [
    ...left.slice(Math.max(0, head - contextLines), head).map(same),
    ...middle(left.slice(head, left.length - tail), right.slice(head, right.length - tail)),
    ...left.slice(left.length - tail, left.length - tail + contextLines).map(same),
  ];
  const isNear = (index: number): boolean =>
    lines.slice(Math.max(0, index - contextLines), index + contextLines + 1).some((line) => line.mark !== ' ');
  return lines.filter((_, index) => isNear(index)).map((line) => `${line.mark} ${line.text}`);
}
