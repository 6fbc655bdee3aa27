import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { environmentName, readFlags } from '../../src/shared/flags.ts';
import {
  formatTagReference,
  parseTagReference,
  sameTag,
} from '../../src/shared/image-reference.ts';
import { nearest } from '../../src/shared/nearest.ts';
import {
  isPlainHttp,
  parseNotaryUrl,
  serverHost,
  type NotaryUrl,
} from '../../src/shared/notary-url.ts';
import {
  formatSignerFlags,
  SIGNER_FLAGS,
  type SignerSettings,
} from '../../src/shared/signer-flags.ts';
import { SigningError } from '../../src/shared/signing-error.ts';
import { parseSignerOptions } from '../../src/sidecar/signer-options.ts';

const DIGEST = `sha256:${'a1'.repeat(32)}`;

t.test('image references', (t) => {
  t.test('name repositories as the docker CLI does', (t) => {
    const cases: readonly (readonly [text: string, gun: string, tag: string])[] = [
      ['alpine:3', 'docker.io/library/alpine', '3'],
      ['alpine', 'docker.io/library/alpine', 'latest'],
      ['team/app:v1', 'docker.io/team/app', 'v1'],
      ['docker.io/alpine:3', 'docker.io/library/alpine', '3'],
      ['docker.io/library/alpine:3', 'docker.io/library/alpine', '3'],
      ['docker.io/team/app', 'docker.io/team/app', 'latest'],
      ['index.docker.io/alpine:3', 'docker.io/library/alpine', '3'],
      ['index.docker.io/team/app:v1', 'docker.io/team/app', 'v1'],
      ['registry-1.docker.io/team/app:v1', 'docker.io/team/app', 'v1'],
      ['docker.io:443/team/app', 'docker.io:443/team/app', 'latest'],
      ['my.docker.io/app', 'my.docker.io/app', 'latest'],
      ['registry.example.test/app', 'registry.example.test/app', 'latest'],
      ['registry.example.test/a/b/c:v1.2', 'registry.example.test/a/b/c', 'v1.2'],
      ['registry.example.test:5000/app:v1', 'registry.example.test:5000/app', 'v1'],
      ['registry:5000/app', 'registry:5000/app', 'latest'],
      ['registry/app', 'docker.io/registry/app', 'latest'],
      ['localhost/app:v1', 'localhost/app', 'v1'],
      ['localhost:5000/app', 'localhost:5000/app', 'latest'],
      ['localhost:5000', 'docker.io/library/localhost', '5000'],
      ['127.0.0.1:5000/a/b:v1', '127.0.0.1:5000/a/b', 'v1'],
      ['[::1]:5000/app:v1', '[::1]:5000/app', 'v1'],
      ['[2001:db8::7]/app', '[2001:db8::7]/app', 'latest'],
      ['Registry.Example.test/app', 'Registry.Example.test/app', 'latest'],
      ['REGISTRY/app:v1', 'REGISTRY/app', 'v1'],
      ['a.b/c', 'a.b/c', 'latest'],
      ['app:V1_2.3-rc', 'docker.io/library/app', 'V1_2.3-rc'],
      ['app:_x', 'docker.io/library/app', '_x'],
      [`app:${'x'.repeat(128)}`, 'docker.io/library/app', 'x'.repeat(128)],
      ['h.test/a_b/c__d/e.f/g-h/i---j', 'h.test/a_b/c__d/e.f/g-h/i---j', 'latest'],
      [`h.test/${'x'.repeat(248)}`, `h.test/${'x'.repeat(248)}`, 'latest'],
    ];
    for (const [text, gun, tag] of cases) {
      const reference = parseTagReference(text);
      t.same(reference, { gun, tag }, text);
      t.equal(formatTagReference(reference), `${gun}:${tag}`, text);
      t.same(parseTagReference(formatTagReference(reference)), reference, `${text}, again`);
    }
    t.end();
  });

  t.test('that are none are refused, with the reason', (t) => {
    const cases: readonly (readonly [text: string, reason: RegExp])[] = [
      ['', /"" is not a repository name/],
      [`h.test/app@${DIGEST}`, /has a digest/],
      [`h.test/app:v1@${DIGEST}`, /has a digest/],
      ['user@h.test/app', /has a digest/],
      ['https://h.test/app:v1', /is not a registry host|is not a repository name/],
      ['h.test/App', /"App" is not a repository name/],
      ['App', /"App" is not a repository name/],
      ['h.test/', /"" is not a repository name/],
      ['h.test/a//b', /is not a repository name/],
      ['/app', /is not a repository name/],
      ['h.test/app/', /is not a repository name/],
      ['h.test/../app', /is not a repository name/],
      ['h.test/.app', /is not a repository name/],
      ['h.test/app-', /is not a repository name/],
      ['h.test/a___b', /is not a repository name/],
      ['h.test/a..b', /is not a repository name/],
      ['h.test/a_-b', /is not a repository name/],
      ['h.test/äpp', /is not a repository name/],
      ['h.test/a b', /is not a repository name/],
      ['h.test/app\n', /is not a repository name/],
      ['h.test/app:', /"" is not a tag/],
      ['app:v1:v2', /"v1:v2" is not a tag/],
      ['app:v1/x', /is not a (tag|registry host)/],
      ['app:-v1', /"-v1" is not a tag/],
      ['app:.v1', /"\.v1" is not a tag/],
      ['app:v+1', /is not a tag/],
      ['app:v1\n', /is not a tag/],
      [`app:${'x'.repeat(129)}`, /is not a tag/],
      ['-h.test/app', /"-h.test" is not a registry host/],
      ['h-.test/app', /is not a registry host/],
      ['h..test/app', /is not a registry host/],
      ['h.test:/app', /is not a registry host/],
      ['h.test:port/app', /is not a registry host/],
      ['h_x.test/app', /is not a registry host/],
      ['[::1/app', /is not a registry host/],
      ['[::g]/app', /is not a registry host/],
      ['::1/app', /is not a registry host/],
      [`h.test/${'x'.repeat(249)}`, /its name is longer than 255/],
    ];
    for (const [text, reason] of cases) {
      const expected = { name: 'SigningError', code: 'IMAGE_REFERENCE_INVALID', message: reason };
      t.throws(() => parseTagReference(text), expected, text);
    }
    const long = 'X'.repeat(10_000);
    t.throws(() => parseTagReference(long), { message: /^"X{80}…" is not an image reference/ });
    t.throws(() => parseTagReference(long), { message: /^.{0,300}$/ });
    t.end();
  });

  t.test('are the same tag when both names are', (t) => {
    const same = (a: string, b: string) => sameTag(parseTagReference(a), parseTagReference(b));
    t.ok(same('alpine', 'index.docker.io/library/alpine:latest'));
    t.notOk(same('h.test/app:v1', 'h.test/app:v2'));
    t.notOk(same('h.test/app:v1', 'h.test/app2:v1'));
    t.notOk(same('h.test/app:v1', 'h.test:443/app:v1'));
    t.end();
  });

  t.test('that are hostile are read in no time', (t) => {
    const start = performance.now();
    const parts = [
      'a'.repeat(50_000),
      'a-'.repeat(25_000),
      'a.'.repeat(25_000),
      '_'.repeat(50_000),
    ];
    for (const part of parts) {
      for (const text of [
        part,
        `${part}!`,
        `${part}.x/y`,
        `${part}!.x/y`,
        `h.test/${part}!`,
        `a:${part}!`,
      ]) {
        try {
          parseTagReference(text);
        } catch (error) {
          if (!(error instanceof SigningError)) throw error;
        }
      }
    }
    t.ok(performance.now() - start < 5000);
    t.end();
  });
  t.end();
});

