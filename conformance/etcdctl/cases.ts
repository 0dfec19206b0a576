/** The scenario that etcdctl plays on a fresh store. */
import type { Case, CaseGroup } from './case.ts';

// Not protobuf: its ids cannot be told from the rest, and json shows the same fields.
const formats: readonly string[] = ['simple', 'json', 'fields', 'table'];

/** A case without anything special, named by its command line. */
function plain(line: string): Case {
  return { name: line, args: line.split(' ') };
}

function plains(...lines: readonly string[]): Case[] {
  return lines.map(plain);
}

/** The same command line in each output format. */
function inFormats(line: string): Case[] {
  return formats.map((format) => plain(`${line} -w ${format}`));
}

const puts: CaseGroup = {
  name: 'put',
  cases: [
    ...plains('get nothing', 'get nothing -w json', 'put a 1', 'put a 2 --prev-kv', 'put new 1 --prev-kv', 'del new'),
    { name: 'put, value from stdin', args: ['put', 'stdin'], stdin: 'two\nlines\n' },
    { name: 'put, value with blanks', args: ['put', 'blanks', ' a  b '] },
    { name: 'put, value that looks like a flag', args: ['put', 'flag', '--', '-z'] },
    { name: 'put, empty value', args: ['put', 'empty', ''] },
    { name: 'put, empty key', args: ['put', '', 'x'] },
    { name: 'put, letters beyond ASCII', args: ['put', 'schlüssel/日本', 'größe ☃'] },
    ...inFormats('put format x --prev-kv'),
    ...plains('put a x --ignore-value', 'put a --ignore-value --prev-kv', 'put missing --ignore-value'),
    ...plains('put a 3 --ignore-lease', 'put missing 1 --ignore-lease', 'put a 4 --lease=7fffffff', 'put one'),
  ],
};

const gets: CaseGroup = {
  name: 'get',
  cases: [
    ...plains('put p/1 c', 'put p/2 b', 'put p/3 a', 'put p/2 b2', 'put p/1 c2', 'put p/1 c3', 'put q 1'),
    ...inFormats('get p/1'),
    ...inFormats('get p/ --prefix'),
    ...inFormats('get missing'),
    ...plains(
      'get p/ --prefix --keys-only',
      'get p/ --prefix --keys-only -w json',
      'get p/ --prefix --print-value-only',
    ),
    ...plains(
      'get p/ --prefix --count-only',
      'get p/ --prefix --count-only -w json',
      'get p/ --prefix --count-only -w fields',
    ),
    ...plains('get p/ --prefix --limit 2', 'get p/ --prefix --limit 2 -w json', 'get p/ --prefix --limit 3 -w json'),
    ...plains('get p/1 p/3', 'get p/3 p/1', 'get p/3 p/1 -w json', 'get p/1 p/1 -w json', 'get p/2 --from-key'),
    ...plains('get p/2 --from-key --limit 1', 'get p/2 --prefix --from-key', 'get p/1 p/3 --prefix', 'get a b c'),
    { name: 'get, all keys by an empty prefix', args: ['get', '', '--prefix', '--keys-only'] },
    { name: 'get, all keys from the first', args: ['get', '', '--from-key', '--keys-only'] },
    { name: 'get, empty key', args: ['get', ''] },
    ...['CREATE', 'KEY', 'MODIFY', 'VALUE', 'VERSION'].flatMap((target) =>
      ['ASCEND', 'DESCEND'].flatMap((order) => [
        plain(`get p/ --prefix --order=${order} --sort-by=${target}`),
        plain(`get p/ --prefix --order=${order} --sort-by=${target} --limit 1 -w json`),
      ]),
    ),
    ...plains('get p/ --prefix --order=DESCEND', 'get p/ --prefix --sort-by=VALUE', 'get p/ --prefix --order=UP'),
    ...plains('get p/ --prefix --consistency=s', 'get p/ --prefix --consistency=l', 'get p/ --prefix --consistency=x'),
    ...plains('get a --rev 2', 'get a --rev 2 -w json', 'get a --rev 1', 'get a --rev 1000', 'get a --rev -1'),
    ...plains('get a --hex', 'get p/ --prefix --hex --print-value-only', 'get a --print-value-only -w json'),
    ...plains(
      'get p/ --prefix --min-mod-rev 20',
      'get p/ --prefix --max-mod-rev 20',
      'get p/ --prefix --min-create-rev 20',
    ),
    ...plains('get p/ --prefix --max-create-rev 20 -w json'),
  ],
};

