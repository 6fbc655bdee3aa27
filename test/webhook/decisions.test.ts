import { performance } from 'node:perf_hooks';
import t, { type Test } from 'tap';
import { ClusterError, type Cluster } from '../../src/webhook/cluster.ts';
import { KPACK_USER, type AdmissionResponse } from '../bed/webhook.ts';
import { manifestsOf, secret, signingNamespace, type PodManifest } from '../build-fixture.ts';
import {
  annotate,
  ask,
  changed,
  container,
  initContainers,
  inject,
  memoryCluster,
  mutate,
  OTHER_PIN,
  PIN,
  section,
  setSection,
  SETTINGS,
  SIGNER,
  signerFlags,
  URL,
  validate,
  verdictOf,
  world,
  type World,
} from './world.ts';

const P = 'notary.kpack.io/';
const ADMIN = { [`${P}v1.url`]: 'https://admin.example.com', [`${P}v1.secretRef`]: 'admin-key' };
const DEVELOPER = {
  [`${P}v1.url`]: 'https://developer.example.com',
  [`${P}v1.secretRef`]: 'developer-key',
};

/** A world that asks for nothing yet. */
const silentWorld = (
  annotations: Record<string, string> = {},
  label = 'enabled',
  name = 'v0.17.2/01-plain-git',
) => world(name, signingNamespace(label, annotations));

const keyOf = ({ spec }: PodManifest) =>
  spec.volumes?.find(({ name }) => name === 'notary-sign-key')?.secret?.secretName;

/** Mutate and validate agree on a refusal; its message. */
async function refusedBy(
  t: Test,
  given: World,
  verdict: string,
  options: Parameters<typeof mutate>[1] = {},
): Promise<string> {
  const mutated = await mutate(given, options);
  const validated = await validate(given, options.pod, options);
  t.equal(verdictOf(mutated), verdict);
  t.equal(verdictOf(validated), verdict, 'validate says the same');
  t.equal(mutated.status?.message, validated.status?.message);
  return mutated.status?.message ?? '';
}

/** Left alone: no patch, by both. */
async function untouchedBy(
  t: Test,
  given: World,
  options: Parameters<typeof mutate>[1] = {},
): Promise<AdmissionResponse> {
  const mutated = await mutate(given, options);
  t.equal(verdictOf(mutated), 'allowed');
  t.equal(verdictOf(await validate(given, options.pod, options)), 'allowed');
  return mutated;
}

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

t.test('no url keeps the webhook busy', async (t) => {
  const given = world();
  setSection(given, section(`${URL}/${'/'.repeat(30_000)}x`));
  const started = performance.now();
  await mutate(given);
  t.ok(performance.now() - started < 1_000);
});

t.test('a refusal stays readable, however much is wrong', async (t) => {
  const given = world();
  const members = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`m${i}`, 0]));
  setSection(given, { v1: { ...members } });
  const message = await refusedBy(t, given, '422 NOTARY_CONFIG_INVALID');
  t.ok(message.length < 10_000, `${message.length} characters`);
});

t.test('url, Secret and CA are taken whole from the first level that sets them', async (t) => {
  await t.test('the section of the Build', async (t) => {
    const given = world('v0.17.2/02-notary', signingNamespace('enabled', ADMIN));
    given.namespace.metadata.annotations = { ...ADMIN, [`${P}v1.caSecretRef`]: 'admin-ca' };
    const pod = await inject(given);
    t.equal(keyOf(pod), 'notary-signing');
    t.same(signerFlags(pod)['notary-url'], [URL]);
    t.notOk(signerFlags(pod)['ca-file'], "not the admin's CA");
  });
  await t.test('annotations of Image and Build', async (t) => {
    const given = silentWorld(ADMIN);
    annotate(given, DEVELOPER);
    const pod = await inject(given);
    t.equal(keyOf(pod), 'developer-key');
    t.same(signerFlags(pod)['notary-url'], ['https://developer.example.com']);
  });
  await t.test('annotations of the Namespace', async (t) => {
    const given = silentWorld({ ...ADMIN, [`${P}v1.caSecretRef`]: 'admin-ca' });
    const pod = await inject(given);
    t.equal(keyOf(pod), 'admin-key');
    t.same(signerFlags(pod)['notary-url'], ['https://admin.example.com']);
    t.equal(signerFlags(pod)['ca-file']?.length, 1);
  });
  await t.test("a developer's url never meets the admin's key", async (t) => {
    const secretOnly = { [`${P}v1.secretRef`]: 'admin-key' };
    for (const namespace of [ADMIN, secretOnly]) {
      for (const own of [{ [`${P}v1.url`]: 'https://developer.example.com' }, {}]) {
        const given = silentWorld(namespace);
        annotate(given, own);
        if (Object.keys(own).length === 0) setSection(given, { v1: { url: URL } });
        await refusedBy(t, given, '422 NOTARY_CONFIG_INVALID');
      }
    }
  });
  await t.test("nor the admin's url a developer's CA", async (t) => {
    const given = silentWorld(ADMIN);
    annotate(given, { [`${P}v1.caSecretRef`]: 'developer-ca' });
    await refusedBy(t, given, '422 NOTARY_CONFIG_INVALID');
  });
});

