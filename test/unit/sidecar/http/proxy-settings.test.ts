import fc from 'fast-check';
import t from 'tap';
import { SigningError } from '../../../../src/shared/signing-error.ts';
import {
  readProxySettings,
  type Environment,
} from '../../../../src/sidecar/http/proxy-settings.ts';
import { runs } from '../../../support/runs.ts';

const https = new URL('https://notary.test:4443/');
const http = new URL('http://notary.test/');
const proxies = (environment: Environment) => {
  const settings = readProxySettings(environment);
  return [https, http].map((url) => settings.proxyFor(url)?.url.href);
};

t.test('proxies are read from the environment', async (t) => {
  const cases: readonly (readonly [Environment, readonly (string | undefined)[]])[] = [
    [{}, [undefined, undefined]],
    [{ HTTPS_PROXY: '', HTTP_PROXY: ' ' }, [undefined, undefined]],
    [{ HTTPS_PROXY: 'http://proxy.test:3128' }, ['http://proxy.test:3128/', undefined]],
    [{ HTTP_PROXY: 'http://proxy.test:3128/' }, [undefined, 'http://proxy.test:3128/']],
    [{ https_proxy: 'proxy.test:3128' }, ['http://proxy.test:3128/', undefined]],
    [{ HTTPS_PROXY: 'a.test', https_proxy: 'b.test' }, ['http://a.test/', undefined]],
    [{ HTTPS_PROXY: '', https_proxy: 'b.test' }, ['http://b.test/', undefined]],
    [{ HTTPS_PROXY: 'https://proxy.test' }, ['https://proxy.test/', undefined]],
    [{ HTTPS_PROXY: 'HTTP://[fd00::1]:3128' }, ['http://[fd00::1]:3128/', undefined]],
    [{ HTTPS_PROXY: 'http://ann:p@ss@proxy.test:3128' }, ['http://proxy.test:3128/', undefined]],
    [{ HTTPS_PROXY: 'http://proxy.test:3128/path?x#y' }, ['http://proxy.test:3128/', undefined]],
    [{ HTTPS_PROXY: 'a.test', NO_PROXY: 'notary.test' }, [undefined, undefined]],
    [{ HTTPS_PROXY: 'a.test', no_proxy: '.test' }, [undefined, undefined]],
  ];
  for (const [environment, expected] of cases) {
    t.same(proxies(environment), expected, JSON.stringify(environment));
  }
});

t.test('user name and password of a proxy are for its header alone', async (t) => {
  const proxy = readProxySettings({ HTTPS_PROXY: 'http://ann:a%3Ab%40@proxy.test' }).proxyFor(
    https,
  );
  t.equal(proxy?.url.href, 'http://proxy.test/');
  t.equal(proxy?.authorization, `Basic ${Buffer.from('ann:a:b@').toString('base64')}`);
  t.equal(readProxySettings({ HTTPS_PROXY: 'x' }).proxyFor(https)?.authorization, undefined);
});

t.test('a proxy that cannot be read is an error where it is needed alone', async (t) => {
  for (const value of [
    'socks5://u:canary@proxy.test',
    'http://',
    'http://u:canary%zz@proxy.test',
    'http://CORP\\svc:canary@proxy.test:3128',
    'CORP\\svc:canary@proxy.test:3128',
    'http://u:canary/1@proxy.test:3128',
    'http://u:1/canary@proxy.test:3128',
    'http:/proxy.test:3128',
    'http:proxy.test:3128',
    'http:///proxy.test:3128',
    'https:\\\\proxy.test:3128',
    'http://proxy.test:canary',
    'http://proxy.test:99999',
    'http://proxy .test:3128',
    '/proxy.test:3128',
    '@:3128',
  ]) {
    const settings = readProxySettings({ HTTPS_PROXY: value, NO_PROXY: 'straight.test' });
    t.equal(settings.proxyFor(http), undefined);
    t.equal(settings.proxyFor(new URL('https://straight.test')), undefined);
    t.throws(() => settings.proxyFor(https), {
      code: 'SERVER_UNREACHABLE',
      message: /^https:\/\/notary\.test:4443 cannot be reached: HTTPS_PROXY is not the URL of/,
      fix: /NO_PROXY/,
    });
    try {
      settings.proxyFor(https);
    } catch (error) {
      t.notMatch(String(error), /canary/);
    }
  }
});

t.test('any text is the host that it names, or no proxy; and no password is told', async () => {
  const part = fc.oneof(
    fc.constantFrom('http://', 'https://', 'http:', '\\', '/', '@', ':', '3128', '[::1]', '#', '?'),
    fc.constantFrom('proxy.test', 'CORP', 'canary', '%41', ' ', '\t', '.'),
    fc.string({ unit: 'grapheme', maxLength: 3 }),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
      const value = parts.join('');
      try {
        const proxy = readProxySettings({ HTTPS_PROXY: value }).proxyFor(https);
        if (!proxy) return value.trim() === '';
        const [before = ''] = value
          .trim()
          .replace(/^https?:\/\//i, '')
          .split(/[/?#]/);
        const named = before.slice(before.lastIndexOf('@') + 1);
        return new URL(`http://${named}`).hostname === proxy.url.hostname;
      } catch (error) {
        if (!(error instanceof SigningError)) throw error;
        return error.code === 'SERVER_UNREACHABLE' && !/canary/.test(error.message + error.fix);
      }
    }),
    runs(5000),
  );
});
