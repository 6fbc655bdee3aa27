import { performance } from 'node:perf_hooks';
import t from 'tap';
import { ask, inject, memoryCluster, mutate, refusedBy, verdictOf } from './asking.ts';
import { keyOf } from './pod.ts';
import { annotate, P, section, setSection, silentWorld, URL, world } from './world.ts';

t.test('a malformed notary section', async (t) => {
  const named = (name: unknown) => section(URL, name === undefined ? {} : { name });
  const url = 'spec.notary.v1.url';
  const secretRef = 'spec.notary.v1.secretRef';
  const cases: Record<string, readonly [notary: unknown, ...found: (string | RegExp)[]]> = {
    'a text': ['yes', 'spec.notary', 'found "yes"', 'an object with v1'],
    'a number': [5, 'spec.notary', 'found 5'],
    'a list': [[], 'spec.notary', 'found []'],
    false: [false, 'spec.notary', 'found false'],
    'the empty text': ['', 'spec.notary', 'found ""'],
    empty: [{}, 'spec.notary.v1 of', 'found nothing', 'an object with url and secretRef'],
    'v1: null': [{ v1: null }, 'spec.notary.v1 of', 'found null'],
    'v1: a text': [{ v1: 'x' }, 'spec.notary.v1 of', 'found "x"'],
    'v1: a list': [{ v1: [1] }, 'spec.notary.v1 of', 'found [1]'],
    'v1: empty': [{ v1: {} }, url, secretRef, 'found nothing'],
    'no secretRef': [{ v1: { url: URL } }, secretRef, 'found nothing'],
    'no url': [{ v1: { secretRef: { name: 'x' } } }, url, 'found nothing'],
    'url: a number': [section(5), url, 'found 5', 'an https URL'],
    'url: null': [section(null), url, 'found null'],
    'url: empty': [section(''), url, 'found ""'],
    'url without a scheme': [section('notary.example.com:4443'), url, 'has no scheme'],
    'url of another scheme': [
      section('ftp://notary.example.com'),
      url,
      'is neither https nor http',
    ],
    'url without a host': [section('https://'), url, 'is not a URL'],
    'url with a bad port': [section('https://notary.example.com:99999'), url, 'is not a URL'],
    'url with a space': [section('https://notary.example.com/a b'), url, 'is not a URL'],
    'url with a line break': [section('https://notary.example.com/\n'), url, 'is not a URL'],
    'url with a query': [section(`${URL}/?x=1`), url, 'has a query'],
    'url with an empty query': [section(`${URL}?`), url, 'has a query'],
    'url with a fragment': [section(`${URL}#x`), url, 'has a fragment'],
    'secretRef: a number': [section(URL, 5), secretRef, 'found 5'],
    'secretRef: null': [section(URL, null), secretRef, 'found null'],
    'secretRef: a list': [section(URL, ['notary-signing']), secretRef, 'found ["notary-signing"]'],
    'secretRef: the empty text': [section(URL, ''), secretRef, 'found ""'],
    'secretRef: empty': [named(undefined), `${secretRef}.name`, 'found nothing'],
    'secretRef: no name': [named(5), `${secretRef}.name`, 'found 5'],
    'secretRef: the empty name': [named(''), `${secretRef}.name`, 'found ""'],
    'secretRef: upper case': [named('Notary'), `${secretRef}.name`, 'found "Notary"'],
    'secretRef: an underscore': [named('a_b'), `${secretRef}.name`],
    'secretRef: a dash at its end': [named('a-'), `${secretRef}.name`],
    'secretRef: too long': [named('a'.repeat(254)), `${secretRef}.name`],
    'a Secret of another namespace': [
      named('kpack/notary-signing'),
      `${secretRef}.name`,
      'same namespace',
      'out of reach',
    ],
    'a Secret of another namespace, as text': [
      section(URL, 'kpack/notary-signing'),
      secretRef,
      'out of reach',
    ],
    'secretRef with a namespace': [
      section(URL, { name: 'notary-signing', namespace: 'kpack' }),
      `${secretRef}.namespace`,
      'unknown member',
    ],
    'a mistyped member of v1': [
      { v1: { ...section().v1, urll: URL } },
      'spec.notary.v1.urll',
      'unknown member',
      'url: did you mean that?',
    ],
    'a member of v1 in another case': [
      { v1: { URL, secretRef: { name: 'x' } } },
      'spec.notary.v1.URL',
      'url: did you mean that?',
      'spec.notary.v1.url of',
    ],
    'a mistyped secretRef': [
      { v1: { url: URL, secretref: { name: 'x' } } },
      'spec.notary.v1.secretref',
      'secretRef: did you mean that?',
    ],
    'a member far from any': [
      { v1: { ...section().v1, certificate: 'x' } },
      'spec.notary.v1.certificate',
      'one of url, secretRef',
    ],
    'another version beside': [
      { ...section(), v2: {} },
      'spec.notary.v2',
      'v1: did you mean that?',
    ],
    '__proto__ as a member': [
      JSON.parse('{"v1":{"__proto__":{"url":"https://x.example","secretRef":{"name":"x"}}}}'),
      'spec.notary.v1.__proto__',
      url,
      secretRef,
    ],
    'everything at once': [
      { v1: { url: 'x', secretRef: { name: '' }, ulr: 1 }, v3: 1 },
      url,
      `${secretRef}.name`,
      'spec.notary.v1.ulr',
      'spec.notary.v3',
    ],
  };
  for (const [what, [notary, ...found]] of Object.entries(cases)) {
    await t.test(what, async (t) => {
      for (const version of ['v1alpha1', 'v1alpha2']) {
        const { image } = world();
        const object = { ...image, apiVersion: `kpack.io/${version}`, spec: { tag: 'x', notary } };
        const response = await ask('validate', object, memoryCluster([]), {
          username: 'developer',
        });
        t.equal(verdictOf(response), '422 NOTARY_CONFIG_INVALID', `Image ${version}`);
        for (const text of found) t.match(response.status?.message, text);
        t.match(response.status?.message, / of Image app: found /);
      }
      const given = world();
      setSection(given, notary);
      const message = await refusedBy(t, given, '422 NOTARY_CONFIG_INVALID');
      for (const text of found) t.match(message, text);
      t.match(message, / of Build app-build-1: found /);
    });
  }
});

