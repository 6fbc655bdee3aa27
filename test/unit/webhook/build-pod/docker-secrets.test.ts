import t from 'tap';
import { readBuildPod } from '../../../../src/webhook/build-pod/build-pod.ts';
import { dockerSecrets } from '../../../../src/webhook/build-pod/docker-secrets.ts';
import { buildFixture, changed, type PodManifest } from '../../../support/build-fixture.ts';
import { inject, mutate, validate, verdictOf } from '../../../support/asking.ts';
import { afterOtherPlugins } from '../../../support/pod-changes.ts';
import { container, mountAt, SIGNER, signerFlags, volume } from '../../../support/pod.ts';
import { hasSection, signableFixtures, signableBuild } from '../../../support/signable.ts';

const AT = '/var/build-secrets';

/** The Secret that the signing container has at a path. */
function secretAt(pod: PodManifest, path: string): string | undefined {
  const mount = mountAt(container(pod, SIGNER), path);
  return mount && volume(pod, mount.name).secret?.secretName;
}

t.test("the signing container gets kpack's docker Secrets", async (t) => {
  const all = [
    `registry.example.com=${AT}/registry-creds`,
    `${AT}/dockerconfig`,
    `${AT}/dockercfg-legacy`,
  ];
  const cases: Record<string, readonly string[] | undefined> = {
    'v0.17.2/02-notary': undefined,
    'v0.17.2/02b-notary-registry-secrets': all,
    'v0.17.2/04b-dockerconfig-only': [`${AT}/dockerconfig`],
    'v0.17.2/05b-rebase-notary': all.slice(0, 1),
    'v0.17.2/10-everything': all,
    'v0.9.7/02-notary': undefined,
    'v0.5.4/02b-notary-registry-secrets': all,
    'v0.5.4/05b-rebase-notary': all.slice(0, 1),
    'v0.2.0/02b-notary-registry-secrets': all,
    'v0.2.0/05b-rebase-notary': all.slice(0, 1),
    // There completion has no arguments, and prepare alone names the Secrets.
    'v0.2.0/10-everything': all,
  };
  for (const [name, expected] of Object.entries(cases)) {
    await t.test(name, async (t) => {
      const given = signableBuild(name);
      const pod = await inject(given);
      t.same(signerFlags(pod)['registry-credentials'], expected);
      for (const flag of expected ?? []) {
        const path = flag.slice(flag.indexOf('/'));
        t.equal(secretAt(pod, path), path.slice(AT.length + 1));
        t.equal(mountAt(container(pod, SIGNER), path)?.readOnly, true);
      }
      const ours = (container(pod, SIGNER).volumeMounts ?? []).map(({ mountPath }) => mountPath);
      t.equal(new Set(ours).size, ours.length, 'each once');
      const foreign = ours.filter((path) => path.startsWith(AT));
      t.equal(foreign.length, expected?.length ?? 0, 'and no Secret for git');
      t.equal(verdictOf(await mutate(given, { pod })), 'allowed', 'twice is once');
      t.equal(verdictOf(await validate(given, afterOtherPlugins(pod))), 'allowed');
    });
  }
});

t.test('no volume is made for them, whatever the version of kpack', async (t) => {
  for (const name of signableFixtures) {
    const given = signableBuild(name);
    const pod = await inject(given);
    const added = (pod.spec.volumes ?? []).filter(
      (volume) => !given.pod.spec.volumes?.some((other) => other.name === volume.name),
    );
    const foreign = added.filter(
      ({ name }) => !name.startsWith('notary-sign-') && name !== 'report-dir',
    );
    t.same(foreign, [], `${name}${hasSection(name) ? ', with a section' : ''}`);
  }
});

