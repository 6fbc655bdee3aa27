import { once } from 'node:events';
import t, { type Test } from 'tap';
import { createAuthority, type Authority } from '../bed/authority.ts';
import { spawnBound } from '../bed/child.ts';
import {
  ADMIN,
  ADMIN_V2,
  annotate,
  buildFixture,
  type BuildFixture,
  changed,
  DEVELOPER,
  type Manifest,
  manifestsOf,
  P,
  PIN,
  secret,
  section,
  setSection,
  signingNamespace,
  unconfiguredBuild,
  writeManifests,
} from '../support/build-fixture.ts';
import { inject } from '../support/asking.ts';
import { runExplain } from '../support/explain-run.ts';
import { startApi } from '../support/kubernetes-api.ts';
import { PROGRAM } from '../support/program.ts';

let authority: Authority;
t.before(async () => {
  authority = await createAuthority(t.testdir());
});

const CANARY = 'canary-of-a-secret';

/** All objects of a build, its Secrets full of canaries. */
function everything(given: BuildFixture): Manifest[] {
  for (const { data } of given.secrets) {
    for (const name of Object.keys(data)) data[name] = Buffer.from(CANARY).toString('base64');
  }
  return manifestsOf(given);
}

async function explain(t: Test, manifests: readonly Manifest[], args: readonly string[] = []) {
  const directory = t.testdir();
  await writeManifests(`${directory}/manifests`, manifests);
  const run = await runExplain(directory, ['--manifests=manifests', '-n', 'apps', ...args]);
  t.notMatch(run.stdout + run.stderr, CANARY);
  t.notMatch(run.stdout + run.stderr, Buffer.from(CANARY).toString('base64'));
  return run;
}

t.test('where nobody reads, or the disk is full, it ends without a stack', async (t) => {
  const directory = t.testdir();
  await writeManifests(`${directory}/manifests`, everything(buildFixture('v0.17.2/02-notary')));
  const line = `node '${PROGRAM}' explain --manifests=manifests -n apps`;
  const endOf = async (script: string, isRead: boolean) => {
    const child = spawnBound({ program: 'sh', args: ['-c', script], directory });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
    if (!isRead) child.stdout.destroy();
    const [exitCode] = (await once(child, 'close')) as [number | null];
    return { exitCode, stderr };
  };
  const withReader = await runExplain(directory, ['--manifests=manifests', '-n', 'apps']);
  t.same(await endOf(`exec ${line}`, false), { exitCode: withReader.exitCode, stderr: '' });
  t.same(await endOf(`exec ${line} > /dev/full`, true), { exitCode: 1, stderr: '' });
});

t.test('an Image that would be signed: with what, and who says so', async (t) => {
  const given = buildFixture('v0.17.2/02b-notary-registry-secrets');
  annotate(given, { [`${P}v1.rootPin`]: PIN, [`${P}v1.caSecretRef`]: 'notary-ca' });
  const manifests = [...everything(given), secret('notary-ca', { 'ca.crt': CANARY })];
  const { exitCode, stdout } = await explain(t, manifests);
  t.equal(exitCode, 0);
  t.match(stdout, /^Image apps\/app: would be signed$/m);
  t.match(stdout, /why +INJECTED: to be signed$/m);
  t.match(stdout, /server +https:\/\/notary\.example\.com:4443, by spec\.notary of Image app$/m);
  t.match(stdout, /key +Secret notary-signing$/m);
  t.match(stdout, /CA +Secret notary-ca$/m);
  t.match(stdout, /credentials +Secret notary-creds$/m);
  t.match(stdout, `root pin     ${PIN}`);
  t.match(stdout, /on failure +the build fails$/m);
  t.match(stdout, /tag +registry\.example\.com\/team\/app$/m);
  t.notMatch(stdout, /NOT FOUND|warning/);
});

