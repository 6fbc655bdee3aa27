import t from 'tap';
import { signingNamespace } from '../build-fixture.ts';
import { ask, memoryCluster, mutate, refusedBy, verdictOf } from './asking.ts';
import { ADMIN, annotate, P, PIN, setSection, silentWorld, URL, world } from './world.ts';

t.test('annotations that are wrong', async (t) => {
  const cases: Record<string, readonly [Record<string, string>, ...found: string[]]> = {
    'a mistyped one': [{ [`${P}v1.ulr`]: URL }, `[${P}v1.ulr]`, `${P}v1.url: did you mean that?`],
    'one in another case': [{ [`${P}v1.secretref`]: 'x' }, `${P}v1.secretRef: did you mean that?`],
    'a mistyped opt-out': [{ [`${P}singing`]: 'disabled' }, `${P}signing: did you mean that?`],
    'one far from any': [{ [`${P}completely-different`]: 'x' }, 'one of', `${P}v1.rootPin`],
    'a reserved one': [{ [`${P}v2.url`]: URL }, `[${P}v2.url]`, 'not supported in this version'],
    injected: [{ [`${P}injected`]: '1' }, `[${P}injected]`, 'we write it'],
    skipped: [{ [`${P}skipped`]: 'x' }, `[${P}skipped]`, 'we write it'],
    'opt-out: enabled': [{ [`${P}signing`]: 'enabled' }, `[${P}signing]`, 'expected disabled'],
    'on-failure': [{ [`${P}on-failure`]: 'ignore' }, `[${P}on-failure]`, 'fail or warn'],
    'an empty on-failure': [{ [`${P}on-failure`]: '' }, `[${P}on-failure]`, 'found ""'],
    'a root pin that is none': [{ [`${P}v1.rootPin`]: 'abc' }, `[${P}v1.rootPin]`, '64 hex digits'],
    'a root pin too many commas': [{ [`${P}v1.rootPin`]: `${PIN},` }, `[${P}v1.rootPin]`],
    'an empty root pin': [{ [`${P}v1.rootPin`]: '' }, `[${P}v1.rootPin]`],
    'a root pin in upper case': [{ [`${P}v1.rootPin`]: PIN.toUpperCase() }, `[${P}v1.rootPin]`],
    'a CA Secret elsewhere': [{ [`${P}v1.caSecretRef`]: 'kpack/ca' }, 'out of reach'],
    'a url that contradicts the section': [
      { [`${P}v1.url`]: 'https://other.example.com' },
      `[${P}v1.url]`,
      '"https://other.example.com"',
      `"${URL}", as in spec.notary`,
    ],
    'a Secret that contradicts the section': [
      { [`${P}v1.secretRef`]: 'other' },
      `[${P}v1.secretRef]`,
      '"notary-signing", as in spec.notary',
    ],
    'several at once': [
      { [`${P}v1.ulr`]: URL, [`${P}v2.x`]: '', [`${P}on-failure`]: 'x' },
      `[${P}v1.ulr]`,
      `[${P}v2.x]`,
      `[${P}on-failure]`,
    ],
  };
  for (const [what, [annotations, ...found]] of Object.entries(cases)) {
    await t.test(what, async (t) => {
      const given = world();
      annotate(given, annotations);
      const message = await refusedBy(t, given, '422 NOTARY_CONFIG_INVALID');
      for (const text of found) t.ok(message.includes(text), `${text} in ${message}`);
      const response = await ask('validate', given.image ?? {}, memoryCluster([]));
      t.equal(verdictOf(response), '422 NOTARY_CONFIG_INVALID', 'the Image too');
      for (const text of found) t.ok(response.status?.message.includes(text));
    });
  }

  await t.test('on the Namespace are refused with its name', async (t) => {
    for (const [annotations, found] of [
      [{ [`${P}v1.ulr`]: URL }, `${P}v1.url: did you mean that?`],
      [{ [`${P}v2.url`]: URL }, 'not supported in this version'],
      [{ [`${P}injected`]: '1' }, 'we write it'],
      [{ [`${P}skipped`]: '1' }, 'we write it'],
      [{ [`${P}signing`]: 'enabled' }, 'a label of that name'],
      [{ [`${P}v1.rootPin`]: 'x' }, '64 hex digits'],
      [{ [`${P}v1.url`]: URL }, `${P}v1.secretRef`],
    ] as const) {
      const given = world('v0.17.2/02-notary', signingNamespace('enabled', annotations));
      const message = await refusedBy(t, given, '422 NOTARY_CONFIG_INVALID');
      t.match(message, 'Namespace apps');
      t.ok(message.includes(found), message);
    }
  });

  await t.test('that say the same as the section are fine', async (t) => {
    const given = world();
    annotate(given, { [`${P}v1.url`]: `${URL}/`, [`${P}v1.secretRef`]: 'notary-signing' });
    t.equal(verdictOf(await mutate(given)), 'patched');
    t.equal(verdictOf(await ask('validate', given.image ?? {}, memoryCluster([]))), 'allowed');
  });

  await t.test('without a pair are refused', async (t) => {
    for (const [annotations, missing] of [
      [{ [`${P}v1.url`]: URL }, `${P}v1.secretRef`],
      [{ [`${P}v1.secretRef`]: 'x' }, `${P}v1.url`],
      [{ [`${P}v1.caSecretRef`]: 'x' }, `${P}v1.url`],
    ] as const) {
      const given = silentWorld(ADMIN);
      annotate(given, annotations);
      t.match(await refusedBy(t, given, '422 NOTARY_CONFIG_INVALID'), missing);
    }
  });
});

t.test('problems of Image and Namespace come in one answer', async (t) => {
  const given = world('v0.17.2/02-notary', signingNamespace('enabled', { [`${P}v1.url`]: 'x' }));
  annotate(given, { [`${P}on-failure`]: 'never' });
  setSection(given, { v1: { url: 'x' } });
  const message = await refusedBy(t, given, '422 NOTARY_CONFIG_INVALID');
  for (const text of [
    'spec.notary.v1.url of Build app-build-1',
    'spec.notary.v1.secretRef of Build app-build-1',
    `metadata.annotations[${P}on-failure] of Build app-build-1`,
    `metadata.annotations[${P}v1.url] of Namespace apps`,
    `metadata.annotations[${P}v1.secretRef] of Namespace apps`,
  ]) {
    t.ok(message.includes(text), text);
  }
});