t.test('what the admin sets on the Namespace is narrowed, never widened', async (t) => {
  const both = `${PIN},${OTHER_PIN}`;
  const cases: readonly (readonly [
    admin: string | undefined,
    own: string | undefined,
    pins: readonly string[] | undefined,
  ])[] = [
    [PIN, undefined, [PIN]],
    [undefined, PIN, [PIN]],
    [both, PIN, [PIN]],
    [both, undefined, [PIN, OTHER_PIN]],
    [PIN, both, [PIN]],
    [PIN, OTHER_PIN, undefined],
  ];
  for (const [admin, own, pins] of cases) {
    const pinned = (pin?: string) => (pin === undefined ? {} : { [`${P}v1.rootPin`]: pin });
    const given = world('v0.17.2/02-notary', signingNamespace('enabled', pinned(admin)));
    annotate(given, pinned(own));
    if (pins) {
      t.same(signerFlags(await inject(given))['root-pin'], pins);
      t.same((await mutate(given)).warnings, undefined);
    } else {
      const message = await refusedBy(t, given, '422 NOTARY_CONFIG_INVALID');
      t.match(message, `at least one of the pins of the Namespace: ${PIN}`);
    }
  }

  for (const [admin, own, expected] of [
    [undefined, undefined, undefined],
    [undefined, 'warn', 'warn'],
    [undefined, 'fail', undefined],
    ['fail', 'warn', undefined],
    ['warn', undefined, 'warn'],
    ['warn', 'fail', undefined],
    ['warn', 'warn', 'warn'],
  ] as const) {
    const setting = (value?: string) => (value === undefined ? {} : { [`${P}on-failure`]: value });
    const given = world('v0.17.2/02-notary', signingNamespace('enabled', setting(admin)));
    annotate(given, setting(own));
    const mode = signerFlags(await inject(given))['on-failure']?.at(-1) ?? 'fail';
    t.equal(mode, expected ?? 'fail', `Namespace ${admin}, Image ${own}`);
    const told = (await mutate(given)).warnings?.some((text) => /warn has no effect/.test(text));
    t.equal(told ?? false, `${admin} ${own}` === 'fail warn');
  }
});

t.test('risks are told to whoever posts the pod', async (t) => {
  const given = world();
  t.match((await mutate(given)).warnings, ['kpack-notary: no root pin']);
  setSection(given, section('http://notary.example.com:4443/'));
  const { warnings = [] } = await mutate(given);
  t.ok(warnings.some((text) => /http:\/\/notary.example.com:4443 is plain http/.test(text)));
});

t.test('an Image that opts out is left unsigned, which its pod says', async (t) => {
  for (const given of [world(), silentWorld(ADMIN)]) {
    annotate(given, { [`${P}signing`]: 'disabled' });
    const pod = await inject(given);
    const { annotations = {} } = pod.metadata;
    t.match(annotations[`${P}skipped`], /signing: disabled on the Build/);
    const rest = changed(pod, (pod) => delete pod.metadata.annotations?.[`${P}skipped`]);
    t.strictSame(rest, given.pod);
    t.match((await mutate(given)).warnings, ['kpack-notary: left unsigned']);
    t.equal(verdictOf(await mutate(given, { pod })), 'allowed');
    t.equal(verdictOf(await validate(given, pod)), 'allowed');
  }
});

