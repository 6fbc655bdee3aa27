import t from 'tap';
import type { Cluster } from '../../../../src/shared/kubernetes/cluster.ts';
import { parseReview } from '../../../../src/webhook/admission/admission.ts';
import { routeReview } from '../../../../src/webhook/admission/router.ts';
import { admissionReview, KPACK_USER } from '../../../bed/webhook.ts';
import {
  buildFixture,
  changed,
  type Manifest,
  P,
  section,
  signingNamespace,
} from '../../../support/build-fixture.ts';
import { ask, memoryCluster, mutate, SETTINGS, verdictOf } from '../../../support/asking.ts';
import { objectThatSays } from '../../../support/notary-rule.ts';

const BY_DEVELOPER = { username: 'developer' };
const EMPTY = memoryCluster([]);
const image = (notary: unknown, annotations: Record<string, string> = {}) =>
  objectThatSays('Image', 'kpack.io/v1alpha1', { notary, annotations });
const MALFORMED = image({ v1: { url: 'x' } }, { [`${P}v1.ulr`]: 'x' });
const update = (object: object, oldObject: object, username = 'developer') =>
  ask('validate', object, EMPTY, { operation: 'UPDATE', oldObject, username });

t.test('an object that is malformed', async (t) => {
  await t.test('may be left so, with a warning for each thing that is wrong', async (t) => {
    for (const change of [
      (image: Manifest) => (image.metadata.labels = { team: 'a' }),
      (image: Manifest) => (image.spec = { ...image.spec, tag: 'registry.example.com/other' }),
      (image: Manifest) =>
        (image.metadata.annotations = { other: 'x', ...image.metadata.annotations }),
    ]) {
      const response = await update(changed(MALFORMED, change), MALFORMED);
      t.equal(verdictOf(response), 'allowed');
      for (const warning of response.warnings ?? []) {
        t.match(warning, 'kpack-notary: malformed, as before: ');
      }
      t.match(response.warnings?.join(), 'spec.notary.v1.url of Image app: found ');
      t.match(response.warnings?.join(), 'spec.notary.v1.secretRef of Image app: found ');
    }
  });
  await t.test('says the same without a section as with one that is null', async (t) => {
    const [absent, isNull] = [undefined, null].map((notary) => image(notary, { [`${P}x`]: 'x' }));
    t.equal(verdictOf(await update(absent ?? {}, isNull ?? {})), 'allowed');
    t.equal(verdictOf(await update(isNull ?? {}, absent ?? {})), 'allowed');
  });
  await t.test('may not become malformed in another way', async (t) => {
    for (const change of [
      (image: Manifest) => (image.spec = { ...image.spec, notary: { v1: { url: 'y' } } }),
      (image: Manifest) => delete image.spec?.['notary'],
      (image: Manifest) => (image.metadata.annotations = { [`${P}v1.ulr`]: 'y' }),
      (image: Manifest) =>
        (image.metadata.annotations = { ...image.metadata.annotations, [`${P}v2.x`]: 'y' }),
    ]) {
      const response = await update(changed(MALFORMED, change), MALFORMED);
      t.equal(verdictOf(response), '422 NOTARY_CONFIG_INVALID');
    }
  });
  await t.test('may stay so while it is deleted', async (t) => {
    const plain = image(section());
    const at = (deletionTimestamp: unknown) =>
      changed(MALFORMED, ({ metadata }) => Object.assign(metadata, { deletionTimestamp }));
    const response = await update(at('2026-06-17T10:48:23Z'), plain);
    t.equal(verdictOf(response), 'allowed');
    t.match(response.warnings?.[0], 'kpack-notary: malformed, and being deleted: ');
    t.equal(verdictOf(await update(at(null), plain)), '422 NOTARY_CONFIG_INVALID');
  });
  await t.test('is never refused to kpack, which copies what people wrote', async (t) => {
    const plain = image(section());
    const other = 'system:serviceaccount:build-system:kpack';
    const kpackUsers = [other];
    for (const [username, settings, isKpack] of [
      [KPACK_USER, {}, true],
      [other, { kpackUsers }, true],
      [KPACK_USER, { kpackUsers }, false],
      ['system:serviceaccount:apps:controller', {}, false],
    ] as const) {
      const options = { operation: 'UPDATE', oldObject: plain, username, settings } as const;
      const response = await ask('validate', MALFORMED, EMPTY, options);
      t.equal(verdictOf(response), isKpack ? 'allowed' : '422 NOTARY_CONFIG_INVALID', username);
      if (isKpack) t.match(response.warnings?.[0], 'so its pod is going to be refused: ');
    }
  });
  await t.test('is told in few warnings, however much is wrong', async (t) => {
    const annotations = Object.fromEntries(
      Array.from({ length: 500 }, (_, i) => [`${P}x${i}`, 'x'.repeat(100)]),
    );
    const { warnings = [] } = await ask('validate', image({}, annotations), EMPTY);
    t.equal(warnings.length, 5);
    for (const warning of warnings) t.ok(warning.length <= 256);
    const response = await ask('validate', image({}, annotations), EMPTY, BY_DEVELOPER);
    t.ok((response.status?.message.length ?? 0) < 4_000);
    t.match(
      response.status?.message,
      /found 500 unknown annotations that begin with notary\.kpack\.io\/; .* Fix: /,
    );
  });
  await t.test('is nothing that we change, nor that cannot be deleted', async (t) => {
    t.equal(verdictOf(await ask('mutate', MALFORMED, EMPTY, BY_DEVELOPER)), 'allowed');
    const response = await ask('validate', MALFORMED, EMPTY, {
      operation: 'DELETE',
      ...BY_DEVELOPER,
    });
    t.equal(verdictOf(response), 'allowed');
  });
});