t.test('Notary URLs', (t) => {
  t.test('are normalised', (t) => {
    const cases: readonly (readonly [text: string, url: string, host: string])[] = [
      ['https://notary.example.test', 'https://notary.example.test', 'notary.example.test'],
      ['https://notary.example.test/', 'https://notary.example.test', 'notary.example.test'],
      ['https://notary.example.test//', 'https://notary.example.test', 'notary.example.test'],
      [
        'https://notary.example.test/trust/',
        'https://notary.example.test/trust',
        'notary.example.test',
      ],
      ['https://notary.example.test/a/b', 'https://notary.example.test/a/b', 'notary.example.test'],
      ['https://notary.example.test:443/', 'https://notary.example.test', 'notary.example.test'],
      ['http://notary.example.test:80', 'http://notary.example.test', 'notary.example.test'],
      [
        'https://notary.example.test:80',
        'https://notary.example.test:80',
        'notary.example.test:80',
      ],
      ['http://127.0.0.1:4443', 'http://127.0.0.1:4443', '127.0.0.1:4443'],
      ['https://[::1]:4443', 'https://[::1]:4443', '[::1]:4443'],
      [
        'HTTPS://Notary.Example.TEST/Path',
        'https://notary.example.test/Path',
        'notary.example.test',
      ],
    ];
    for (const [text, url, host] of cases) {
      const parsed = parseNotaryUrl(text);
      t.equal(parsed, url, text);
      t.equal(serverHost(parsed as NotaryUrl), host, text);
      t.equal(isPlainHttp(parsed as NotaryUrl), url.startsWith('http:'), text);
      t.equal(parseNotaryUrl(url), url, `${text}, again`);
    }
    t.end();
  });

  t.test('that are none come with the reason, and never with a secret', (t) => {
    const cases: readonly (readonly [text: string, problem: RegExp])[] = [
      ['', /^"" has no scheme$/],
      ['notary.example.test', /^"notary.example.test" has no scheme$/],
      ['//notary.example.test', /has no scheme$/],
      ['ftp://notary.example.test', /is neither https nor http$/],
      ['javascript:alert(1)', /has no scheme$/],
      ['https:notary.example.test', /has no scheme$/],
      [' https://notary.example.test', /has no scheme$/],
      ['https://', /^"https:\/\/" is not a URL$/],
      ['https://notary.example.test:99999', /is not a URL$/],
      ['https://not ary.example.test', /is not a URL$/],
      ['https://notary.example.test/a b', /is not a URL$/],
      ['https://notary.example.test\n', /is not a URL$/],
      ['https://[::1', /is not a URL$/],
      ['https://user:SECRET@notary.example.test', /^the URL holds credentials$/],
      ['https://SECRET@notary.example.test', /^the URL holds credentials$/],
      ['https://:SECRET@notary.example.test', /^the URL holds credentials$/],
      ['https://user:SECRET@notary.example.test:99999', /^the URL is not a URL$/],
      ['user:SECRET@notary.example.test', /^the URL has no scheme$/],
      [
        'https://notary.example.test/?token=SECRET',
        /^"https:\/\/notary.example.test\/" has a query$/,
      ],
      ['https://notary.example.test?', /has a query$/],
      ['notary.example.test?token=SECRET', /^"notary.example.test" has no scheme$/],
      ['https://notary.example.test:99999/?token=SECRET', /is not a URL$/],
      ['https://notary.example.test/#SECRET', /^"https:\/\/notary.example.test\/" has a fragment$/],
      ['https://notary.example.test#', /has a fragment$/],
    ];
    for (const [text, problem] of cases) {
      const parsed = parseNotaryUrl(text);
      if (typeof parsed === 'string') {
        t.fail(`${text} was taken`);
        continue;
      }
      t.match(parsed.problem, problem, text);
      t.notMatch(parsed.problem, /SECRET/, text);
      t.equal(parsed.expected, 'an https URL without credentials, query or fragment');
    }
    t.end();
  });

  t.test('never throw, and mean what they meant', (t) => {
    const piece = fc.constantFrom(
      'https://',
      'http://',
      '//',
      '@',
      ':',
      '/',
      '?',
      '#',
      '[',
      ']',
      '%',
      '\\',
      ' ',
      '\0',
      'a.test',
      ':443',
      '::1',
      '..',
      'ü',
    );
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.webUrl({ withFragments: true, withQueryParameters: true }),
      fc
        .array(fc.oneof(piece, fc.string({ maxLength: 3 })), { maxLength: 8 })
        .map((parts) => parts.join('')),
      fc.array(piece, { maxLength: 6 }).map((parts) => `https://${parts.join('')}`),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const parsed = parseNotaryUrl(text);
        if (typeof parsed !== 'string') {
          assert.ok(parsed.problem.length > 0);
          return;
        }
        const url = new URL(parsed);
        assert.deepEqual([url.search, url.hash, url.username, url.password], ['', '', '', '']);
        assert.doesNotMatch(parsed, /\/$/);
        assert.equal(url.host, new URL(text).host);
        assert.equal(parseNotaryUrl(parsed), parsed);
      }),
      { numRuns: 500 },
    );
    t.end();
  });

  t.test('with a secret in them never have it in the problem', (t) => {
    const place = fc.constantFrom(
      (secret: string) => `https://user:${secret}@a.test/x`,
      (secret: string) => `https://${secret}@a.test:1x`,
      (secret: string) => `a.test?x=${secret}`,
      (secret: string) => `https://a.test/#${secret}`,
      (secret: string) => `ftp://u:${secret}@a.test`,
    );
    // What ends a host makes the rest a path: then it is a URL without credentials.
    const filler = fc.string({ maxLength: 5 }).map((text) => text.replace(/[/\\?#]/g, '-'));
    fc.assert(
      fc.property(place, filler, filler, (place, before, after) => {
        const parsed = parseNotaryUrl(place(`${before}hush${after}`));
        assert.doesNotMatch(typeof parsed === 'string' ? parsed : parsed.problem, /hush/);
      }),
    );
    t.end();
  });
  t.end();
});

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
        ['unknown flag -t; did you mean --tag?', 'unexpected argument x'],
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

t.test('the nearest word is at most three mistakes away', (t) => {
  const words = ['report', 'root-pin', 'receipt', 'tag', 'deadline'];
  const cases: readonly (readonly [word: string, meant: string | undefined])[] = [
    ['report', 'report'],
    ['reprot', 'report'],
    ['rootpin', 'root-pin'],
    ['root_pins', 'root-pin'],
    ['reciept', 'receipt'],
    ['deadlne', 'deadline'],
    ['dedlin', 'deadline'],
    ['tga', 'tag'],
    ['something', undefined],
    ['deadlineabcd', undefined],
    ['rxyzrt', 'report'],
    ['xxxxrt', undefined],
    ['', 'tag'],
  ];
  for (const [word, meant] of cases) t.equal(nearest(word, words), meant, word);
  t.equal(nearest('abc', ['abd', 'abc']), 'abc', 'the nearest of several');
  t.equal(nearest('abx', ['abd', 'abc']), 'abd', 'the first of those as near');
  t.equal(nearest('abc', []), undefined);
  t.end();
});

t.test('signer options', (t) => {
  const needed = ['--report=/r', '--notary-url=https://n.test', '--key-dir=/k'];

  t.test('have defaults', (t) => {
    t.same(parseSignerOptions(needed, {}), {
      source: { report: '/r' },
      notaryUrl: 'https://n.test',
      keyDirectory: '/k',
      caFiles: [],
      rootPins: [],
      notaryCredentials: [],
      allowedTags: [],
      onFailure: 'fail',
      deadline: 300,
      logFormat: 'text',
    });
    t.end();
  });

  t.test('are read from every flag and its environment form', (t) => {
    const values: Readonly<Record<Exclude<keyof typeof SIGNER_FLAGS, 'report'>, string>> = {
      tag: 'h.test/a:1',
      'notary-url': 'http://n.test:4443/x/',
      'key-dir': '/k',
      'ca-file': '/c',
      'root-pin': 'ab',
      'notary-credentials': 'n.test:4443=/d=e',
      'allow-tag': 'h.test/a:1',
      'on-failure': 'warn',
      'termination-log': '/t',
      receipt: '/rc',
      deadline: '1.5',
      'log-format': 'json',
    };
    const expected = {
      source: { tags: ['h.test/a:1'] },
      notaryUrl: 'http://n.test:4443/x',
      keyDirectory: '/k',
      caFiles: ['/c'],
      rootPins: ['ab'],
      notaryCredentials: [{ host: 'n.test:4443', directory: '/d=e' }],
      allowedTags: ['h.test/a:1'],
      onFailure: 'warn',
      terminationLog: '/t',
      receiptFile: '/rc',
      deadline: 1.5,
      logFormat: 'json',
    };
    const args = Object.entries(values).map(([name, value]) => `--${name}=${value}`);
    t.same(parseSignerOptions(args, {}), expected);
    const environment = Object.entries(values).map(([name, value]) => [
      environmentName(name),
      value,
    ]);
    t.same(
      parseSignerOptions([], Object.fromEntries(environment) as Record<string, string>),
      expected,
    );
    t.end();
  });

  t.test('that are wrong are refused in one message', (t) => {
    const cases: readonly (readonly [args: readonly string[], problem: string])[] = [
      [needed.slice(1), '--report is missing'],
      [[...needed, '--tag=a'], '--tag goes without --report'],
      [[needed[0] ?? '', needed[2] ?? ''], '--notary-url is missing'],
      [needed.slice(0, 2), '--key-dir is missing'],
      [
        ['--report=/r', '--key-dir=/k', '--notary-url=n.test'],
        '--notary-url: "n.test" has no scheme; expected an https URL without credentials, query or fragment',
      ],
      [[...needed, '--on-failure=ignore'], '--on-failure is fail or warn, not ignore'],
      [[...needed, '--log-format=xml'], '--log-format is text or json, not xml'],
      [[...needed, '--deadline=soon'], '--deadline is a number of seconds'],
      [[...needed, '--deadline=0'], '--deadline is a number of seconds'],
      [[...needed, '--deadline=-1'], '--deadline is a number of seconds'],
      [[...needed, '--deadline=Infinity'], '--deadline is a number of seconds'],
      [[...needed, '--notary-credentials=n.test'], '--notary-credentials is HOST=DIR, not n.test'],
      [[...needed, '--notary-credentials==/d'], '--notary-credentials is HOST=DIR, not =/d'],
      [
        [...needed, '--notary-credentials=n.test='],
        '--notary-credentials is HOST=DIR, not n.test=',
      ],
      [[...needed, '--root-pins=a'], 'unknown flag --root-pins; did you mean --root-pin?'],
      [
        ['--deadline=x', '--log-format=y'],
        '--report is missing; --notary-url is missing; --key-dir is missing; --deadline is a number of seconds; --log-format is text or json, not y',
      ],
    ];
    for (const [args, message] of cases) {
      t.throws(() => parseSignerOptions(args, {}), {
        name: 'SigningError',
        code: 'OPTIONS_INVALID',
      });
      try {
        parseSignerOptions(args, {});
      } catch (error) {
        t.equal((error as Error).message, message);
      }
    }
    t.end();
  });

  t.test('come back as the webhook wrote them', (t) => {
    const value = fc.oneof(
      fc.string({ minLength: 1 }),
      fc.constantFrom('-', '--', '--tag=x', 'a=b', 'a\nb', ' ', '"'),
    );
    const values = fc.array(value, { maxLength: 3 });
    const url = fc
      .constantFrom('https://n.test', 'http://127.0.0.1:4443/x', 'https://[::1]/a=b')
      .map((text) => text as NotaryUrl);
    const settings: fc.Arbitrary<SignerSettings> = fc.record(
      {
        source: fc.oneof(
          value.map((report) => ({ report })),
          fc.array(value, { minLength: 1, maxLength: 3 }).map((tags) => ({ tags })),
        ),
        notaryUrl: url,
        keyDirectory: value,
        caFiles: values,
        rootPins: values,
        notaryCredentials: fc.array(
          fc.record(
            { host: fc.constantFrom('a', 'n.test:4443', '[::1]:1'), directory: value },
            { noNullPrototype: true },
          ),
          { maxLength: 2 },
        ),
        allowedTags: values,
        onFailure: fc.constantFrom('fail' as const, 'warn' as const),
        terminationLog: value,
      },
      {
        requiredKeys: [
          'source',
          'notaryUrl',
          'keyDirectory',
          'caFiles',
          'rootPins',
          'notaryCredentials',
          'allowedTags',
          'onFailure',
        ],
        noNullPrototype: true,
      },
    );
    fc.assert(
      fc.property(settings, (settings) => {
        const options = parseSignerOptions(formatSignerFlags(settings), {});
        assert.deepEqual(options, { ...settings, deadline: 300, logFormat: 'text' });
      }),
      { numRuns: 300 },
    );
    t.end();
  });
  t.end();
});