t.test('a build that nobody wants signed is left unsigned, which its pod says', async (t) => {
  const given = silentWorld();
  const pod = await inject(given);
  t.match(pod.metadata.annotations, { [`${P}skipped`]: /neither Image nor Namespace/ });
  t.notOk(container(pod, 'completion').args?.includes(SIGNER));
  t.notMatch(initContainers(pod), [{ name: SIGNER }]);
  t.equal(verdictOf(await validate(given, given.pod)), 'allowed');
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

t.test('who posts the pod', async (t) => {
  for (const username of [
    'developer',
    'system:serviceaccount:apps:controller',
    'system:anonymous',
  ]) {
    const message = await refusedBy(t, world(), '422 REQUESTER_NOT_KPACK', { username });
    t.ok(message.includes(`${username} posted a pod of Build app-build-1`));
    t.match(message, '--kpack-user');
    t.match(message, KPACK_USER);
  }
  const kpackUsers = [KPACK_USER, 'system:serviceaccount:build-system:kpack'];
  for (const username of kpackUsers) {
    t.equal(verdictOf(await mutate(world(), { username, settings: { kpackUsers } })), 'patched');
  }
  const response = await mutate(world(), { settings: { kpackUsers: ['other'] } });
  t.equal(verdictOf(response), '422 REQUESTER_NOT_KPACK');
});

t.test('a pod that only looks like a build pod is left unsigned, with a warning', async (t) => {
  const owner = (change: (reference: Record<string, unknown>) => void) => () => {
    const given = world();
    for (const reference of given.pod.metadata.ownerReferences ?? []) {
      change(reference as unknown as Record<string, unknown>);
    }
    return given;
  };
  const uid = (object: { metadata: object } | undefined) =>
    Object.assign(object?.metadata ?? {}, { uid: 'another' });
  const cases: Record<string, readonly [() => World, RegExp]> = {
    'no owner': [
      () => {
        const given = world();
        delete given.pod.metadata.ownerReferences;
        return given;
      },
      /no kpack Build as its controller/,
    ],
    'an owner of another group': [
      owner((reference) => (reference['apiVersion'] = 'kpack.io.example.com/v1alpha2')),
      /no kpack Build as its controller/,
    ],
    'an owner of the core group': [
      owner((reference) => (reference['apiVersion'] = 'kpack.io')),
      /no kpack Build as its controller/,
    ],
    'an owner of another kind': [
      owner((reference) => (reference['kind'] = 'Image')),
      /no kpack Build as its controller/,
    ],
    'an owner that does not control it': [
      owner((reference) => (reference['controller'] = false)),
      /no kpack Build as its controller/,
    ],
    'an owner that does not say so': [
      owner((reference) => delete reference['controller']),
      /no kpack Build as its controller/,
    ],
    'a Build that is not there': [
      owner((reference) => (reference['name'] = 'other')),
      /Build other does not exist/,
    ],
    'a Build of another namespace': [
      () => {
        const given = world();
        Object.assign(given.build.metadata, { namespace: 'elsewhere' });
        return given;
      },
      /Build app-build-1 does not exist/,
    ],
    'a Build with another UID': [
      () => {
        const given = world();
        uid(given.build);
        return given;
      },
      /Build app-build-1 has another UID than the owner of the pod/,
    ],
    'a Build whose Image is not there': [
      () => ({ ...world(), image: undefined }),
      /Image app does not exist/,
    ],
    'a Build whose Image has another UID': [
      () => {
        const given = world();
        uid(given.image);
        return given;
      },
      /Image app has another UID than the owner of the Build/,
    ],
  };
  for (const [what, [make, reason]] of Object.entries(cases)) {
    await t.test(what, async (t) => {
      const { warnings = [] } = await untouchedBy(t, make());
      t.equal(warnings.length, 1);
      t.match(warnings[0], /^kpack-notary: left unsigned: /);
      t.match(warnings[0], reason);
    });
  }
  await t.test('a pod of the first kpack, group build.pivotal.io', async (t) => {
    const given = world('v0.0.9/13-annotated-image', signingNamespace('enabled', ADMIN));
    for (const object of [given.pod, ...(given.pod.metadata.labels ? [] : [given.build])]) {
      object.metadata.labels = { ...object.metadata.labels, 'kpack.io/build': 'x' };
    }
    const { warnings } = await untouchedBy(t, given);
    t.match(warnings, ['kpack-notary: left unsigned']);
  });
  await t.test('such a pod by anybody', async (t) => {
    const given = world();
    delete given.pod.metadata.ownerReferences;
    await untouchedBy(t, given, { username: 'developer' });
  });
});

t.test("a pod without kpack's label is not ours", async (t) => {
  const given = world();
  delete given.pod.metadata.labels?.['kpack.io/build'];
  t.equal((await untouchedBy(t, given)).warnings, undefined);
});

t.test('no annotation of an Image but ours lets its build through unsigned', async (t) => {
  // kpack copies all annotations of an Image to the pods of its builds.
  for (const annotation of [
    'kubernetes.io/config.mirror',
    'kubernetes.io/config.source',
    'sidecar.istio.io/inject',
    'kpack.io/build',
  ]) {
    const given = world();
    annotate(given, { [annotation]: 'x' });
    t.equal(verdictOf(await mutate(given)), 'patched', annotation);
    t.equal(verdictOf(await validate(given, given.pod)), '503 SIGNER_MISSING', annotation);
  }
});

t.test('builds that cannot be signed are refused with the reason', async (t) => {
  const edited = (name: string, change: (given: World) => void) => {
    const given = world(name);
    change(given);
    return given;
  };
  const cases: Record<string, readonly [World, RegExp]> = {
    'Windows, 0.2.0': [world('v0.2.0/08b-windows-notary'), /Windows builds cannot be signed/],
    'Windows, 0.5.4': [world('v0.5.4/08b-windows-notary'), /Windows builds cannot be signed/],
    'Windows by spec.os': [
      edited('v0.17.2/02-notary', ({ pod }) => (pod.spec.os = { name: 'windows' })),
      /Windows builds cannot be signed/,
    ],
    'standard containers, 0.9.7': [
      world('v0.9.7/07b-standard-containers-notary'),
      /standard containers/,
    ],
    'standard containers': [world('v0.17.2/07b-standard-containers-notary'), /standard containers/],
    'standard containers, rebase': [
      world('v0.17.2/07c-standard-containers-rebase'),
      /standard containers/,
    ],
    'no step that exports': [
      edited('v0.17.2/02-notary', ({ pod }) => {
        pod.spec.initContainers = initContainers(pod).filter(({ name }) => name !== 'export');
      }),
      /no export or rebase step/,
    ],
    'no init containers': [
      edited('v0.17.2/02-notary', ({ pod }) => delete pod.spec.initContainers),
      /no export or rebase step/,
    ],
    'no completion': [
      edited('v0.17.2/02-notary', ({ pod }) => {
        pod.spec.containers = [{ name: 'other', image: 'x' }];
      }),
      /no export or rebase step before completion/,
    ],
    'completion among the init containers': [
      edited('v0.17.2/02-notary', ({ pod }) => {
        initContainers(pod).push(...pod.spec.containers.splice(0, 1, { name: 'x', image: 'x' }));
      }),
      /no export or rebase step before completion/,
    ],
    'no tags': [
      edited('v0.17.2/02-notary', ({ build }) => delete build.spec['tags']),
      /Build app-build-1 has no tags/,
    ],
    'an empty list of tags': [
      edited('v0.17.2/02-notary', ({ build }) => (build.spec['tags'] = [])),
      /Build app-build-1 has no tags/,
    ],
    'tags that are no list': [
      edited('v0.17.2/02-notary', ({ build }) => (build.spec['tags'] = 'registry.example.com/app')),
      /Build app-build-1 has no tags/,
    ],
  };
  for (const [what, [given, reason]] of Object.entries(cases)) {
    await t.test(what, async (t) => {
      t.match(await refusedBy(t, given, '422 POD_UNSUPPORTED'), reason);
    });
  }
  await t.test('unless nobody wants them signed', async (t) => {
    const given = world('v0.17.2/07b-standard-containers-notary');
    annotate(given, { [`${P}signing`]: 'disabled' });
    t.equal(verdictOf(await validate(given)), 'allowed');
  });
});

t.test('the namespace label', async (t) => {
  for (const label of ['Enabled', 'enable', 'on', 'true', '', 'audited', 'DISABLED', 'off']) {
    const given = world();
    given.namespace.metadata.labels = { [`${P}signing`]: label };
    const message = await refusedBy(t, given, '422 NAMESPACE_LABEL_INVALID');
    t.ok(message.includes(`Namespace apps has the label notary.kpack.io/signing=${label}`), label);
    t.match(message, /enabled, audit or disabled/);
    if (label === 'Enabled') t.match(message, 'did you mean enabled?');
  }
  for (const labels of [{ [`${P}signing`]: 'disabled' }, { other: 'enabled' }, {}]) {
    const namespace = signingNamespace();
    namespace.metadata.labels = labels;
    for (const make of [
      () => world('v0.17.2/02-notary', namespace),
      () => {
        const given = world('v0.2.0/08b-windows-notary', namespace);
        setSection(given, 'malformed');
        return given;
      },
    ]) {
      for (const username of [KPACK_USER, 'developer']) {
        t.equal((await untouchedBy(t, make(), { username })).warnings, undefined);
      }
    }
  }
  const bare = signingNamespace();
  delete bare.metadata.labels;
  await untouchedBy(t, world('v0.17.2/02-notary', bare));
});

t.test('audit refuses nothing, changes nothing, and says what would be', async (t) => {
  const cases: Record<string, readonly [World, string, RegExp]> = {
    'to be signed': [world(), 'audit', /audit: the pod would be changed/],
    'opted out': [
      (() => {
        const given = world();
        annotate(given, { [`${P}signing`]: 'disabled' });
        return given;
      })(),
      'audit',
      /audit: left unsigned/,
    ],
    malformed: [
      (() => {
        const given = world();
        setSection(given, {});
        return given;
      })(),
      'audit',
      /audit: would be refused: kpack-notary NOTARY_CONFIG_INVALID/,
    ],
    unsupported: [
      world('v0.17.2/07b-standard-containers-notary'),
      'audit',
      /audit: would be refused: kpack-notary POD_UNSUPPORTED/,
    ],
    exposed: [
      (() => {
        const given = world();
        given.pod.spec.volumes?.push({ name: 'x', secret: { secretName: 'notary-signing' } });
        return given;
      })(),
      'audit',
      /audit: would be refused: kpack-notary SECRET_EXPOSED/,
    ],
  };
  for (const [what, [given, label, warning]] of Object.entries(cases)) {
    await t.test(what, async (t) => {
      const audited = { ...given, namespace: signingNamespace(label) };
      const { warnings = [] } = await untouchedBy(t, audited);
      t.ok(
        warnings.some((text) => warning.test(text)),
        warnings.join(),
      );
    });
  }
  await t.test('posted by somebody else', async (t) => {
    const given = world('v0.17.2/02-notary', signingNamespace('audit'));
    const { warnings } = await untouchedBy(t, given, { username: 'developer' });
    t.match(warnings, ['kpack-notary: audit: would be refused']);
  });
  await t.test('a build whose Build cannot be read', async (t) => {
    const given = world('v0.17.2/02-notary', signingNamespace('audit'));
    for (const kind of ['Build', 'ServiceAccount', 'Image']) {
      const cluster = failing(memoryCluster(manifestsOf(given, given.namespace)), kind);
      for (const question of ['mutate', 'validate'] as const) {
        const response = await ask(question, given.pod, cluster);
        t.equal(verdictOf(response), 'allowed', kind);
        t.match(response.warnings, ['kpack-notary: audit: would be refused']);
      }
    }
  });
});

t.test('where the section is read', async (t) => {
  await t.test('a Build without one whose Image has one: the Image', async (t) => {
    for (const version of ['v1alpha1', 'v1alpha2']) {
      const given = world();
      delete given.build.spec['notary'];
      for (const reference of (
        given.build.metadata as { ownerReferences?: { apiVersion: string }[] }
      ).ownerReferences ?? []) {
        reference.apiVersion = `kpack.io/${version}`;
      }
      t.equal(keyOf(await inject(given)), 'notary-signing', version);
    }
  });
  await t.test('annotations of the Image count too', async (t) => {
    const given = silentWorld(ADMIN);
    Object.assign(given.image?.metadata ?? {}, { annotations: DEVELOPER });
    t.equal(keyOf(await inject(given)), 'developer-key');
    Object.assign(given.image?.metadata ?? {}, { annotations: { [`${P}signing`]: 'disabled' } });
    const pod = await inject(given);
    t.match(pod.metadata.annotations?.[`${P}skipped`], /signing: disabled on the Image/);
    Object.assign(given.image?.metadata ?? {}, { annotations: { [`${P}v1.ulr`]: 'x' } });
    t.match(await refusedBy(t, given, '422 NOTARY_CONFIG_INVALID'), 'of Image app');
  });
  await t.test('a Build that has one: the Build, as it was made', async (t) => {
    const given = world();
    if (given.image) given.image.spec['notary'] = section('https://later.example.com');
    t.same(signerFlags(await inject(given))['notary-url'], [URL]);
    if (given.image) given.image.spec['notary'] = 'malformed since';
    t.same(signerFlags(await inject(given))['notary-url'], [URL]);
  });
  await t.test('a Build made by hand: its own', async (t) => {
    const given = world('v0.17.2/03d-build-many-tags-notary');
    t.equal(given.image, undefined);
    const pod = await inject(given);
    t.same(signerFlags(pod)['allow-tag'], given.build.spec['tags']);
    t.equal((given.build.spec['tags'] as string[]).length, 4);
  });
  await t.test('a Build made by hand that says nothing: the Namespace', async (t) => {
    const given = silentWorld(ADMIN, 'enabled', 'v0.17.2/12-standalone-build');
    t.equal(keyOf(await inject(given)), 'admin-key');
    const unsigned = silentWorld({}, 'enabled', 'v0.17.2/12-standalone-build');
    t.match((await inject(unsigned)).metadata.annotations, { [`${P}skipped`]: /neither/ });
  });
  await t.test('what the pod says itself is not read', async (t) => {
    const given = silentWorld(ADMIN);
    Object.assign(given.pod.metadata, {
      annotations: { ...DEVELOPER, [`${P}signing`]: 'disabled', [`${P}injected`]: 'forged' },
    });
    const pod = await inject(given);
    t.equal(keyOf(pod), 'admin-key');
    t.equal(pod.metadata.annotations?.[`${P}injected`], SETTINGS.version);
    const silent = silentWorld();
    Object.assign(silent.pod.metadata, { annotations: { [`${P}skipped`]: 'forged' } });
    t.match((await inject(silent)).metadata.annotations?.[`${P}skipped`], /neither/);
  });
});

t.test('while the cluster does not answer, nothing is decided', async (t) => {
  const given = world('v0.17.2/02b-notary-registry-secrets');
  const cluster = memoryCluster(manifestsOf(given, given.namespace));
  for (const kind of ['Namespace', 'Build', 'ServiceAccount', 'Image', 'Secret']) {
    for (const question of ['mutate', 'validate'] as const) {
      const response = await ask(question, given.pod, failing(cluster, kind));
      t.equal(verdictOf(response), '503 CLUSTER_UNAVAILABLE', kind);
      t.match(response.status?.message, `GET ${kind} failed. Fix: Mend the ${kind}.`);
    }
  }
  const mistaken: Cluster = { get: () => Promise.reject(new TypeError('a mistake')) };
  await t.rejects(
    ask('mutate', given.pod, mistaken),
    TypeError,
    'which is not for a mistake of ours',
  );
});

t.test('a namespace that cannot be found is not one that has not opted in', async (t) => {
  // The namespace of a new pod exists: whoever says otherwise is not its API server.
  const given = world();
  const cluster = memoryCluster([]);
  for (const question of ['mutate', 'validate'] as const) {
    const response = await ask(question, given.pod, cluster);
    t.equal(verdictOf(response), '503 CLUSTER_UNAVAILABLE');
  }
});

t.test('a namespace that has not opted in does not wait for the rest of the cluster', async (t) => {
  const given = world('v0.17.2/02-notary', signingNamespace('disabled'));
  const cluster = failing(memoryCluster(manifestsOf(given, given.namespace)), 'Build');
  t.equal(verdictOf(await ask('mutate', given.pod, cluster)), 'allowed');
});

t.test('names and versions of a pod do not choose what is read', async (t) => {
  const odd = 'kpack.io/v1alpha2/../../../api/v1/namespaces/kube-system/secrets/x?';
  const given = world();
  for (const reference of given.pod.metadata.ownerReferences ?? []) reference.apiVersion = odd;
  const asked: string[] = [];
  const cluster = memoryCluster(manifestsOf(given, given.namespace));
  const watched: Cluster = {
    get: (reference) => {
      asked.push(reference.apiVersion);
      return cluster.get(reference);
    },
  };
  for (const username of [KPACK_USER, 'developer']) {
    await ask('mutate', given.pod, watched, { username });
  }
  t.notMatch(asked.join(), /\.\./);
});

t.test('the reads of a decision are few, and two rounds', async (t) => {
  const given = world('v0.17.2/02b-notary-registry-secrets');
  const cluster = memoryCluster(manifestsOf(given, given.namespace));
  const rounds: string[][] = [];
  let isOpen = false;
  const counted: Cluster = {
    get: async (reference) => {
      if (!isOpen) rounds.push([]);
      isOpen = true;
      rounds.at(-1)?.push(reference.kind);
      await new Promise(setImmediate);
      isOpen = false;
      return cluster.get(reference);
    },
  };
  t.equal(verdictOf(await ask('mutate', given.pod, counted)), 'patched');
  t.same(rounds, [
    ['Namespace', 'Build', 'ServiceAccount'],
    ['Image', ...Array.from({ length: 7 }, () => 'Secret')],
  ]);
});

t.test('nobody but kpack makes the webhook read many objects', async (t) => {
  const given = world();
  given.serviceAccount.secrets = Array.from({ length: 1_000 }, (_, i) => ({ name: `s${i}` }));
  const cluster = memoryCluster(manifestsOf(given, given.namespace));
  let reads = 0;
  const counted: Cluster = {
    get: (reference) => {
      reads += 1;
      return cluster.get(reference);
    },
  };
  const response = await ask('mutate', given.pod, counted, { username: 'developer' });
  t.equal(verdictOf(response), '422 REQUESTER_NOT_KPACK');
  t.ok(reads <= 4, `${reads} reads`);
});

t.test('names and paths of ours that are taken', async (t) => {
  const given = world('v0.17.2/02b-notary-registry-secrets');
  annotate(given, { [`${P}v1.caSecretRef`]: 'notary-ca' });
  const ours = (await inject(given)).spec.volumes?.filter(({ name }) =>
    name.startsWith('notary-sign-'),
  );
  t.equal(ours?.length, 4);
  for (const { name } of ours ?? []) {
    const pod = changed(given.pod, (pod) => pod.spec.volumes?.push({ name, configMap: { name } }));
    const response = await mutate(given, { pod });
    t.equal(verdictOf(response), '422 POD_COLLISION');
    t.match(response.status?.message, `a volume named ${name}`);
  }
  const pod = changed(given.pod, (pod) =>
    pod.spec.volumes?.push({ name: 'notary-sign-credentials-1' }),
  );
  t.equal(verdictOf(await mutate(given, { pod })), 'patched', 'one that we do not need');
});

t.test('nothing else in the pod may reach the signing Secret', async (t) => {
  const name = 'notary-signing';
  const from = (change: (pod: PodManifest) => void) => change;
  const cases: Record<string, readonly [(pod: PodManifest) => void, RegExp]> = {
    'a volume': [
      from((pod) => pod.spec.volumes?.push({ name: 'x', secret: { secretName: name } })),
      /volume x holds Secret notary-signing/,
    ],
    'a binding of kpack': [
      from((pod) => {
        pod.spec.volumes?.push({ name: 'service-binding-db', secret: { secretName: name } });
        container(pod, 'build').volumeMounts?.push({
          name: 'service-binding-db',
          mountPath: '/platform/bindings/db',
        });
      }),
      /volume service-binding-db holds/,
    ],
    'a projected volume': [
      from((pod) =>
        pod.spec.volumes?.push({
          name: 'x',
          projected: { sources: [{ configMap: { name: 'a' } }, { secret: { name } }] },
        }),
      ),
      /volume x holds Secret notary-signing/,
    ],
    'a variable of a step': [
      from((pod) =>
        container(pod, 'build').env?.push({
          name: 'X',
          valueFrom: { secretKeyRef: { name, key: 'password' } },
        }),
      ),
      /container build takes variables from Secret notary-signing/,
    ],
    'a variable of completion': [
      from((pod) =>
        container(pod, 'completion').env?.push({
          name: 'X',
          valueFrom: { secretKeyRef: { name, key: 'password' } },
        }),
      ),
      /container completion takes variables/,
    ],
    'all variables': [
      from((pod) => (container(pod, 'export').envFrom = [{ secretRef: { name } }])),
      /container export takes variables/,
    ],
    'a step that mounts our volume': [
      from((pod) =>
        container(pod, 'build').volumeMounts?.push({ name: 'notary-sign-key', mountPath: '/x' }),
      ),
      /container build mounts volume notary-sign-key/,
    ],
    'a sidecar that mounts our volume': [
      from((pod) =>
        pod.spec.containers.push({
          name: 'sidecar',
          image: 'x',
          volumeMounts: [{ name: 'notary-sign-key', mountPath: '/x' }],
        }),
      ),
      /container sidecar mounts volume notary-sign-key/,
    ],
  };
  for (const [what, [change, reason]] of Object.entries(cases)) {
    await t.test(what, async (t) => {
      const given = world();
      const injected = await inject(given);
      const refused = await mutate(given, { pod: changed(given.pod, change) });
      t.equal(verdictOf(refused), '422 SECRET_EXPOSED', 'before');
      t.match(refused.status?.message, reason);
      const after = await validate(given, changed(injected, change));
      t.equal(verdictOf(after), '422 SECRET_EXPOSED', 'after');
      t.match(after.status?.message, reason);
    });
  }
  await t.test('other Secrets are no concern of ours', async (t) => {
    const given = world();
    given.pod.spec.volumes?.push(
      { name: 'x', secret: { secretName: 'other' } },
      { name: 'y', projected: { sources: [{ secret: { name: 'other' } }] } },
    );
    container(given.pod, 'build').envFrom = [
      { secretRef: { name: 'other' } },
      { configMapRef: { name } },
    ];
    t.equal(verdictOf(await mutate(given)), 'patched');
  });
  await t.test('nor the credentials for the Notary server', async (t) => {
    const given = world('v0.17.2/02b-notary-registry-secrets');
    const injected = await inject(given);
    const change = (pod: PodManifest) =>
      container(pod, 'build').volumeMounts?.push({
        name: 'notary-sign-credentials-0',
        mountPath: '/x',
      });
    t.equal(
      verdictOf(await mutate(given, { pod: changed(given.pod, change) })),
      '422 SECRET_EXPOSED',
    );
    t.equal(verdictOf(await validate(given, changed(injected, change))), '422 SECRET_EXPOSED');
  });
});

t.test('one Secret may hold key, CA and credentials: our container alone reads it', async (t) => {
  const given = world();
  annotate(given, { [`${P}v1.caSecretRef`]: 'notary-signing' });
  t.equal(verdictOf(await mutate(given)), 'patched', 'CA');
  const all = world();
  all.serviceAccount.secrets = [{ name: 'notary-signing' }];
  all.secrets.splice(0, 1, secret('notary-signing', {}, { 'kpack.io/notary.v1': URL }));
  t.equal(verdictOf(await mutate(all)), 'patched', 'credentials');
});

t.test('an Image that changes', async (t) => {
  const { image } = world();
  if (!image) throw new Error('no image');
  const malformed = changed(image, (image) => {
    image.spec['notary'] = { v1: { url: 'x' } };
    image.metadata.annotations = { [`${P}v1.ulr`]: 'x' };
  });
  const update = (object: object, oldObject: object) =>
    ask('validate', object, memoryCluster([]), { operation: 'UPDATE', oldObject, username: 'dev' });

  t.equal(verdictOf(await update(image, malformed)), 'allowed', 'mended');
  t.equal(verdictOf(await update(malformed, image)), '422 NOTARY_CONFIG_INVALID', 'spoiled');

  await t.test('may leave malformed what was malformed, with a warning', async (t) => {
    for (const change of [
      (image: typeof malformed) => (image.metadata.labels = { team: 'a' }),
      (image: typeof malformed) => (image.spec['tag'] = 'registry.example.com/other'),
      (image: typeof malformed) =>
        (image.metadata.annotations = { other: 'x', ...image.metadata.annotations }),
    ]) {
      const response = await update(changed(malformed, change), malformed);
      t.equal(verdictOf(response), 'allowed');
      t.match(response.warnings, ['kpack-notary: malformed, as before: ']);
      t.match(response.warnings?.join(), 'spec.notary.v1.url');
    }
  });
  await t.test('may not become malformed in another way', async (t) => {
    for (const change of [
      (image: typeof malformed) => (image.spec['notary'] = { v1: { url: 'y' } }),
      (image: typeof malformed) => delete image.spec['notary'],
      (image: typeof malformed) => (image.metadata.annotations = { [`${P}v1.ulr`]: 'y' }),
      (image: typeof malformed) =>
        (image.metadata.annotations = { ...image.metadata.annotations, [`${P}v2.x`]: 'y' }),
    ]) {
      const response = await update(changed(malformed, change), malformed);
      t.equal(verdictOf(response), '422 NOTARY_CONFIG_INVALID');
    }
  });
  await t.test('may be malformed while it is deleted', async (t) => {
    const deletionTimestamp = '2026-06-17T10:48:23Z';
    const going = changed(malformed, ({ metadata }) =>
      Object.assign(metadata, { deletionTimestamp }),
    );
    const response = await update(going, image);
    t.equal(verdictOf(response), 'allowed');
    t.match(response.warnings, ['kpack-notary: malformed']);
    const staying = changed(malformed, ({ metadata }) =>
      Object.assign(metadata, { deletionTimestamp: null }),
    );
    t.equal(verdictOf(await update(staying, image)), '422 NOTARY_CONFIG_INVALID');
  });
  await t.test('is never changed by us, and may always be deleted', async (t) => {
    const cluster = memoryCluster([]);
    t.equal(verdictOf(await ask('mutate', malformed, cluster)), 'allowed');
    const response = await ask('validate', malformed, cluster, { operation: 'DELETE' });
    t.equal(verdictOf(response), 'allowed');
  });
  await t.test('without a section or annotations of ours is no concern of ours', async (t) => {
    const plain = changed(image, ({ spec }) => delete spec['notary']);
    t.equal(verdictOf(await ask('validate', plain, memoryCluster([]))), 'allowed');
    const other = { ...malformed, apiVersion: 'images.example.com/v1' };
    t.equal(verdictOf(await ask('validate', other, memoryCluster([]))), 'allowed', 'another group');
  });
});

/** A cluster that cannot tell objects of one kind. */
function failing(cluster: Cluster, kind: string): Cluster {
  return {
    get: (reference) =>
      reference.kind === kind
        ? Promise.reject(new ClusterError(`GET ${kind} failed`, { fix: `Mend the ${kind}.` }))
        : cluster.get(reference),
  };
}