const dels: CaseGroup = {
  name: 'del',
  cases: [
    ...plains('del missing', 'del missing -w json', 'put d/1 1', 'put d/2 2', 'put d/3 3', 'put d/4 4', 'del d/1'),
    ...plains(
      'del d/2 --prev-kv',
      'put d/2 2',
      'del d/2 d/3 --prev-kv -w json',
      'del d/ --prefix --prev-kv',
      'put d/5 5',
    ),
    ...inFormats('del d/5 --prev-kv'),
    ...plains(
      'put zz/1 1',
      'put zz/2 2',
      'del zz/1 --from-key',
      'del a b --prefix',
      'del',
      'del d/9 d/1 --range',
      'del d/1 d/9',
    ),
    { name: 'del, empty key', args: ['del', ''] },
  ],
};

function txn(name: string, stdin: string, ...more: readonly string[]): Case {
  return { name: `txn, ${name}`, args: ['txn', ...more], stdin };
}

const txns: CaseGroup = {
  name: 'txn',
  cases: [
    ...plains('put t 1', 'put t2 x'),
    txn('value equal', 'value("t") = "1"\n\nput t 2\nget t\n\nput t 9\n\n'),
    txn('value not equal', 'value("t") = "1"\n\nput t 3\n\nget t\nget t2\n\n'),
    txn('in JSON', 'value("t") = "2"\n\nput t 4\nget t\ndel t2\n\n\n', '-w', 'json'),
    txn('in fields', 'version("t") > "1"\n\nput t 5\nget t\n\n\n', '-w', 'fields'),
    txn(
      'version, create and mod revision',
      'version("t") > "0"\ncreate("t") < "100000"\nmod("t") != "1"\n\nget t\n\n\n',
    ),
    txn(
      'a key that is not there',
      'create("none") = "0"\nmod("none") = "0"\nversion("none") = "0"\n\nput none 1\n\nget none\n\n',
    ),
    txn('no compare', '\nput t 6\ndel none\nget t\n\n\n'),
    txn('empty', '\n\n\n', '-w', 'json'),
    txn('ranges', '\nget p/ --prefix\ndel p/ --prefix --prev-kv\nget p/ --prefix --count-only\n\n\n', '-w', 'json'),
    txn('one key put twice', '\nput t 7\nput t 8\n\n\n'),
    txn('a key put and deleted', '\nput t 7\ndel t\n\n\n'),
    txn('with prompts', 'value("t") = "6"\n\nget t\n\nget t2\n\n', '-i'),
    plain('get t -w json'),
  ],
};

const watches: CaseGroup = {
  name: 'watch',
  cases: [
    ...plains('put w/1 1', 'put w/1 2', 'put w/2 1', 'del w/1', 'put w/3 1'),
    { name: 'watch, a key from the past', args: ['watch', 'w/1', '--rev=2'], endAfterLines: 8 },
    {
      name: 'watch, a prefix with previous pairs',
      args: ['watch', 'w/', '--prefix', '--prev-kv', '--rev=2'],
      endAfterLines: 19,
    },
    {
      name: 'watch, in JSON',
      args: ['watch', 'w/', '--prefix', '--prev-kv', '--rev=2', '-w', 'json'],
      endAfterLines: 1,
    },
    { name: 'watch, in fields', args: ['watch', 'w/1', '--prev-kv', '--rev=2', '-w', 'fields'], endAfterLines: 20 },
    { name: 'watch, a range', args: ['watch', 'w/1', 'w/3', '--rev=2'], endAfterLines: 11 },
    {
      name: 'watch, what comes',
      args: ['watch', 'live/', '--prefix', '--prev-kv', '--rev=$NEXT'],
      endAfterLines: 13,
      meanwhile: [
        ['put', 'live/1', 'a'],
        ['put', 'other', 'a'],
        ['put', 'live/1', 'b'],
        ['del', 'live/', '--prefix'],
      ],
    },
    {
      name: 'watch, runs a command on each event',
      args: [
        'watch',
        'w/3',
        '--rev=2',
        '--',
        'sh',
        '-c',
        'echo $ETCD_WATCH_EVENT_TYPE $ETCD_WATCH_KEY $ETCD_WATCH_VALUE',
      ],
      endAfterLines: 4,
    },
    {
      name: 'watch, interactive',
      args: ['watch', '-i'],
      stdin: 'watch silent --prefix\nwatch w/2 w/4 --rev=2 --prev-kv\n',
      endAfterLines: 6,
    },
    {
      name: 'watch, interactive with progress',
      args: ['watch', '-i'],
      stdin: 'watch silent\nprogress\n',
      endAfterLines: 1,
    },
  ],
};