t.test('an Image that would be signed with v2: with what, and who says so', async (t) => {
  const ca = { [`${P}v2.registryCaSecretRef`]: 'registry-ca' };
  const given = buildFixture(
    'v0.17.2/02b-notary-registry-secrets',
    signingNamespace('enabled', { ...ADMIN_V2, ...ca, [`${P}v2.on-failure`]: 'warn' }),
  );
  annotate(given, { [`${P}v1.rootPin`]: PIN });
  const there = ['admin-v2-key', 'admin-timestamp-ca', 'registry-ca'].map((name) =>
    secret(name, { 'ca.crt': CANARY, 'tls.key': CANARY }),
  );
  const { exitCode, stdout } = await explain(t, [...everything(given), ...there]);
  t.equal(exitCode, 0, stdout);
  t.match(stdout, /server +https:\/\/notary\.example\.com:4443, by spec\.notary of Image app$/m);
  t.match(stdout, /v2 key +Secret admin-v2-key, by annotations of Namespace apps$/m);
  t.match(
    stdout,
    /v2 timestamp https:\/\/timestamp\.admin\.example\.com, its CA in Secret admin-timestamp-ca$/m,
  );
  t.match(stdout, /v2 expiry +720h$/m);
  t.match(stdout, /v2 failure +v1 alone decides about the build$/m);
  t.match(stdout, /registry CA +Secret registry-ca$/m);
  t.notMatch(stdout, /NOT FOUND|warning/);

  const missing = await explain(t, everything(given));
  t.equal(missing.exitCode, 1);
  t.match(missing.stdout, /NOT FOUND +Secret admin-v2-key \(the v2 signing key\)$/m);
  t.match(
    missing.stdout,
    /NOT FOUND +Secret admin-timestamp-ca \(the CA of the timestamp server\)$/m,
  );
  t.match(missing.stdout, /NOT FOUND +Secret registry-ca \(the CA of the registry\)$/m);

  const alone = unconfiguredBuild();
  annotate(alone, { [`${P}v2.secretRef`]: 'developer-v2-key' });
  const key = secret('developer-v2-key', { 'tls.key': CANARY });
  const v2 = await explain(t, [...everything(alone), key]);
  t.equal(v2.exitCode, 0, v2.stdout);
  t.match(v2.stdout, /v2 key +Secret developer-v2-key, by annotations of Image app$/m);
  t.match(
    v2.stdout,
    /v2 timestamp none: signatures end with the certificates; see \S+timestampUrl$/m,
  );
  t.match(v2.stdout, /warning +service account builder has no docker Secret for registry\.ex/m);
  t.notMatch(v2.stdout, /^ +(?:server|key|registry CA|v2 expiry|v2 failure) /m);
});

t.test('it says which level decides', async (t) => {
  const cases: Record<string, readonly [BuildFixture, source: RegExp]> = {
    section: [buildFixture(), /by spec\.notary of Image app$/m],
    annotations: [unconfiguredBuild(), /developer\.example\.com, by annotations of Image app$/m],
    namespace: [
      unconfiguredBuild(ADMIN),
      /admin\.example\.com, by annotations of Namespace apps$/m,
    ],
  };
  annotate(cases['annotations']?.[0] ?? buildFixture(), DEVELOPER);
  for (const [what, [given, source]] of Object.entries(cases)) {
    await t.test(what, async (t) => t.match((await explain(t, everything(given))).stdout, source));
  }
});

