import t from 'tap';
import { applyPatch, KPACK_USER } from '../../../bed/webhook.ts';
import {
  ADMIN,
  annotate,
  buildFixture,
  type BuildFixture,
  changed,
  P,
  section,
  setSection,
  signingNamespace,
  unconfiguredBuild,
} from '../../../support/build-fixture.ts';
import {
  inject,
  mutate,
  refusedBy,
  untouchedBy,
  validate,
  verdictOf,
} from '../../../support/asking.ts';
import { container, initContainers, SIGNER } from '../../../support/pod.ts';
import { withoutKpackSigner } from '../../../support/pod-changes.ts';

t.test('who posts the pod', async (t) => {
  for (const username of [
    'developer',
    'system:serviceaccount:apps:controller',
    'system:anonymous',
  ]) {
    const message = await refusedBy(t, buildFixture(), '422 REQUESTER_NOT_KPACK', { username });
    t.ok(message.includes(`${username} posted a pod of Build app-build-1`));
    t.match(message, '--kpack-user');
    t.match(message, KPACK_USER);
  }
  const kpackUsers = [KPACK_USER, 'system:serviceaccount:build-system:kpack'];
  for (const username of kpackUsers) {
    t.equal(
      verdictOf(await mutate(buildFixture(), { username, settings: { kpackUsers } })),
      'patched',
    );
  }
  const response = await mutate(buildFixture(), { settings: { kpackUsers: ['other'] } });
  t.equal(verdictOf(response), '422 REQUESTER_NOT_KPACK');
});