const leases: CaseGroup = {
  name: 'lease',
  cases: [
    { name: 'lease grant', args: ['lease', 'grant', '600'], captureAs: 'FIRST' },
    { name: 'lease grant, in JSON', args: ['lease', 'grant', '700', '-w', 'json'] },
    ...plains('lease grant 0', 'lease grant 9000000001', 'lease grant x'),
    ...plains('put l/1 1 --lease=$FIRST', 'put l/2 2 --lease=$FIRST', 'get l/1 -w json', 'get l/1 -w fields'),
    ...plains('lease timetolive $FIRST', 'lease timetolive $FIRST --keys', 'lease timetolive $FIRST --keys -w json'),
    ...plains('lease timetolive $FIRST -w fields', 'lease timetolive 123', 'lease timetolive 123 -w json'),
    ...plains(
      'lease keep-alive $FIRST --once',
      'lease keep-alive $FIRST --once -w json',
      'lease keep-alive 123 --once',
    ),
    ...plains(
      'lease list',
      'put l/2 3',
      'lease timetolive $FIRST --keys',
      'put l/1 4 --ignore-lease',
      'get l/1 -w json',
    ),
    ...plains(
      'lease revoke $FIRST',
      'lease revoke $FIRST',
      'get l/ --prefix',
      'lease timetolive $FIRST',
      'put l/3 1 --lease=$FIRST',
    ),
    { name: 'lease grant, short', args: ['lease', 'grant', '2'], captureAs: 'SHORT' },
    ...plains('put l/short 1 --lease=$SHORT'),
    { name: 'watch, a lease expires', args: ['watch', 'l/short', '--rev=2', '--prev-kv'], endAfterLines: 8 },
    ...plains('get l/short', 'lease timetolive $SHORT'),
    { name: 'lease grant, to be kept alive', args: ['lease', 'grant', '3'], captureAs: 'LONG' },
    { name: 'lease keep-alive until it is ended', args: ['lease', 'keep-alive', '$LONG'], endAfterLines: 1 },
  ],
};

const compactions: CaseGroup = {
  name: 'compaction',
  cases: [
    ...plains('put c 1', 'put c 2', 'put c 3', 'compaction 20', 'compaction 20', 'compaction 19', 'compaction 100000'),
    ...plains(
      'compaction',
      'compaction x',
      'get a --rev 19',
      'get a --rev 20',
      'get c -w json',
      'compaction 30 --physical',
    ),
    { name: 'watch, from a compacted revision', args: ['watch', 'w/1', '--rev=2'], endAfterLines: 99 },
  ],
};

const maintenance: CaseGroup = {
  name: 'maintenance',
  cases: [
    ...plains(
      'version',
      'endpoint health',
      'endpoint health -w json',
      'endpoint health -w table',
      'endpoint health --cluster',
    ),
    ...plains(
      'endpoint status',
      'endpoint status -w json',
      'endpoint status -w fields',
      'endpoint status --cluster -w table',
    ),
    ...plains(
      'endpoint hashkv',
      'endpoint hashkv -w json',
      'endpoint hashkv --rev 31 -w fields',
      'endpoint hashkv --rev 100000',
    ),
    ...plains('member list', 'member list -w json', 'member list -w fields', 'member list -w table', 'alarm list'),
    ...plains('alarm disarm', 'alarm list -w json', 'defrag', 'defrag --cluster', 'get c -w json'),
  ],
};

