import t from 'tap';
import { refusedBy, untouchedBy, validate, verdictOf } from './asking.ts';
import { initContainers } from './pod.ts';
import { annotate, P, world, type World } from './world.ts';

t.test("a pod without kpack's label is not ours", async (t) => {
  const given = world();
  delete given.pod.metadata.labels?.['kpack.io/build'];
  t.equal((await untouchedBy(t, given)).warnings, undefined);
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
