import t from 'tap';
import { environmentName, readFlags } from '../../src/shared/flags.ts';

t.test('flags', (t) => {
  const flags = { 'key-dir': 'one', tag: 'many' } as const;
  const read = (args: readonly string[], environment: Record<string, string | undefined> = {}) =>
    readFlags(flags, args, environment);

  t.test('come from the command line, in both forms and in order', (t) => {
    t.same(read([]), { values: { 'key-dir': [], tag: [] }, problems: [] });
    t.same(read(['--key-dir=/a', '--tag', 'x', '--tag=y']), {
      values: { 'key-dir': ['/a'], tag: ['x', 'y'] },
      problems: [],
    });
    t.same(read(['--tag=a=b', '--tag=--tag', '--tag=-', '--tag=a\nb', '--tag= ']).values.tag, [
      'a=b',
      '--tag',
      '-',
      'a\nb',
      ' ',
    ]);
    t.end();
  });

  t.test('or from the environment, where the command line lacks them', (t) => {
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
    t.end();
  });

  t.test('that are wrong are all named', (t) => {
    const cases: readonly (readonly [args: string[], problems: string[]])[] = [
      [['--key-dri=/a'], ['unknown flag --key-dri; did you mean --key-dir?']],
      [['--tags=x'], ['unknown flag --tags; did you mean --tag?']],
      [['--verbose'], ['unknown flag --verbose']],
      [
        ['-t', 'x'],
        ['unknown flag -t', 'unexpected argument x'],
      ],
      [['--__proto__=x'], ['unknown flag --__proto__']],
      [['--constructor=x'], ['unknown flag --constructor']],
      [['--tag'], ['--tag needs a value']],
      [['--tag='], ['--tag needs a value']],
      [['--key-dir=/a', '--key-dir=/a'], ['--key-dir is given twice']],
      [
        ['x', '--tag=y', '--', '--tag=z'],
        ['unexpected argument x', 'unexpected argument --tag=z'],
      ],
      [
        ['--nope', '--tag=', '--key-dir=a', '--key-dir=b'],
        ['unknown flag --nope', '--tag needs a value', '--key-dir is given twice'],
      ],
    ];
    for (const [args, problems] of cases) {
      t.same(read(args).problems, problems, args.join(' '));
    }
    t.end();
  });

  t.test('a flag without its value does not swallow the next one', (t) => {
    t.ok(read(['--key-dir', '--tag=x']).problems.includes('--key-dir needs a value'));
    t.end();
  });
  t.end();
});
