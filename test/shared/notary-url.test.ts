import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import {
  isPlainHttp,
  parseNotaryUrl,
  serverHost,
  type NotaryUrl,
} from '../../src/shared/notary-url.ts';

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