t.test('what is nested deeply is refused for its form, not by a mistake of ours', async (t) => {
  const deep = (depth: number) => image(JSON.parse(`${'['.repeat(depth)}${']'.repeat(depth)}`));
  for (const oldObject of [image(section()), deep(9_000)]) {
    const body = admissionReview({ object: oldObject, operation: 'UPDATE', ...BY_DEVELOPER });
    const request = { ...parseReview(body), object: deep(9_000), oldObject };
    const verdict = await routeReview('validate', request, { ...SETTINGS, cluster: EMPTY });
    t.match(verdict, { kind: 'deny', code: 'NOTARY_CONFIG_INVALID' });
  }
});

t.test('system namespaces, and our own, are left alone whatever asks', async (t) => {
  const own = { settings: { ownNamespace: 'kpack-notary' }, ...BY_DEVELOPER };
  for (const name of ['kube-system', 'kube-public', 'kube-node-lease', 'kpack-notary']) {
    const labels = { [`${P}signing`]: 'enable' };
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
    const inside = changed(MALFORMED, ({ metadata }) =>
      Object.assign(metadata, { namespace: name }),
    );
    for (const object of [namespace, inside]) {
      const answer = await ask('validate', object, EMPTY, own);
      t.equal(verdictOf(answer), 'allowed', `${object.kind} ${name}`);
      t.equal(answer.warnings, undefined);
    }
  }
});

t.test('the status of an object is not judged', async (t) => {
  const body = admissionReview({ object: MALFORMED, operation: 'UPDATE', ...BY_DEVELOPER });
  const request = { ...parseReview(body), subResource: 'status' };
  const verdict = await routeReview('validate', request, { ...SETTINGS, cluster: EMPTY });
  t.match(verdict, { kind: 'allow', code: 'NOT_OURS' });
});

t.test('what says nothing about signing costs no read and no word', async (t) => {
  const never: Cluster = { ...EMPTY, get: () => Promise.reject(new TypeError('read')) };
  for (const object of [
    image(undefined),
    image(null, { 'kpack.io/notary.v1': 'x' }),
    image(undefined, { [`${P}signing`]: 'disabled' }),
    objectThatSays('Build', 'kpack.io/v1alpha2', {}),
    objectThatSays('Namespace', 'v1', { labels: { [`${P}signing`]: 'enabled', team: 'a' } }),
    { ...MALFORMED, apiVersion: 'images.example.com/v1' },
    { ...MALFORMED, kind: 'Builder' },
  ]) {
    t.equal(verdictOf(await ask('validate', object, never, BY_DEVELOPER)), 'allowed');
  }
  const same = { operation: 'UPDATE', oldObject: image(section()), ...BY_DEVELOPER } as const;
  t.same((await ask('validate', image(section()), never, same)).warnings, undefined);
});

t.test('a Namespace', async (t) => {
  const namespace = (value: string, annotations: Record<string, string> = {}) =>
    signingNamespace(value, annotations);
  const before = namespace('enable', { [`${P}v1.url`]: 'x' });
  const changes = (object: Manifest) => update(object, before).then(verdictOf);
  t.equal(
    await changes(changed(before, ({ metadata }) => ((metadata.labels ??= {})['team'] = 'a'))),
    'allowed',
  );
  t.equal(
    await changes(namespace('enabled', before.metadata.annotations)),
    '422 NOTARY_CONFIG_INVALID',
  );
  t.equal(await changes(namespace('enable')), '422 NAMESPACE_LABEL_INVALID');
  t.equal(await changes(namespace('enabled')), 'allowed');
  const both = await ask('validate', before, EMPTY, BY_DEVELOPER);
  t.match(both.status?.message, `metadata.labels[${P}signing] of Namespace apps: found "enable"`);
  t.match(both.status?.message, `metadata.annotations[${P}v1.url] of Namespace apps: found "x"`);
});

t.test('who reads the message at the build pod reads what the Image would have told', async (t) => {
  // kpack copies the section of the Image; where that is another by now, the Build is named.
  const given = buildFixture();
  for (const object of [given.build, given.image]) if (object) object.spec['notary'] = {};
  t.match((await mutate(given)).status?.message, 'spec.notary.v1 of Image app: found nothing');
  if (given.image) given.image.spec['notary'] = section();
  t.match((await mutate(given)).status?.message, 'spec.notary.v1 of Build app-build-1: found');
});
