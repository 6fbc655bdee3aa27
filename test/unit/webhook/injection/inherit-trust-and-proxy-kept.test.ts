import t from 'tap';
import { inject, mutate, validate, verdictOf } from '../../../support/asking.ts';
import { container, mountAt, SIGNER, type Container } from '../../../support/pod.ts';
import { buildFixture } from '../../../support/build-fixture.ts';

t.test('what a step has, the signing container gets', async (t) => {
  type Env = NonNullable<Container['env']>;
  const fromConfigMap = { configMapKeyRef: { name: 'proxy', key: 'no' } };
  const cases: Record<string, { readonly given: Env; readonly got: Env }> = {
    'proxies in both cases': {
      given: [
        { name: 'http_proxy', value: 'a' },
        { name: 'HTTP_PROXY', value: 'b' },
        { name: 'no_proxy', value: 'c' },
      ],
      got: [
        { name: 'HTTP_PROXY', value: 'b' },
        { name: 'http_proxy', value: 'a' },
        { name: 'no_proxy', value: 'c' },
      ],
    },
    'the last of two': {
      given: [
        { name: 'HTTP_PROXY', value: 'a' },
        { name: 'HTTP_PROXY', value: 'b' },
      ],
      got: [{ name: 'HTTP_PROXY', value: 'b' }],
    },
    'a value of a ConfigMap': {
      given: [{ name: 'NO_PROXY', valueFrom: fromConfigMap }],
      got: [{ name: 'NO_PROXY', valueFrom: fromConfigMap }],
    },
    'no value of a Secret, nor of the pod': {
      given: [
        { name: 'HTTP_PROXY', valueFrom: { secretKeyRef: { name: 'proxy', key: 'url' } } },
        { name: 'NO_PROXY', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      ],
      got: [],
    },
    'nothing made of variables that we lack': {
      given: [
        { name: 'HOST', value: 'proxy' },
        { name: 'HTTP_PROXY', value: 'http://$(HOST):3128' },
      ],
      got: [],
    },
    'nothing else': {
      given: [
        { name: 'NODE_OPTIONS', value: '--require=/x.js' },
        { name: 'KPACK_NOTARY_ON_FAILURE', value: 'warn' },
        { name: 'AWS_SECRET_ACCESS_KEY', value: 'x' },
        { name: 'HTTP_PROXY', value: '' },
      ],
      got: [],
    },
  };
  for (const [what, { given: env, got }] of Object.entries(cases)) {
    const given = buildFixture();
    (container(given.pod, 'export').env ??= []).push(...env);
    const pod = await inject(given);
    t.same(container(pod, SIGNER).env ?? [], got, what);
    t.equal(verdictOf(await validate(given, pod)), 'allowed');
  }
});

t.test('certificates are found where variables and programs look', async (t) => {
  type Mount = NonNullable<Container['volumeMounts']>[number];
  const mount = (mountPath: string, more: Partial<Mount> = {}) => ({
    name: 'workspace-dir',
    mountPath,
    ...more,
  });
  const cases: Record<
    string,
    {
      readonly env?: Record<string, string>;
      readonly mounts: readonly Mount[];
      readonly got: readonly string[];
      readonly directories?: string;
    }
  > = {
    'a file that is named': {
      env: { SSL_CERT_FILE: '/ca/bundle.pem' },
      mounts: [mount('/ca'), mount('/other')],
      got: ['/ca'],
    },
    'a mounted file that is named': {
      env: { NODE_EXTRA_CA_CERTS: '/ca/bundle.pem' },
      mounts: [mount('/ca/bundle.pem', { subPath: 'bundle.pem' })],
      got: ['/ca/bundle.pem'],
    },
    'directories that are named': {
      env: { SSL_CERT_DIR: '/a:/b/c' },
      mounts: [mount('/a/one.pem'), mount('/b'), mount('/bc')],
      got: ['/a/one.pem', '/b'],
      directories: '/a:/b/c',
    },
    'a file among those of the system': {
      mounts: [mount('/etc/ssl/certs/own.crt', { subPath: 'own.crt' })],
      got: ['/etc/ssl/certs/own.crt'],
      directories: '/etc/ssl/certs',
    },
    'the directories of two systems': {
      mounts: [mount('/etc/ssl'), mount('/etc/pki/tls/certs')],
      got: ['/etc/ssl', '/etc/pki/tls/certs'],
      directories: '/etc/ssl/certs:/etc/pki/tls/certs',
    },
    'a path made of variables that we lack': {
      mounts: [mount('/etc/ssl/certs', { subPathExpr: '$(HOST)' })],
      got: [],
    },
    'a mount that would hide the program or the key': {
      env: { SSL_CERT_DIR: '/app:/var/notary-sign/key:/var:/usr/lib/ca' },
      mounts: [mount('/app'), mount('/var/notary-sign/key'), mount('/var'), mount('/usr/lib/ca')],
      got: [],
      directories: '/app:/var/notary-sign/key:/var:/usr/lib/ca',
    },
  };
  for (const [what, { env = {}, mounts, got, directories }] of Object.entries(cases)) {
    await t.test(what, async (t) => {
      const given = buildFixture();
      const step = container(given.pod, 'export');
      step.volumeMounts?.push(...mounts);
      step.env?.push(...Object.entries(env).map(([name, value]) => ({ name, value })));
      const pod = await inject(given);
      const signer = container(pod, SIGNER);
      const foreign = signer.volumeMounts?.filter(({ name }) => name === 'workspace-dir') ?? [];
      t.same(
        foreign.map(({ mountPath }) => mountPath),
        got,
      );
      for (const { mountPath, readOnly, subPath } of foreign) {
        t.equal(readOnly, true);
        t.equal(subPath, mountAt(step, mountPath)?.subPath);
      }
      t.equal(signer.env?.find(({ name }) => name === 'SSL_CERT_DIR')?.value, directories);
      t.equal(verdictOf(await mutate(given, { pod })), 'allowed');
      t.equal(verdictOf(await validate(given, pod)), 'allowed');
    });
  }
});
