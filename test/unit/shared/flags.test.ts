import t from 'tap';
import { environmentName, many, one, readFlags, toggle } from '../../../src/shared/flags.ts';
import { helpText, isHelpWanted } from '../../../src/shared/help.ts';

t.test('flags', async (t) => {
  const flags = {
    'key-dir': one('DIR', 'where keys are'),
    tag: many('REF', 'what to sign'),
  } as const;
  const read = (args: readonly string[], environment: Record<string, string | undefined> = {}) =>
    readFlags(flags, args, environment);

  t.test('come from the command line, in both forms and in order', async (t) => {
    t.same(read([]), { values: { 'key-dir': [], tag: [] }, words: [], problems: [] });
    t.same(read(['--key-dir=/a', '--tag', 'x', '--tag=y']), {
      values: { 'key-dir': ['/a'], tag: ['x', 'y'] },
      words: [],
      problems: [],
    });
    t.same(read(['--tag=a=b', '--tag=--tag', '--tag=-', '--tag=a\nb', '--tag= ']).values.tag, [
      'a=b',
      '--tag',
      '-',
      'a\nb',
      ' ',
    ]);
  });

  t.test('or from the environment, where the command line lacks them', async (t) => {
    t.equal(environmentName('key-dir'), 'KPACK_NOTARY_KEY_DIR');
    const environment = { KPACK_NOTARY_KEY_DIR: '/e', KPACK_NOTARY_TAG: 'x\n\ny\n', OTHER: 'z' };
    t.same(read([], environment).values, { 'key-dir': ['/e'], tag: ['x', 'y'] });
    t.same(read(['--key-dir=/a', '--tag=z'], environment).values, {
      'key-dir': ['/a'],
      tag: ['z'],
    });
    t.same(
      read([], { KPACK_NOTARY_KEY_DIR: '/a\n/b' }).values['key-dir'],
      ['/a\n/b'],
      'one is one',
    );
    t.same(
      read([], { KPACK_NOTARY_KEY_DIR: '', KPACK_NOTARY_TAG: undefined }),
      read([]),
      'empty is absent',
    );
  });

  t.test('that are wrong are all named', async (t) => {
    const cases: readonly (readonly [args: string[], problems: string[]])[] = [
      [['--key-dri=/a'], ['unknown flag --key-dri; did you mean --key-dir?']],
      [['--tags=x'], ['unknown flag --tags; did you mean --tag?']],
      [['--verbose'], ['unknown flag --verbose']],
      [
        ['-t', 'x'],
        ['argument 1 is an unknown flag', 'argument 2 belongs to no flag'],
      ],
      [['--tag=y', '-phunter2'], ['argument 2 is an unknown flag']],
      [['--__proto__=x'], ['unknown flag --__proto__']],
      [['--constructor=x'], ['unknown flag --constructor']],
      [['--tag'], ['--tag needs a value']],
      [['--tag='], ['--tag needs a value']],
      [['--key-dir=/a', '--key-dir=/a'], ['--key-dir is given twice']],
      [
        ['x', '--tag=y', '--', '--tag=z'],
        ['argument 1 belongs to no flag', 'argument 4 belongs to no flag'],
      ],
      [
        ['--nope', '--tag=', '--key-dir=a', '--key-dir=b'],
        ['unknown flag --nope', '--tag needs a value', '--key-dir is given twice'],
      ],
    ];
    for (const [args, problems] of cases) {
      t.same(read(args).problems, problems, args.join(' '));
    }
  });

  t.test('what belongs to no flag is never repeated: it may be a password', async (t) => {
    for (const args of [
      ['hunter2'],
      ['--password', 'hunter2'],
      ['--password=hunter2'],
      ['-p', 'hunter2'],
      ['-phunter2'],
      ['--robot:hunter2@notary.example.com'],
      ['--', 'hunter2'],
    ]) {
      const { problems } = read(args);
      t.ok(problems.length > 0, args.join(' '));
      t.notMatch(problems.join(), /hunter|[^e]-h/);
    }
  });

  t.test('a letter may stand for a flag, as in kubectl', async (t) => {
    const named = { namespace: { ...one('NAME', 'x'), short: 'n' } } as const;
    for (const args of [['-n', 'apps'], ['-n=apps'], ['-napps'], ['--namespace=apps']]) {
      t.same(readFlags(named, args, {}).values, { namespace: ['apps'] }, args.join(' '));
    }
    t.same(readFlags(named, ['-n'], {}).problems, ['-n needs a value']);
  });

  t.test('words beside the flags are taken where they may stand', async (t) => {
    const words = { expected: 'image/NAME', accepts: (text: string) => text.startsWith('image/') };
    const read = readFlags(flags, ['image/a', '--tag', 'x', 'hunter2', 'image/b'], {}, words);
    t.same(read.words, ['image/a', 'image/b']);
    t.same(read.problems, ['argument 4 is not image/NAME']);
  });

  t.test('are all in the help, with what they take', async (t) => {
    const text = helpText('usage: x', { ...flags, quiet: toggle('says less') });
    t.match(text, /^usage: x$/m);
    t.match(text, /^ {2}--key-dir DIR {2,}where keys are$/m);
    t.match(text, /^ {2}--tag REF \.\.\. {2,}what to sign$/m);
    t.match(text, /^ {2}--quiet {2,}says less$/m);
    t.match(text, /^ {2}--help {2,}/m);
    for (const args of [['--help'], ['-h'], ['--tag', 'x', '--help']]) t.ok(isHelpWanted(args));
    for (const args of [[], ['help'], ['--tag=--help']]) t.notOk(isHelpWanted(args));
  });

  t.test('a flag without its value does not swallow the next one', async (t) => {
    t.ok(read(['--key-dir', '--tag=x']).problems.includes('--key-dir needs a value'));
  });
});
