// What `k1m wal dump` prints: indented lines for people, or one JSON object a line. Files are named from the data folder on.

import { relative } from 'node:path';
import { base64, idText, quoted } from '../repair/byte-text.ts';
import type { Finding } from '../repair/damage.ts';
import type { Effect } from '../repair/effect-parser.ts';
import { rangeJson } from '../repair/repair-report.ts';
import type { SurveyedSegment } from '../repair/survey.ts';
import type { DumpedBatch, DumpTaker } from '../repair/wal-dump.ts';
import type { Output } from './output.ts';
import { findingJson, findingText, rangeText } from './wal-text.ts';

export interface DumpTextOptions {
  readonly folder: string;
  readonly output: Output;
  /** Whole values instead of their sizes. */
  readonly hasValues: boolean;
}

const ALARM_NAMES = ['NONE', 'NOSPACE', 'CORRUPT'];

export function textDump({ folder, output, hasValues }: DumpTextOptions): DumpTaker {
  return {
    onSegment: ({ file, bytes, header, headerError }: SurveyedSegment) => {
      const ids = header && `cluster ${idText(header.identity.clusterId)}, member ${idText(header.identity.memberId)}`;
      const head =
        header && `, format ${header.format}, ${ids}, epoch ${header.epoch}, from batch ${header.firstSequence}`;
      const wrong = headerError === undefined ? '' : '; its header is damaged';
      return output.write(`segment ${relative(folder, file)}: ${bytes} bytes${head ?? ''}${wrong}\n`);
    },
    onBatch: (_file, batch: DumpedBatch) => {
      const { sequence, offset, bytes, epoch, durableSequence, revisions, isFsync } = batch;
      const held = revisions === undefined ? 'no revision' : `revisions ${rangeText(revisions)}`;
      const durable = `durable before ${durableSequence}${isFsync ? ', fsync' : ''}`;
      return output.write(
        `  batch ${sequence} at byte ${offset}, ${bytes} bytes: ${held}, epoch ${epoch}, ${durable}\n`,
      );
    },
    onEffect: ({ offset, isUncertain }, effect, buffer) => {
      const text = effectText(effect, buffer, hasValues);
      return output.write(`    ${isUncertain ? `damaged, at byte ${offset}: ` : ''}${text}\n`);
    },
    onDamage: (finding: Finding) => output.write(`  ! ${findingText(folder, finding)}\n`),
    onRest: (_file, { kind, offset }, bytes) => {
      const what = kind === 'zeros' ? 'zeros' : 'what an earlier segment left';
      return output.write(`  ${what} from byte ${offset} on, ${bytes} bytes\n`);
    },
  };
}

function effectText(effect: Effect, buffer: Uint8Array, hasValues: boolean): string {
  switch (effect.kind) {
    case 'put': {
      const { main, sub, keyStart, keyEnd, createRevision, version, valueStart, valueEnd, lease } = effect;
      const key = quoted(buffer, keyStart, keyEnd);
      const value = hasValues ? ` ${quoted(buffer, valueStart, valueEnd)}` : ` of ${valueEnd - valueStart} bytes`;
      const attached = lease === 0n ? '' : `, lease ${idText(lease)}`;
      return `${main}.${sub} put ${key}: value${value}, created ${createRevision}, version ${version}${attached}`;
    }
    case 'delete':
      return `${effect.main}.${effect.sub} delete ${quoted(buffer, effect.keyStart, effect.keyEnd)}`;
    case 'lease-grant':
      return `lease ${idText(effect.lease)} granted for ${effect.ttlSeconds} s`;
    case 'lease-revoke':
      return `lease ${idText(effect.lease)} revoked`;
    case 'compact':
      return `compact up to revision ${effect.revision}`;
    case 'mark':
      return `mark: revisions up to ${effect.revision} may be shown`;
    case 'open':
      return `open: a start, at revision ${effect.revision}`;
    case 'clean':
      return `clean: an orderly end, at revision ${effect.revision}`;
    case 'alarm':
      return `alarm ${ALARM_NAMES[effect.alarm] ?? effect.alarm} ${effect.isRaised ? 'raised' : 'lowered'}`;
    case 'meta': {
      const { clusterId, memberId } = effect.identity;
      return `meta: cluster ${idText(clusterId)}, member ${idText(memberId)}`;
    }
    case 'time':
      return `time ${new Date(effect.wallMs).toISOString()}`;
  }
}

export function jsonDump({ folder, output, hasValues }: DumpTextOptions): DumpTaker {
  const line = (record: object): Promise<void> | undefined => output.write(`${JSON.stringify(record)}\n`);
  return {
    onSegment: ({ file, bytes, header, headerError }) =>
      line({
        type: 'segment',
        file: relative(folder, file),
        bytes,
        cluster: header === undefined ? null : idText(header.identity.clusterId),
        member: header === undefined ? null : idText(header.identity.memberId),
        firstSequence: header?.firstSequence ?? null,
        epoch: header?.epoch ?? null,
        error: headerError ?? null,
      }),
    onBatch: (file, { revisions, ...batch }) =>
      line({ type: 'batch', file: relative(folder, file), ...batch, revisions: rangeJson(revisions) }),
    onEffect: ({ file, offset, sequence, isUncertain }, effect, buffer) => {
      const place = { file: relative(folder, file), offset, sequence: sequence ?? null, isUncertain };
      return line({ type: effect.kind, ...place, ...effectJson(effect, buffer, hasValues) });
    },
    onDamage: (finding) =>
      line({ type: 'damage', ...findingJson({ ...finding, file: relative(folder, finding.file) }) }),
    onRest: (file, { kind, offset }, bytes) => line({ type: kind, file: relative(folder, file), offset, bytes }),
  };
}

function effectJson(effect: Effect, buffer: Uint8Array, hasValues: boolean): Readonly<Record<string, unknown>> {
  switch (effect.kind) {
    case 'put': {
      const { main, sub, keyStart, keyEnd, createRevision, version, valueStart, valueEnd, lease } = effect;
      const key = base64(buffer, keyStart, keyEnd);
      const value = hasValues ? { value: base64(buffer, valueStart, valueEnd) } : {};
      const sizes = { keyBytes: keyEnd - keyStart, valueBytes: valueEnd - valueStart };
      return { revision: main, sub, key, createRevision, version, lease: idText(lease), ...sizes, ...value };
    }
    case 'delete': {
      const { main, sub, keyStart, keyEnd } = effect;
      return { revision: main, sub, key: base64(buffer, keyStart, keyEnd), keyBytes: keyEnd - keyStart };
    }
    case 'lease-grant':
      return { lease: idText(effect.lease), ttlSeconds: effect.ttlSeconds };
    case 'lease-revoke':
      return { lease: idText(effect.lease) };
    case 'meta': {
      const { clusterId, memberId } = effect.identity;
      return { cluster: idText(clusterId), member: idText(memberId) };
    }
    case 'alarm':
      return { alarm: ALARM_NAMES[effect.alarm] ?? `${effect.alarm}`, isRaised: effect.isRaised };
    case 'time':
      return { time: new Date(effect.wallMs).toISOString() };
    default:
      return { revision: effect.revision };
  }
}