t.test('what is left on purpose is no failure, what is refused is one', async (t) => {
  const optedOut = buildFixture();
  annotate(optedOut, { [`${P}signing`]: 'disabled' });
  const malformed = buildFixture();
  setSection(malformed, section('ftp://x'));
  const audited = buildFixture('v0.17.2/02-notary', signingNamespace('audit'));
  setSection(audited, section('ftp://x'));
  const cases: Record<string, readonly [BuildFixture, exitCode: number, text: RegExp]> = {
    'no label': [
      buildFixture('v0.17.2/02-notary', signingNamespace('')),
      0,
      /left unsigned\n.*NAMESPACE_OFF/,
    ],
    'no section': [unconfiguredBuild(), 0, /left unsigned\n.*NO_CONFIG/],
    'opted out': [optedOut, 0, /left unsigned\n.*OPTED_OUT: .*disabled on the Image/],
    'a malformed section': [
      malformed,
      1,
      /would be refused\n.*NOTARY_CONFIG_INVALID: spec\.notary\.v1\.url .*\n +fix +Correct/,
    ],
    'a malformed section in audit mode': [audited, 1, /would be refused \(audit mode/],
    'a mistyped label': [
      buildFixture('v0.17.2/02-notary', signingNamespace('enable')),
      1,
      /NAMESPACE_LABEL_INVALID: .*expected enabled \(did you mean that\?\)/,
    ],
  };
  for (const [what, [given, exitCode, text]] of Object.entries(cases)) {
    await t.test(what, async (t) => {
      const run = await explain(t, everything(given));
      t.equal(run.exitCode, exitCode);
      t.match(run.stdout, text);
    });
  }
});

t.test('what cannot be found is told', async (t) => {
  const given = buildFixture('v0.17.2/02b-notary-registry-secrets');
  annotate(given, { [`${P}v1.caSecretRef`]: 'notary-ca' });
  const without = (...names: string[]) =>
    everything(given).filter(({ kind, metadata }) => !names.includes(`${kind} ${metadata.name}`));
  const { exitCode, stdout } = await explain(
    t,
    without('Secret notary-signing', 'Secret notary-creds'),
  );
  t.equal(exitCode, 1);
  t.match(stdout, /NOT FOUND +Secret notary-signing \(the signing key\)$/m);
  t.match(stdout, /NOT FOUND +Secret notary-ca \(the CA of the server\)$/m);
  t.match(stdout, /NOT FOUND +Secret notary-creds \(named by ServiceAccount builder\)$/m);
  t.match(
    stdout,
    /warning +service account builder has no credentials for notary\.example\.com:4443\./,
  );

  const account = await explain(t, without('ServiceAccount builder', 'Secret notary-ca'));
  t.equal(account.exitCode, 1);
  t.match(account.stdout, /NOT FOUND +ServiceAccount builder$/m);

  const named = await explain(t, everything(given), ['image/other', 'pod/none', 'image/app']);
  t.equal(named.exitCode, 1);
  t.match(named.stdout, /^Image apps\/other: NOT FOUND$/m);
  t.match(named.stdout, /^Pod apps\/none: NOT FOUND$/m);

  const nobody = await explain(t, without('Namespace apps'));
  t.equal(nobody.exitCode, 1);
  t.match(nobody.stdout, /unknown\n.*Namespace apps cannot be found/);
});

t.test('Builds and pods are explained as what they are', async (t) => {
  const given = buildFixture();
  const pod = given.pod as unknown as Manifest;
  const manifests = [...everything(given), pod];
  const all = await explain(t, manifests);
  t.match(all.stdout, /^Image apps\/app: /m);
  t.match(all.stdout, /^Pod apps\/app-build-1-build-pod: would be signed$/m);
  t.equal(all.exitCode, 0);
  const build = await explain(t, manifests, ['build/app-build-1']);
  t.match(build.stdout, /^Build apps\/app-build-1: would be signed$/m);
  t.notMatch(build.stdout, /^(Image|Pod)/m);

  const injected = (await inject(given)) as unknown as Manifest;
  const signer =
    '--signer-image=registry.example.com/kpack-notary/signer@sha256:' + '0f'.repeat(32);
  const there = await explain(
    t,
    [...everything(given), injected],
    ['pod/app-build-1-build-pod', signer],
  );
  t.match(there.stdout, /it has its container notary-sign/);
  t.match(there.stdout, /^Signer image .*: not checked \(offline\)$/m);
  t.equal(there.exitCode, 0);

  const exposed = changed(given.pod, ({ spec }) => {
    spec.volumes?.push({ name: 'x', secret: { secretName: 'notary-signing' } });
    spec.containers[0]?.volumeMounts?.push({ name: 'x', mountPath: '/x' });
  }) as unknown as Manifest;
  const refused = await explain(t, [...everything(given), exposed], ['pod/app-build-1-build-pod']);
  t.match(refused.stdout, /would be refused\n.*SECRET_EXPOSED/);
  t.equal(refused.exitCode, 1);
});

t.test('manifests as people write them, without UIDs, are enough', async (t) => {
  const image = {
    apiVersion: 'kpack.io/v1alpha1',
    kind: 'Image',
    metadata: { name: 'app', namespace: 'apps' },
    spec: { tag: 'registry.example.com/app', serviceAccount: 'x', notary: section() },
  };
  const account = {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'x', namespace: 'apps' },
  };
  const manifests = [
    signingNamespace(),
    image,
    account,
    secret('notary-signing', { 'a.key': CANARY }),
  ];
  const { exitCode, stdout } = await explain(t, manifests);
  t.match(stdout, /^Image apps\/app: would be signed$/m);
  t.equal(exitCode, 0, stdout);
});

