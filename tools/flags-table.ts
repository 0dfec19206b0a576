// The flags table of docs/etcd-api.md, made from src/cli/flags.ts: written in place, or with --check compared.

import { readFileSync, writeFileSync } from 'node:fs';
import { type Flag, SERVE_FLAGS } from '../src/cli/flags.ts';

const PAGE = 'docs/etcd-api.md';
const BEGIN = '<!-- flags: written by tools/flags-table.ts -->\n';
const END = '<!-- end of flags -->\n';

function table(): string {
  const rows = SERVE_FLAGS.filter(({ use }) => use === 'used').map(
    ({ name, environment, type, default: value, help }) => {
      const variable = environment + name.toUpperCase().replaceAll('-', '_');
      return `| \`--${name}\` | \`${variable}\` | ${type} | ${value === '' ? '' : `\`${value}\``} | ${help} |\n`;
    },
  );
  return (
    `| flag | environment | type | default | meaning |\n|---|---|---|---|---|\n${rows.join('')}\n` +
    `Understood, without effect: ${names('accepted')}.\n\nRefused when set, until supported: ${names('later')}.\n`
  );
}

function names(use: Flag['use']): string {
  return SERVE_FLAGS.filter((flag) => flag.use === use)
    .map(({ name }) => `\`--${name}\``)
    .join(', ');
}

const page = readFileSync(PAGE, 'utf8');
const begin = page.indexOf(BEGIN) + BEGIN.length;
const end = page.indexOf(END);
if (begin < BEGIN.length || end < begin) throw new Error(`${PAGE} has no place for the flags`);
const wanted = `${page.slice(0, begin)}\n${table()}\n${page.slice(end)}`;
if (!process.argv.includes('--check')) writeFileSync(PAGE, wanted);
else if (wanted !== page) {
  process.stderr.write(`${PAGE}: the flags table is not that of src/cli/flags.ts; run node tools/flags-table.ts\n`);
  process.exitCode = 1;
}
