import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import {
  isPlainHttp,
  parseNotaryUrl,
  serverHost,
  type NotaryUrl,
} from '../../../src/shared/notary-url.ts';
import { runs } from '../../support/runs.ts';

t.test('Notary URLs', async (t) => {
  t.test('are normalised', async (t) => {
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
      ['https://[0:0::1]', 'https://[::1]', '[::1]'],
      ['https://xn--ntary-jua.test', 'https://xn--ntary-jua.test', 'xn--ntary-jua.test'],
      ['https://notary_1.test', 'https://notary_1.test', 'notary_1.test'],
      ['https://notary.test:65535', 'https://notary.test:65535', 'notary.test:65535'],
      [
        "https://notary.test/~a/b..c/.d/e!$&'()*+,;=:",
        "https://notary.test/~a/b..c/.d/e!$&'()*+,;=:",
        'notary.test',
      ],
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
  });

  t.test('that are none come with the reason, and never with a secret', async (t) => {
    const cases: readonly (readonly [text: string, problem: RegExp])[] = [
      ['', /^"", which has no scheme$/],
      ['notary.example.test', /^"notary.example.test", which has no scheme$/],
      ['notary.example.test:4443', /has no scheme$/],
      ['//notary.example.test', /has no scheme$/],
      ['ftp://notary.example.test', /is neither https nor http$/],
      ['javascript:alert(1)', /has no scheme$/],
      [
        'https:notary.example.test',
        /^"https:notary.example.test", which lacks the two slashes after its scheme$/,
      ],
      [
        'https:/notary.example.test:4443',
        /^"https:\/notary.example.test:4443", which lacks the two slashes after its scheme$/,
      ],
      ['https:\\\\notary.example.test', /lacks the two slashes after its scheme$/],
      [' https://notary.example.test', /which begins with a space, tab or line break$/],
      ['https://', /^"https:\/\/", which has no host$/],
      ['https:///path', /has no host$/],
      ['https://:443', /has no host$/],
      ['https://notary.example.test:99999', /has a port that is not 1 to 65535$/],
      ['https://notary.example.test:65536', /has a port/],
      ['https://notary.example.test:0', /has a port/],
      ['https://notary.example.test:', /has a port/],
      ['https://notary.example.test:0443', /has a port/],
      ['https://notary.example.test:4443:1', /has a port/],
      ['https://not ary.example.test', /holds a space, tab or line break$/],
      ['https://notary.example.test/a b', /holds a space, tab or line break$/],
      [
        'https://notary.example.test\n',
        /^"https:\/\/notary.example.test\\u000a", which holds a space/,
      ],
      ['https://notary.exa\tmple.test', /holds a space, tab or line break$/],
      ['https://notary.example.test\0', /holds a space, tab or line break$/],
      ['https://nötary.example.test', /holds letters outside ASCII/],
      ['https://notary。example.test', /holds letters outside ASCII/],
      ['https://notary.example.test/%2E%2E', /is percent-encoded$/],
      ['https://notary.example.test\\@evil.test', /^a URL that holds a backslash$/],
      ['https://notary.example.test/\\evil', /holds a backslash$/],
      ['https://[::1', /neither a name nor an address$/],
      ['https://[::1]x', /neither a name nor an address$/],
      ['https://[notary]', /neither a name nor an address$/],
      ['https://notary..example.test', /neither a name nor an address$/],
      ['https://notary.example.test.', /neither a name nor an address$/],
      ['https://-notary.example.test', /neither a name nor an address$/],
      [`https://${'x.'.repeat(125)}test`, /neither a name nor an address$/],
      [`https://${'x'.repeat(64)}.test`, /neither a name nor an address$/],
      ['https://*.example.test', /neither a name nor an address$/],
      ['https://192.0.2.256', /neither a name nor an address$/],
      ['https://xn--a', /neither a name nor an address$/],
      ['https://127.1', /has a host that is read as 127.0.0.1$/],
      ['https://0x7f.0.0.1', /has a host that is read as 127.0.0.1$/],
      ['https://010.0.0.1', /has a host that is read as 8.0.0.1$/],
      ['https://notary.example.test/a/../b', /has \. or \.\. as a step of its path$/],
      ['https://notary.example.test/.', /has \. or \.\. as a step of its path$/],
      ['https://notary.example.test/a//b', /has an empty step in its path$/],
      ['https://notary.example.test/{a}', /has a character in its path that URLs must encode$/],
      ['https://notary.example.test/@a', /has a character in its path/],
      ['https://user:SECRET@notary.example.test', /^a URL that holds credentials$/],
      ['https://SECRET@notary.example.test', /^a URL that holds credentials$/],
      ['https://:SECRET@notary.example.test', /^a URL that holds credentials$/],
      [
        'https://user:SECRET@notary.example.test:99999',
        /^a URL that holds credentials and has a port that is not 1 to 65535$/,
      ],
      ['https://user:SECRET%40notary.example.test', /^a URL that is percent-encoded$/],
      ['https://user:SECRET', /^a URL that has a port/],
      [' https://user:SECRET', /^a URL that begins with a space/],
      ['user:SECRET', /^a URL that has no scheme$/],
      ['//user:SECRET', /^a URL that has no scheme$/],
      ['ftp://user:SECRET', /^a URL that is neither https nor http$/],
      ['https:user:SECRET', /^a URL that lacks the two slashes/],
      ['https:\\\\user:SECRET', /^a URL that lacks the two slashes/],
      ['https:///user:SECRET', /^a URL that has no host$/],
      ['https://SECRET＠notary.example.test', /^a URL that holds letters outside ASCII/],
      ['https://notary.example.test/$(HOME)', /holds \$\( or \$\$, which Kubernetes replaces$/],
      ['https://@notary.example.test', /^a URL that holds credentials$/],
      ['user:SECRET@notary.example.test', /^a URL that has no scheme$/],
      [
        'https://notary.example.test/?token=SECRET',
        /^"https:\/\/notary.example.test\/", which has a query$/,
      ],
      ['https://notary.example.test?', /has a query$/],
      ['notary.example.test?token=SECRET', /^"notary.example.test", which has no scheme$/],
      ['https://notary.example.test:99999/?token=SECRET', /has a query and has a port/],
      ['https://notary.example.test/#SECRET', /has a fragment$/],
      ['https://notary.example.test#', /has a fragment$/],
      [
        'https://u@notary.example.test/a b?x#y',
        /^a URL that holds credentials and has a query and has a fragment and holds a space/,
      ],
      [`https://notary.example.test/${'x'.repeat(3000)}`, /is longer than 2048 characters$/],
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
  });

  t.test('never throw, and mean what they meant', async () => {
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
        // Nothing but case, the default port and slashes at the end is not as it was written.
        const written = text.replace(/\/+$/, '').replace(/^(https:\/\/[^/]*):443(?![^/])/i, '$1');
        assert.equal(
          parsed.toLowerCase(),
          written.replace(/^(http:\/\/[^/]*):80(?![^/])/i, '$1').toLowerCase(),
        );
        assert.equal(parseNotaryUrl(parsed), parsed);
      }),
      runs(500),
    );
  });

  t.test('with a secret in them never have it in the problem', async () => {
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
  });
});
