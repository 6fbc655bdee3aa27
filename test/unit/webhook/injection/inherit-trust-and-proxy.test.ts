import t from 'tap';
import {
  buildFixture,
  type BuildFixture,
  changed,
  type PodManifest,
} from '../../../support/build-fixture.ts';
import { inject, mutate, validate, verdictOf } from '../../../support/asking.ts';
import { applyPatch } from '../../../bed/webhook.ts';
import { allContainers, container, mountAt, SIGNER, type Container } from '../../../support/pod.ts';

const SHAPES: Record<string, string> = {
  'v0.17.2/02-notary': 'export',
  'v0.17.2/05b-rebase-notary': 'rebase',
  'v0.17.2/07b-standard-containers-notary': 'export',
};

const PROXY = { name: 'HTTPS_PROXY', value: 'http://proxy.example.com:3128' };
const variable = ({ env = [] }: Container, name: string) =>
  env.filter((each) => each.name === name);

/** As the cert-injection-webhook does: to every container there is, without a look at what it has. */
function injectCertificates(pod: PodManifest): void {
  (pod.spec.volumes ??= []).push({ name: 'ca-certs', emptyDir: {} });
  for (const each of allContainers(pod)) {
    const mount = { name: 'ca-certs', mountPath: '/etc/ssl/certs', readOnly: true };
    (each.volumeMounts ??= []).push(mount);
    (each.env ??= []).push(PROXY, { name: 'NO_PROXY', value: '.svc' });
  }
  pod.spec.initContainers = [
    {
      name: 'setup-ca-certs',
      image: 'x',
      workingDir: '/workspace',
      volumeMounts: [{ name: 'ca-certs', mountPath: '/workspace' }],
    },
    ...(pod.spec.initContainers ?? []),
  ];
}

/** The pod after mutate was called again, as under reinvocationPolicy IfNeeded. */
async function again(given: BuildFixture, pod: PodManifest): Promise<PodManifest> {
  return applyPatch(pod, await mutate(given, { pod }));
}

for (const [name, step] of Object.entries(SHAPES)) {
  t.test(
    `${name}: certificates and proxies reach us, whether given before or after us`,
    async (t) => {
      const given = buildFixture(name);
      const before = buildFixture(name);
      injectCertificates(before.pod);
      const first = await inject(before);
      const injected = await inject(given);
      const last = await again(given, changed(injected, injectCertificates));
      // A neighbour that knows the steps of kpack by name, and not ours.
      const byName = await again(
        given,
        changed(injected, (pod) => {
          const named = container(pod, step);
          (named.env ??= []).push(PROXY, { name: 'NO_PROXY', value: '.svc' });
          (named.volumeMounts ??= []).push({ name: 'ca-certs', mountPath: '/etc/ssl/certs' });
          (pod.spec.volumes ??= []).push({ name: 'ca-certs', configMap: { name: 'ca' } });
        }),
      );
      for (const [what, pod] of Object.entries({ first, last, byName })) {
        const signer = container(pod, SIGNER);
        const mounts = signer.volumeMounts?.filter(
          ({ mountPath }) => mountPath === '/etc/ssl/certs',
        );
        t.match(mounts, [{ name: 'ca-certs', readOnly: true }], what);
        t.equal(mounts?.length, 1, 'once');
        t.same(variable(signer, 'HTTPS_PROXY'), [PROXY], what);
        t.equal(variable(signer, 'NO_PROXY').length, 1);
        t.same(
          variable(signer, 'SSL_CERT_DIR'),
          [{ name: 'SSL_CERT_DIR', value: '/etc/ssl/certs' }],
          'Node does not look there by itself',
        );
        t.equal(verdictOf(await mutate(given, { pod })), 'allowed', `${what}: twice is once`);
        t.equal(verdictOf(await validate(given, pod)), 'allowed', what);
      }
      const missed = changed(injected, injectCertificates);
      t.equal(verdictOf(await validate(given, missed)), 'allowed', 'and no reason to refuse');
    },
  );
}

t.test('what somebody gave to the signing container itself stays', async (t) => {
  const given = buildFixture();
  const own = { name: 'HTTPS_PROXY', value: 'http://other.example.com' };
  const pod = changed(await inject(given), (pod) => {
    container(pod, SIGNER).env = [own];
    container(pod, SIGNER).volumeMounts?.push({ name: 'home-dir', mountPath: '/etc/ssl/certs' });
    container(pod, 'export').env?.push(PROXY, { name: 'SSL_CERT_DIR', value: '/ca' });
    const mounts = container(pod, 'export').volumeMounts;
    mounts?.push({ name: 'workspace-dir', mountPath: '/etc/ssl/certs' });
  });
  const signer = container(await again(given, pod), SIGNER);
  t.same(variable(signer, 'HTTPS_PROXY'), [own]);
  t.match(mountAt(signer, '/etc/ssl/certs'), { name: 'home-dir' });
  t.same(variable(signer, 'SSL_CERT_DIR'), [{ name: 'SSL_CERT_DIR', value: '/ca' }]);
});
