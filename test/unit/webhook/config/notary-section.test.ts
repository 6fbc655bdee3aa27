import { performance } from 'node:perf_hooks';
import t from 'tap';
import {
  annotate,
  buildFixture,
  P,
  section,
  setSection,
  signingNamespace,
  unconfiguredBuild,
  URL,
} from '../../../support/build-fixture.ts';
import {
  ask,
  inject,
  memoryCluster,
  mutate,
  refusedBy,
  verdictOf,
} from '../../../support/asking.ts';
import { keyOf } from '../../../support/pod.ts';

const BY_DEVELOPER = { username: 'developer' };

t.test('all that is wrong is told in one answer', async (t) => {
  const given = buildFixture();
  setSection(given, { v1: { url: 'x', secretRef: { name: '' }, ulr: 1 }, v3: 1 });
  annotate(given, { [`${P}on-failure`]: 'x' });
  const message = await refusedBy(t, given, '422 NOTARY_CONFIG_INVALID');
  for (const field of [
    '(1) metadata.annotations[notary.kpack.io/on-failure] of Image app: found ',
    'spec.notary.v1.url of Image app: found ',
    'spec.notary.v1.secretRef.name of Image app: found ',
    'spec.notary.v1.ulr of Image app: found ',
    'spec.notary.v3 of Image app: found ',
  ]) {
    t.ok(message.includes(field) || message.includes(field.slice(4)), `${field} in ${message}`);
  }
  t.match(message, '(5) ');
});

t.test('problems of Image and Namespace come in one answer', async (t) => {
  const given = buildFixture(
    'v0.17.2/02-notary',
    signingNamespace('enabled', { [`${P}v1.url`]: 'x' }),
  );
  annotate(given, { [`${P}on-failure`]: 'never' });
  setSection(given, { v1: { url: 'x' } });
  const message = await refusedBy(t, given, '422 NOTARY_CONFIG_INVALID');
  for (const text of [
    'spec.notary.v1.url of Image app',
    'spec.notary.v1.secretRef of Image app',
    `metadata.annotations[${P}on-failure] of Image app`,
    `metadata.annotations[${P}v1.url] of Namespace apps`,
    `metadata.annotations[${P}v1.secretRef] of Namespace apps`,
  ]) {
    t.ok(message.includes(text), text);
  }
});

t.test('what is mistyped is not said to be missing as well', async (t) => {
  for (const [notary, annotations] of [
    [{ v1: { URL, secretRef: { name: 'x' } } }, {}],
    [undefined, { [`${P}v1.url`]: URL, [`${P}v1.secretref`]: 'x' }],
  ] as const) {
    const given = unconfiguredBuild();
    if (notary) setSection(given, notary);
    annotate(given, annotations);
    const message = await refusedBy(t, given, '422 NOTARY_CONFIG_INVALID');
    t.notMatch(message, /found nothing|\(2\)/);
  }
});

t.test('names of members are data', async (t) => {
  const url = 'https://x.example';
  for (const notary of [
    `{"v1":{"__proto__":{"url":"${url}","secretRef":{"name":"x"}}}}`,
    `{"__proto__":{"v1":{"url":"${url}","secretRef":{"name":"x"}}}}`,
    `{"v1":{"url":"${url}","constructor":{},"hasOwnProperty":1}}`,
  ]) {
    const given = buildFixture();
    setSection(given, JSON.parse(notary));
    const message = await refusedBy(t, given, '422 NOTARY_CONFIG_INVALID');
    t.match(message, /__proto__|constructor/);
  }
  const given = buildFixture();
  setSection(given, { v1: { ...section().v1, 'a\n\u001b[31mb\u202e': 1 } });
  const message = await refusedBy(t, given, '422 NOTARY_CONFIG_INVALID');
  t.match(message, 'spec.notary.v1.a\\u000a\\u001b[31mb\\u202e of', 'and no orders to a terminal');
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
    'https://robot:canary@notary.example.com\\x',
    'https:\\\\robot:canary@notary.example.com',
    'robot:canary',
    'https:/robot:canary',
    'https://canary＠notary.example.com',
  ];
  const sections: Record<string, unknown> = {
    ...Object.fromEntries(canaries.map((url) => [url, section(url)])),
    'as the section': canaries[0],
    'as v1': { v1: canaries[0] },
    'in a list': section([canaries[0]]),
    'as the Secret': section(URL, { name: canaries[0] }),
    'as the Secret, plain': section(URL, canaries[0]),
  };
  sections['in another field'] = section(URL, 'https://notary.example.com?token=canary');
  for (const [what, notary] of Object.entries(sections)) {
    const given = buildFixture();
    setSection(given, notary);
    const message = await refusedBy(t, given, '422 NOTARY_CONFIG_INVALID');
    t.notMatch(message, /canary/, what);
  }
  for (const url of canaries) {
    const given = unconfiguredBuild();
    annotate(given, { [`${P}v1.url`]: url, [`${P}v1.secretRef`]: 'x' });
    t.notMatch(await refusedBy(t, given, '422 NOTARY_CONFIG_INVALID'), /canary/, url);
    const both = buildFixture();
    annotate(both, { [`${P}v1.url`]: url });
    t.notMatch(await refusedBy(t, both, '422 NOTARY_CONFIG_INVALID'), /canary/, url);
  }
});

t.test('a plain text secretRef is read, with a warning that gives the object form', async (t) => {
  const given = buildFixture();
  setSection(given, section(URL, 'notary-signing'));
  t.equal(keyOf(await inject(given)), 'notary-signing');
  const text =
    'kpack-notary: spec.notary.v1.secretRef is a plain text, which kpack itself does not read. Write it as an object: secretRef: {name: notary-signing}.';
  t.ok((await mutate(given)).warnings?.includes(text));
  const response = await ask('validate', given.image ?? {}, memoryCluster([]), BY_DEVELOPER);
  t.equal(verdictOf(response), 'allowed');
  t.ok(response.warnings?.includes(text));
});

t.test('no url keeps the webhook busy', async (t) => {
  const given = buildFixture();
  setSection(given, section(`${URL}/${'/'.repeat(30_000)}x`));
  const started = performance.now();
  await mutate(given);
  t.ok(performance.now() - started < 20_000);
});

t.test('a refusal stays readable, however much is wrong', async (t) => {
  for (const [count, expected] of [
    [90, /unknown member.*; and \d+ more like these\. Fix: /],
    [20_000, /: spec\.notary\.v1 of Image app: found an object with 20000 members; expected/],
  ] as const) {
    const given = buildFixture();
    const members = Object.fromEntries(Array.from({ length: count }, (_, i) => [`m${i}`, 0]));
    setSection(given, { v1: { ...members } });
    const message = await refusedBy(t, given, '422 NOTARY_CONFIG_INVALID');
    t.ok(message.length < 10_000, `${message.length} characters`);
    t.match(message, expected);
  }
});

t.test('an annotation with our prefix in another case is ours, and mistyped', async (t) => {
  const given = unconfiguredBuild();
  annotate(given, { 'Notary.kpack.io/v1.url': URL, 'Notary.kpack.io/v1.secretRef': 'x' });
  const message = await refusedBy(t, given, '422 NOTARY_CONFIG_INVALID');
  t.match(message, /\[Notary\.kpack\.io\/v1\.url\] .* expected notary\.kpack\.io\/v1\.url \(did/);
});