t.test('a docker Secret that the signing container lost, or another in its place', async (t) => {
  const given = buildFixture('v0.17.2/02b-notary-registry-secrets');
  const injected = await inject(given);
  const lost = changed(injected, (pod) => {
    const signer = container(pod, SIGNER);
    signer.volumeMounts =
      signer.volumeMounts?.filter(({ mountPath }) => mountPath !== `${AT}/dockerconfig`) ?? [];
  });
  t.equal(verdictOf(await validate(given, lost)), '422 SIGNER_TAMPERED');
  const other = changed(injected, (pod) => {
    const mount = mountAt(container(pod, SIGNER), `${AT}/dockerconfig`);
    if (mount) mount.name = 'notary-sign-key';
  });
  t.equal(verdictOf(await validate(given, other)), '422 SIGNER_TAMPERED');
});

t.test('the docker Secrets of a pod', async (t) => {
  const secretsOf = (change: (pod: PodManifest) => void) => {
    const { pod } = buildFixture('v0.17.2/02b-notary-registry-secrets');
    const buildPod = readBuildPod(changed(pod, change));
    return buildPod && dockerSecrets(buildPod.pod, []);
  };
  const args =
    (...words: string[]) =>
    (pod: PodManifest) => {
      container(pod, 'prepare').args = words;
      container(pod, 'completion').args = [];
    };
  const registryCreds = { volume: 'secret-volume-1', mountPath: `${AT}/registry-creds` };
  const dockerconfig = {
    host: undefined,
    volume: 'secret-volume-2',
    mountPath: `${AT}/dockerconfig`,
  };

  t.test('are named by arguments, or by the one string that the build-waiter splits', async (t) => {
    const line = '-execute=/cnb/process/build-init -basic-docker=registry-creds=r.test:5000 -x=y';
    const waiting = (pod: PodManifest) => {
      args(line)(pod);
      container(pod, 'prepare').command = ['/buildWait/build-waiter'];
    };
    t.same(secretsOf(waiting), [{ host: 'r.test:5000', ...registryCreds }]);
    t.same(secretsOf(args(line)), [], 'nobody else splits it');
    t.same(secretsOf(args('--dockerconfig=dockerconfig')), [dockerconfig]);
    t.same(
      secretsOf(args('-dockerconfig=dockerconfig', '-dockerconfig=dockerconfig')),
      [dockerconfig],
      'each once',
    );
    const hub = 'https://index.docker.io/v1/';
    t.same(
      secretsOf(
        args(`-basic-docker=registry-creds=${hub}`, '-basic-docker=registry-creds=https://gcr.io'),
      ),
      [
        { host: 'index.docker.io', ...registryCreds },
        { host: 'gcr.io', ...registryCreds },
      ],
      'one Secret for two registries',
    );
  });

  t.test('are not those that kpack has not mounted, nor what others name', async (t) => {
    const none: Record<string, (pod: PodManifest) => void> = {
      'a Secret that is nowhere': args('-dockerconfig=other'),
      'no registry': args('-basic-docker=registry-creds='),
      'a registry that cannot be': args('-basic-docker=registry-creds=a:99999'),
      'a path': args('-dockerconfig=../../etc'),
      'for git': args('-basic-git=git-basic=https://git.example.com'),
      'to pull builders': args('-imagepull=pull-secret'),
      'another Secret in its volume': (pod) => {
        args('-dockerconfig=dockerconfig')(pod);
        volume(pod, 'secret-volume-2').secret = { secretName: 'other' };
      },
      'no Secret in its volume': (pod) => {
        args('-dockerconfig=dockerconfig')(pod);
        delete volume(pod, 'secret-volume-2').secret;
      },
      'within another argument': args('-basic-git=x -dockerconfig=dockerconfig'),
      'after what is no flag of kpack': args('x', '-dockerconfig=dockerconfig'),
      'completion alone says so': (pod) => {
        args()(pod);
        container(pod, 'completion').args = ['-dockerconfig=dockerconfig'];
      },
      'a buildpack says so': (pod) => {
        args()(pod);
        const step = container(pod, 'build');
        step.args = ['-dockerconfig=dockerconfig'];
        step.volumeMounts = [{ name: 'secret-volume-2', mountPath: `${AT}/dockerconfig` }];
      },
    };
    for (const [what, change] of Object.entries(none)) t.same(secretsOf(change), [], what);
  });
});