t.test('the namespace label', async (t) => {
  for (const label of ['Enabled', 'enable', 'on', 'true', '', 'audited', 'DISABLED', 'off']) {
    const given = buildFixture();
    given.namespace.metadata.labels = { [`${P}signing`]: label };
    const message = await refusedBy(t, given, '422 NAMESPACE_LABEL_INVALID');
    const found = `metadata.labels[${P}signing] of Namespace apps: found "${label}"`;
    t.ok(message.includes(found), label);
    t.match(message, /enabled, audit or disabled/);
    if (label === 'Enabled') t.match(message, 'expected enabled (did you mean that?)');
  }
  for (const labels of [{ [`${P}signing`]: 'disabled' }, { other: 'enabled' }, {}]) {
    const namespace = signingNamespace();
    namespace.metadata.labels = labels;
    for (const make of [
      () => buildFixture('v0.17.2/02-notary', namespace),
      () => {
        const given = buildFixture('v0.2.0/08b-windows-notary', namespace);
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
  await untouchedBy(t, buildFixture('v0.17.2/02-notary', bare));
});

t.test('an Image that opts out is left unsigned, which its pod says', async (t) => {
  for (const given of [buildFixture(), unconfiguredBuild(ADMIN)]) {
    annotate(given, { [`${P}signing`]: 'disabled' });
    const pod = await inject(given);
    const { annotations = {} } = pod.metadata;
    t.match(annotations[`${P}skipped`], /signing: disabled on the Image/);
    const rest = changed(pod, (pod) => delete pod.metadata.annotations?.[`${P}skipped`]);
    t.strictSame(rest, withoutKpackSigner(given.pod));
    const { warnings = [] } = await mutate(given);
    t.match(warnings[0], 'kpack-notary: left unsigned');
    const isSignedByKpack = given.build.spec['notary'] !== undefined;
    t.equal(warnings.length, isSignedByKpack ? 2 : 1);
    if (isSignedByKpack) {
      t.match(warnings[1], "removes kpack's own Notary signature as well");
      const unchanged = await validate(given, given.pod);
      t.equal(verdictOf(unchanged), '503 KPACK_SIGNER_LEFT', 'kpack posts it again');
    }
    t.equal(verdictOf(await mutate(given, { pod })), 'allowed');
    t.equal(verdictOf(await validate(given, pod)), 'allowed');
  }
});

t.test('a build that nobody wants signed is left unsigned, which its pod says', async (t) => {
  const given = unconfiguredBuild();
  const pod = await inject(given);
  t.match(pod.metadata.annotations, { [`${P}skipped`]: /neither Image nor Namespace/ });
  t.notOk(container(pod, 'completion').args?.includes(SIGNER));
  t.notMatch(initContainers(pod), [{ name: SIGNER }]);
  t.equal(verdictOf(await validate(given, given.pod)), 'allowed');
});

t.test('no annotation of an Image but ours lets its build through unsigned', async (t) => {
  // kpack copies all annotations of an Image to the pods of its builds.
  for (const annotation of [
    'kubernetes.io/config.mirror',
    'kubernetes.io/config.source',
    'sidecar.istio.io/inject',
    'kpack.io/build',
  ]) {
    const given = buildFixture();
    annotate(given, { [annotation]: 'x' });
    t.equal(verdictOf(await mutate(given)), 'patched', annotation);
    t.equal(verdictOf(await validate(given, given.pod)), '503 SIGNER_MISSING', annotation);
  }
});

t.test('a pod of kpack is never let through without proof of who owns it', async (t) => {
  const notOfABuild = ['422 OWNER_NOT_BUILD', /no Build of kpack.io is its controller/] as const;
  const unproven = (reason: RegExp) => ['503 OWNER_UNPROVEN', reason] as const;
  const owner = (change: (reference: Record<string, unknown>) => void) => () => {
    const given = buildFixture();
    for (const reference of given.pod.metadata.ownerReferences ?? []) {
      change(reference as unknown as Record<string, unknown>);
    }
    return given;
  };
  const uid = (object: { metadata: object } | undefined) =>
    Object.assign(object?.metadata ?? {}, { uid: 'another' });
  const cases: Record<string, readonly [() => BuildFixture, readonly [string, RegExp]]> = {
    'no owner': [
      () => {
        const given = buildFixture();
        delete given.pod.metadata.ownerReferences;
        return given;
      },
      notOfABuild,
    ],
    'an owner of another group': [
      owner((reference) => (reference['apiVersion'] = 'kpack.io.example.com/v1alpha2')),
      notOfABuild,
    ],
    'an owner of the core group': [
      owner((reference) => (reference['apiVersion'] = 'kpack.io')),
      notOfABuild,
    ],
    'an owner of another kind': [owner((reference) => (reference['kind'] = 'Image')), notOfABuild],
    'an owner that does not control it': [
      owner((reference) => (reference['controller'] = false)),
      notOfABuild,
    ],
    'an owner that does not say so': [
      owner((reference) => delete reference['controller']),
      notOfABuild,
    ],
    'a Build that is not there': [
      owner((reference) => (reference['name'] = 'other')),
      unproven(/Build other does not exist/),
    ],
    'a Build of another namespace': [
      () => {
        const given = buildFixture();
        Object.assign(given.build.metadata, { namespace: 'elsewhere' });
        return given;
      },
      unproven(/Build app-build-1 does not exist/),
    ],
    'a Build with another UID': [
      () => {
        const given = buildFixture();
        uid(given.build);
        return given;
      },
      unproven(/Build app-build-1 has another UID than the owner of the pod/),
    ],
    'a Build whose Image is not there': [
      () => ({ ...buildFixture(), image: undefined }),
      unproven(/Image app does not exist/),
    ],
    'a Build whose Image has another UID': [
      () => {
        const given = buildFixture();
        uid(given.image);
        return given;
      },
      unproven(/Image app has another UID than the owner of the Build/),
    ],
  };
  for (const [what, [make, [verdict, reason]]] of Object.entries(cases)) {
    for (const way of ['as it is', 'opted out'] as const) {
      await t.test(`${what}, ${way}`, async (t) => {
        const given = make();
        if (way === 'opted out') annotate(given, { [`${P}signing`]: 'disabled' });
        t.match(await refusedBy(t, given, verdict), reason);
      });
    }
  }
  await t.test('a pod of the first kpack, group build.pivotal.io', async (t) => {
    const given = buildFixture('v0.0.9/13-annotated-image', signingNamespace('enabled', ADMIN));
    for (const object of [given.pod, ...(given.pod.metadata.labels ? [] : [given.build])]) {
      object.metadata.labels = { ...object.metadata.labels, 'kpack.io/build': 'x' };
    }
    await refusedBy(t, given, '422 OWNER_NOT_BUILD');
  });
  await t.test('and in audit it is told, and left as it is', async (t) => {
    const given = buildFixture('v0.17.2/02-notary', signingNamespace('audit'));
    Object.assign(given.build.metadata, { uid: 'another' });
    const { warnings } = await untouchedBy(t, given);
    t.match(warnings, ['kpack-notary: audit: would be refused: kpack-notary OWNER_UNPROVEN']);
  });
});

t.test('a pod of somebody else that only looks like a build pod is left unsigned', async (t) => {
  const stranger = { username: 'developer' };
  await t.test('with a warning', async (t) => {
    const given = buildFixture();
    delete given.pod.metadata.ownerReferences;
    const { warnings = [] } = await untouchedBy(t, given, stranger);
    t.equal(warnings.length, 1);
    t.match(
      warnings[0],
      /^kpack-notary: left unsigned: the pod has no kpack Build as its controller/,
    );
  });
  await t.test('and bears no mark of ours, whoever forged one', async (t) => {
    const given = buildFixture();
    delete given.pod.metadata.ownerReferences;
    annotate(given, { [`${P}injected`]: '9.8.7', [`${P}skipped`]: 'x', other: 'y' });
    const response = await mutate(given, stranger);
    t.match(response.warnings, ['kpack-notary: left unsigned']);
    const { annotations } = applyPatch(given.pod, response).metadata;
    t.notOk(Object.keys(annotations ?? {}).some((name) => name.startsWith(P)));
    t.match(annotations, { other: 'y' });
  });
  await t.test('whatever it holds: it has no rights by us', async (t) => {
    const given = buildFixture('v0.17.2/02-notary', signingNamespace('enabled', ADMIN));
    delete given.pod.metadata.ownerReferences;
    given.pod.spec.volumes?.push({ name: 'x', secret: { secretName: 'admin-key' } });
    await untouchedBy(t, given, stranger);
  });
});

t.test('risks are told to whoever posts the pod', async (t) => {
  const given = buildFixture();
  t.match((await mutate(given)).warnings, ['kpack-notary: no root pin']);
  setSection(given, section('http://notary.example.com:4443/'));
  const { warnings = [] } = await mutate(given);
  t.ok(warnings.some((text) => /http:\/\/notary.example.com:4443 is plain http/.test(text)));
});
