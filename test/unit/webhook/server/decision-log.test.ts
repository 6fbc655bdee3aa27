import t from 'tap';
import { admissionReview } from '../../../bed/webhook.ts';
import {
  buildFixture,
  type BuildFixture,
  manifestsOf,
  section,
  setSection,
  signingNamespace,
} from '../../../support/build-fixture.ts';
import { unreadable, memoryCluster } from '../../../support/asking.ts';
import { post, review, serve } from '../../../support/served.ts';

const clusterOf = (given: BuildFixture) => memoryCluster(manifestsOf(given));

function linesOf(log: string): Record<string, unknown>[] {
  return log
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

t.test('every decision is one line in the log', async (t) => {
  const given = buildFixture();
  const { app, log } = serve(t, clusterOf(given));
  const { uid } = await review(t, app, 'mutate', { object: given.pod });
  await review(t, app, 'validate', { object: given.pod }, (request) => (request['dryRun'] = true));
  await review(t, app, 'mutate', { object: given.pod, username: 'developer' });
  await review(t, app, 'validate', { object: { ...given.image } });
  const lines = linesOf(log());
  t.match(lines, [
    {
      msg: 'reviewed',
      uid,
      question: 'mutate',
      kind: 'Pod',
      operation: 'CREATE',
      namespace: 'apps',
      name: 'app-build-1-build-pod',
      owner: 'Build/app-build-1',
      username: 'system:serviceaccount:kpack:controller',
      dryRun: false,
      mode: 'enforce',
      decision: 'patch',
      code: 'INJECTED',
      reason: 'to be signed',
      warnings: [/^no root pin: /],
      ms: Number,
    },
    { question: 'validate', dryRun: true, decision: 'deny', code: 'SIGNER_MISSING' },
    { decision: 'deny', code: 'REQUESTER_NOT_KPACK', username: 'developer', warnings: undefined },
    { kind: 'Image', name: 'app', owner: undefined, decision: 'allow', code: 'WELL_FORMED' },
  ]);
  t.equal(lines.length, 4);
  t.notMatch(log(), /notary-url=|initContainers|"op":/, 'never the patch');
});

t.test('in audit mode the line says what would have been', async (t) => {
  const given = buildFixture('v0.17.2/02-notary', signingNamespace('audit'));
  const { app, log } = serve(t, clusterOf(given));
  await review(t, app, 'mutate', { object: given.pod });
  setSection(given, section('ftp://x'));
  const { allowed } = await review(t, app, 'mutate', { object: given.pod });
  t.ok(allowed);
  t.match(linesOf(log()), [
    { mode: 'audit', decision: 'patch', code: 'INJECTED' },
    { mode: 'audit', decision: 'deny', code: 'NOTARY_CONFIG_INVALID', reason: /would be refused/ },
  ]);
});

t.test('a line has a bounded length, whatever is sent', async (t) => {
  const given = buildFixture();
  const huge = 'x'.repeat(300 * 1024);
  given.pod.metadata.annotations = { ...given.pod.metadata.annotations, [huge]: huge };
  given.pod.metadata.ownerReferences = [
    { apiVersion: 'v1', kind: huge, name: huge, uid: huge, controller: true },
  ];
  setSection(given, { [huge]: huge, v1: { url: huge, secretRef: huge } });
  const { app, log } = serve(t, clusterOf(given));
  const change = (request: Record<string, unknown>) => {
    request['name'] = request['operation'] = huge;
    request['userInfo'] = { username: huge };
  };
  await review(t, app, 'mutate', { object: given.pod }, change);
  const image = { ...given.image, metadata: { ...given.image?.metadata, name: huge } };
  await review(t, app, 'validate', { object: image });
  await post(app, '/mutate', admissionReview({ object: Object.assign(given.pod, { kind: huge }) }));
  const broken = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', [huge]: huge };
  await post(app, '/mutate', broken);
  for (const line of log().trim().split('\n')) t.ok(line.length < 10_000, `${line.length}`);
});

t.test('odd owners do not keep a decision from being logged', async (t) => {
  const given = buildFixture();
  const odd = { toString: 1, valueOf: 1 };
  for (const owners of [
    ...[null, {}, 'x', [null], [{}], [{ controller: true }]],
    [{ controller: true, kind: odd, name: odd }],
  ]) {
    const { app, log } = serve(t, clusterOf(given));
    const metadata = { name: 'x', namespace: 'apps', ownerReferences: owners };
    await review(t, app, 'mutate', { object: { kind: 'Other', apiVersion: 'v1', metadata } });
    t.equal(linesOf(log()).length, 1, JSON.stringify(owners));
  }
  for (const object of [null, 5, 'x', [], { metadata: null }, { metadata: 'x' }]) {
    const { app, log } = serve(t, clusterOf(given));
    const change = (request: Record<string, unknown>) => (request['object'] = object);
    await review(t, app, 'mutate', { object: given.pod }, change);
    t.equal(linesOf(log()).length, 1, JSON.stringify(object));
  }
});

t.test('a permission that is missing is named with the rule that grants it', async (t) => {
  const given = buildFixture();
  const { app, log } = serve(t, unreadable(clusterOf(given), 'Build'));
  await review(t, app, 'mutate', { object: given.pod });
  t.match(linesOf(log()), [{ decision: 'deny', code: 'CLUSTER_UNAVAILABLE', reason: /Fix: Mend/ }]);
});
