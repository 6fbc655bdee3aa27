import t from 'tap';
import { readProxySettings, type Environment } from '../../src/sidecar/proxy-settings.ts';

const https = new URL('https://notary.test:4443/');
const http = new URL('http://notary.test/');
const proxies = (environment: Environment) => {
  const settings = readProxySettings(environment);
  return [https, http].map((url) => settings.proxyFor(url)?.url.href);
};

t.test('proxies are read from the environment', (t) => {
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
    [{ HTTPS_PROXY: 'a.test', NO_PROXY: 'notary.test' }, [undefined, undefined]],
    [{ HTTPS_PROXY: 'a.test', no_proxy: '.test' }, [undefined, undefined]],
  ];
  for (const [environment, expected] of cases) {
    t.same(proxies(environment), expected, JSON.stringify(environment));
  }
  t.end();
});

t.test('user name and password of a proxy are for its header alone', (t) => {
  const proxy = readProxySettings({ HTTPS_PROXY: 'http://ann:a%3Ab%40@proxy.test' }).proxyFor(
    https,
  );
  t.equal(proxy?.url.href, 'http://proxy.test/');
  t.equal(proxy?.authorization, `Basic ${Buffer.from('ann:a:b@').toString('base64')}`);
  t.equal(readProxySettings({ HTTPS_PROXY: 'x' }).proxyFor(https)?.authorization, undefined);
  t.end();
});

t.test('a proxy that cannot be read is an error where it is needed alone', (t) => {
  for (const value of [
    'socks5://u:canary@proxy.test',
    'http://',
    'http://u:canary%zz@proxy.test',
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
  t.end();
});