t.test('credentials in a URL are refused and not repeated', async (t) => {
  const canaries = [
    'https://robot:canary@notary.example.com',
    'https://canary@notary.example.com',
    'https://:canary@notary.example.com',
    'robot:canary@notary.example.com',
    '//robot:canary@notary.example.com',
    'https://robot:canary@notary.example.com:99999/',
    'https://notary.example.com/?token=canary',
    'https://notary.example.com/#canary',
  ];
  const sections: Record<string, unknown> = {
    ...Object.fromEntries(canaries.map((url) => [url, section(url)])),
    'as the section': canaries[0],
    'as v1': { v1: canaries[0] },
    'in a list': section([canaries[0]]),
    'as the Secret': section(URL, { name: canaries[0] }),
    'as the Secret, plain': section(URL, canaries[0]),
  };
  for (const [what, notary] of Object.entries(sections)) {
    const given = world();
    setSection(given, notary);
    const message = await refusedBy(t, given, '422 NOTARY_CONFIG_INVALID');
    t.notMatch(message, /canary/, what);
  }
  for (const url of canaries) {
    const given = silentWorld();
    annotate(given, { [`${P}v1.url`]: url, [`${P}v1.secretRef`]: 'x' });
    t.notMatch(await refusedBy(t, given, '422 NOTARY_CONFIG_INVALID'), /canary/, url);
    const both = world();
    annotate(both, { [`${P}v1.url`]: url });
    t.notMatch(await refusedBy(t, both, '422 NOTARY_CONFIG_INVALID'), /canary/, url);
  }
});

t.test('a plain text secretRef is read, with a warning that gives the object form', async (t) => {
  const given = world();
  setSection(given, section(URL, 'notary-signing'));
  t.equal(keyOf(await inject(given)), 'notary-signing');
  const text =
    'kpack-notary: spec.notary.v1.secretRef: a plain string is read; write secretRef: {name: notary-signing}';
  t.ok((await mutate(given)).warnings?.includes(text));
  const response = await ask('validate', given.image ?? {}, memoryCluster([]));
  t.equal(verdictOf(response), 'allowed');
  t.same(response.warnings, [text]);
});

t.test('no url keeps the webhook busy', async (t) => {
  const given = world();
  setSection(given, section(`${URL}/${'/'.repeat(30_000)}x`));
  const started = performance.now();
  await mutate(given);
  t.ok(performance.now() - started < 20_000);
});

t.test('a refusal stays readable, however much is wrong', async (t) => {
  const given = world();
  const members = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`m${i}`, 0]));
  setSection(given, { v1: { ...members } });
  const message = await refusedBy(t, given, '422 NOTARY_CONFIG_INVALID');
  t.ok(message.length < 10_000, `${message.length} characters`);
});