const concurrency: CaseGroup = {
  name: 'concurrency',
  cases: [
    { name: 'lock', args: ['lock', 'mutex'], endAfterLines: 1 },
    { name: 'lock, runs a command', args: ['lock', 'mutex', '--', 'sh', '-c', 'echo held; exit 3'] },
    { name: 'lock, the key is gone afterwards', args: ['get', 'mutex', '--prefix', '--count-only', '-w', 'fields'] },
    { name: 'elect', args: ['elect', 'office', 'me'], endAfterLines: 2 },
    { name: 'elect, the key is gone afterwards', args: ['get', 'office', '--prefix', '--count-only', '-w', 'fields'] },
  ],
};

const root: Readonly<Record<string, string>> = { ETCDCTL_USER: 'root:secret' };
const reader: Readonly<Record<string, string>> = { ETCDCTL_USER: 'reader:pass' };

function as(env: Readonly<Record<string, string>>, name: string, line: string): Case {
  return { name: `${name}: ${line}`, args: line.split(' '), env };
}

const auth: CaseGroup = {
  name: 'auth',
  cases: [
    ...plains('auth status', 'auth enable', 'user list', 'user get nobody', 'role get nothing', 'user delete nobody'),
    ...plains(
      'user add root:secret',
      'user add root:secret',
      'role add root',
      'user grant-role root root',
      'user add reader:pass',
    ),
    ...plains(
      'user add passwordless --no-password',
      'role add reads',
      'role grant-permission reads read p/ --prefix=true',
    ),
    ...plains(
      'role grant-permission reads readwrite w/1 w/3',
      'role get reads',
      'role get reads -w json',
      'user grant-role reader reads',
    ),
    ...plains(
      'user get reader',
      'user get reader --detail',
      'user get reader -w json',
      'user list -w json',
      'role list',
      'auth enable',
    ),
    ...plains('get p/1', 'auth status'),
    as(root, 'root', 'auth status -w json'),
    as(root, 'root', 'get t'),
    as(reader, 'reader', 'get p/ --prefix --keys-only'),
    as(reader, 'reader', 'put p/1 x'),
    as(reader, 'reader', 'put w/2 x'),
    as(reader, 'reader', 'get t'),
    as(reader, 'reader', 'user list'),
    as({ ETCDCTL_USER: 'reader:wrong' }, 'wrong password', 'get p/1'),
    as({ ETCDCTL_USER: 'nobody:pass' }, 'nobody', 'get p/1'),
    as(root, 'root', 'user delete root'),
    as(root, 'root', 'role revoke-permission reads p/ --prefix=true'),
    as(root, 'root', 'user revoke-role reader reads'),
    as(root, 'root', 'role delete reads'),
    as(root, 'root', 'auth disable'),
    ...plains(
      'auth disable',
      'user delete reader',
      'user delete passwordless',
      'user delete root',
      'role delete root',
      'user list',
    ),
  ],
};

const snapshot: CaseGroup = {
  name: 'snapshot',
  cases: [
    ...plains('snapshot save $FOLDER/snapshot.db'),
    {
      name: 'etcdutl snapshot status',
      program: 'etcdutl',
      args: ['snapshot', 'status', '$FOLDER/snapshot.db', '-w', 'json'],
    },
  ],
};

const clusterChanges: CaseGroup = {
  name: 'cluster changes',
  cases: plains(
    'move-leader 1234',
    'member remove 1234',
    'member promote 1234',
    'downgrade validate 3.7',
    'downgrade validate 3.0',
  ),
};

/** Takes a minute and measures, so it runs only when asked for. */
export const performanceGroup: CaseGroup = {
  name: 'performance',
  cases: plains('check perf --load=s'),
};

export const caseGroups: readonly CaseGroup[] = [
  puts,
  gets,
  dels,
  txns,
  watches,
  leases,
  compactions,
  maintenance,
  concurrency,
  // Before the cases of auth, which make revisions on one of the two only.
  snapshot,
  auth,
  clusterChanges,
];