t.test('what people wrote forges no line, and tells a terminal nothing', async (t) => {
  const given = buildFixture();
  const image = given.image ?? given.build;
  image.spec['tag'] = 'registry.example.com/a\u001b[2J\nImage apps/other: would be signed\u202e';
  const { stdout } = await explain(t, everything(given));
  t.match(stdout, 'tag          registry.example.com/a\\u001b[2J\\u000aImage apps/other');
  t.notMatch(stdout, /^Image apps\/other|\u001b|\u202e/m);
});

t.test('as JSON, the same', async (t) => {
  const { stdout } = await explain(t, everything(buildFixture()), ['--output=json']);
  t.match(JSON.parse(stdout), {
    explanations: [
      { kind: 'Image', name: 'app', outcome: 'signed', signing: { secret: 'notary-signing' } },
    ],
    absent: [],
  });
  const v2 = unconfiguredBuild(ADMIN_V2);
  const alone = await explain(t, everything(v2), ['--output=json']);
  const { explanations } = JSON.parse(alone.stdout) as { explanations: { signing: object }[] };
  t.same(explanations[0]?.signing, {
    v2: {
      source: 'annotations of Namespace apps',
      secret: 'admin-v2-key',
      timestamp: {
        url: 'https://timestamp.admin.example.com',
        caSecret: 'admin-timestamp-ca',
      },
      expiry: '720h',
      onFailure: 'fail',
    },
    onFailure: 'fail',
    tags: ['registry.example.com/team/app'],
  });
});

t.test('a bad command line says all that is wrong, and ends it with 2', async (t) => {
  const { exitCode, stderr, stdout } = await runExplain(t.testdir(), [
    'app',
    'image/',
    'secret/x',
    'constructor/x',
    '--kubeconfig=a',
    '--manifests=b',
    '--output=xml',
    '--signer-image=A',
    '--name-space=x',
  ]);
  t.equal(exitCode, 2);
  t.equal(stdout, '');
  for (const text of [
    'argument 1 is not image/NAME, build/NAME or pod/NAME',
    'argument 2 is not',
    'argument 3 is not',
    'argument 4 is not',
    'exclude each other',
    '--output is text or json',
    '--signer-image: ',
    'did you mean --namespace?',
  ]) {
    t.match(stderr, text);
  }
  t.equal(stderr.trim().split('\n').length, 1);
});

t.test('kpack that serves v1alpha1 alone is asked for that', async (t) => {
  const given = buildFixture();
  const image = changed(given.image ?? given.build, (copy) => {
    Object.assign(copy, { apiVersion: 'kpack.io/v1alpha1' });
  });
  const api = await startApi(t, authority, [...everything({ ...given, image: undefined }), image]);
  const directory = t.testdir();
  // As an API server answers for a version that it does not serve.
  api.answer((response, _, count) =>
    count === 1 ? void response.writeHead(404).end('404 page not found\n') : api.serve(),
  );
  const args = [`--kubeconfig=${await api.kubeconfig(directory)}`, '-n=apps', 'image/app'];
  const { stdout, exitCode } = await runExplain(directory, args);
  t.match(stdout, /^Image apps\/app: would be signed$/m);
  t.equal(exitCode, 0);
});

t.test('online it says the same as offline', async (t) => {
  const given = buildFixture('v0.17.2/02b-notary-registry-secrets');
  const manifests = everything(given);
  const offline = await explain(t, manifests);
  const api = await startApi(t, authority, manifests);
  const directory = t.testdir();
  const kubeconfig = await api.kubeconfig(directory);
  const args = [`--kubeconfig=${kubeconfig}`, '--namespace=apps'];
  const online = await runExplain(directory, args);
  t.same(online, offline);
  t.notMatch(online.stdout, /canary/);

  api.answer((response) => void response.writeHead(403).end('{}'));
  const forbidden = await runExplain(directory, args);
  t.equal(forbidden.exitCode, 1);
  t.match(forbidden.stderr, /resources: \["images"\], verbs: \["list"\]/);
  t.equal(forbidden.stderr.trim().split('\n').length, 1);
});
