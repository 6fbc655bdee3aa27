import t from 'tap';
import { inject, refusedBy, untouchedBy, validate, verdictOf } from '../../../support/asking.ts';
import { allContainers, container, initContainers } from '../../../support/pod.ts';
import { annotate, buildFixture, type BuildFixture, P } from '../../../support/build-fixture.ts';

t.test("a pod without kpack's label is not ours", async (t) => {
  const given = buildFixture();
  delete given.pod.metadata.labels?.['kpack.io/build'];
  t.equal((await untouchedBy(t, given)).warnings, undefined);
});

t.test('builds that cannot be signed are refused with the reason', async (t) => {
  const edited = (name: string, change: (given: BuildFixture) => void) => {
    const given = buildFixture(name);
    change(given);
    return given;
  };
  const cases: Record<string, readonly [BuildFixture, RegExp]> = {
    'Windows, 0.2.0': [
      buildFixture('v0.2.0/08b-windows-notary'),
      /Windows builds cannot be signed/,
    ],
    'Windows, 0.5.4': [
      buildFixture('v0.5.4/08b-windows-notary'),
      /Windows builds cannot be signed/,
    ],
    'Windows by spec.os': [
      edited('v0.17.2/02-notary', ({ pod }) => (pod.spec.os = { name: 'windows' })),
      /Windows builds cannot be signed/,
    ],
    'two steps that push': [
      edited('v0.17.2/02-notary', ({ pod }) => {
        initContainers(pod).push({ name: 'rebase', image: 'x', command: ['/cnb/process/rebase'] });
      }),
      /both export and rebase would push an image/,
    ],
    'another step under the name of export': [
      edited('v0.17.2/02-notary', ({ pod }) => {
        container(pod, 'export').name = 'exporter';
        container(pod, 'build').name = 'export';
      }),
      /container export does not run what kpack runs there, but \/cnb\/lifecycle\/builder/,
    ],
    'a stranger under the name of export': [
      edited('v0.17.2/02-notary', ({ pod }) => {
        pod.spec.initContainers = initContainers(pod).filter(({ name }) => name !== 'export');
        initContainers(pod).unshift({ name: 'export', image: 'x' });
      }),
      /container export does not run what kpack runs there/,
    ],
    'a stranger under the name of rebase': [
      edited('v0.17.2/05b-rebase-notary', ({ pod }) => {
        container(pod, 'rebase').command = ['sh', '-c', 'true'];
      }),
      /container rebase does not run what kpack runs there, but sh/,
    ],
    'steps after export': [
      edited('v0.17.2/02-notary', ({ pod }) => {
        initContainers(pod).unshift(...initContainers(pod).splice(-1));
      }),
      /prepare runs after export/,
    ],
    'an export whose end is not waited for': [
      edited('v0.17.2/02-notary', ({ pod }) => {
        container(pod, 'export').restartPolicy = 'Always';
      }),
      /export has restartPolicy Always: its end is not waited for/,
    ],
    'a build that goes on while its image is pushed': [
      edited('v0.17.2/02-notary', ({ pod }) => {
        container(pod, 'build').restartPolicy = 'Always';
      }),
      /build has restartPolicy Always/,
    ],
    'a rebase whose end is not waited for': [
      edited('v0.17.2/05b-rebase-notary', ({ pod }) => {
        container(pod, 'rebase').restartPolicy = 'Always';
      }),
      /rebase has restartPolicy Always/,
    ],
    'a waiting export that starts again': [
      edited('v0.17.2/07b-standard-containers-notary', ({ pod }) => {
        container(pod, 'export').restartPolicy = 'Always';
      }),
      /export has restartPolicy Always/,
    ],
    'a pre-start that goes on': [
      edited('v0.17.2/07b-standard-containers-notary', ({ pod }) => {
        container(pod, 'pre-start').restartPolicy = 'Always';
      }),
      /pre-start has restartPolicy Always/,
    ],
    'steps of both kinds': [
      edited('v0.17.2/02-notary', ({ pod }) => {
        pod.spec.containers.push(...initContainers(pod).splice(0, 1));
      }),
      /export is an init container, and prepare is not/,
    ],
    'waiting steps of both kinds': [
      edited('v0.17.2/07b-standard-containers-notary', ({ pod }) => {
        initContainers(pod).push(...pod.spec.containers.splice(0, 1));
      }),
      /prepare is an init container, and export is not/,
    ],
    'a waiting export that runs something else': [
      edited('v0.17.2/07b-standard-containers-notary', ({ pod }) => {
        const step = container(pod, 'export');
        step.args =
          step.args?.map((arg) => arg.replace(/^-execute=\S+/, '-execute=/bin/true')) ?? [];
      }),
      /container export does not run what kpack runs there, but \/bin\/true/,
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
    const given = buildFixture('v0.5.4/08b-windows-notary');
    annotate(given, { [`${P}signing`]: 'disabled' });
    t.equal(verdictOf(await validate(given, await inject(given))), 'allowed');
  });
});

t.test('steps with a restart policy that makes no sidecar of them are signed', async (t) => {
  for (const restartPolicy of ['Never', 'OnFailure']) {
    for (const name of [
      'v0.17.2/02-notary',
      'v0.17.2/05b-rebase-notary',
      'v0.17.2/07b-standard-containers-notary',
    ]) {
      const given = buildFixture(name);
      for (const each of allContainers(given.pod)) Object.assign(each, { restartPolicy });
      const pod = await inject(given);
      t.equal(verdictOf(await validate(given, pod)), 'allowed', `${name}, ${restartPolicy}`);
    }
  }
});
