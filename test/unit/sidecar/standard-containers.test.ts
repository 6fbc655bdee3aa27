import t from 'tap';
import { readFlags } from '../../../src/shared/flags.ts';
import { SIGNER_FLAGS } from '../../../src/shared/signer-flags.ts';
import { parseSignerOptions } from '../../../src/sidecar/signer-options.ts';
import {
  buildFixture,
  type BuildFixture,
  changed,
  type PodManifest,
} from '../../support/build-fixture.ts';
import { inject, mutate, refusedBy, validate, verdictOf } from '../../support/asking.ts';
import { withoutReport } from '../../support/pod-changes.ts';
import { container, mountAt, REPORT, SIGNER, signerFlags, volume } from '../../support/pod.ts';
import { isWaiting, signableFixtures, signableBuild } from '../../support/signable.ts';

const WAITING = 'v0.17.2/07b-standard-containers-notary';
const waiting = signableFixtures.filter(isWaiting);

/** A flag of kpack's build-waiter in the arguments of a step. */
function waiterFlag(pod: PodManifest, step: string, name: string): string | undefined {
  const found = container(pod, step).args?.filter((arg) => arg.startsWith(`-${name}=`)) ?? [];
  return found.length === 1 ? found[0]?.slice(name.length + 2) : undefined;
}

/** Replaces a flag of the build-waiter, or takes it away. */
function setWaiterFlag(
  { pod }: BuildFixture,
  step: string,
  name: string,
  to: string | undefined,
): void {
  const { args = [] } = container(pod, step);
  const at = args.findIndex((arg) => arg.startsWith(`-${name}=`));
  args.splice(at, 1, ...(to === undefined ? [] : [`-${name}=${to}`]));
}

t.test('builds and rebases in standard containers are among the fixtures', async (t) => {
  t.same(waiting, [
    'v0.17.2/07-standard-containers',
    'v0.17.2/07b-standard-containers-notary',
    'v0.17.2/07c-standard-containers-rebase',
    'v0.9.7/07b-standard-containers-notary',
  ]);
});

for (const name of waiting) {
  t.test(`${name}: signing waits for the push, and completion for the signature`, async (t) => {
    const given = signableBuild(name);
    const pod = await inject(given);
    const step = name.endsWith('rebase') ? 'rebase' : 'export';
    const signer = container(pod, SIGNER);
    const { stepFiles } = parseSignerOptions(readFlags(SIGNER_FLAGS, signer.args ?? [], {}));

    t.equal(stepFiles.waitFile, waiterFlag(pod, step, 'done-file'));
    t.equal(waiterFlag(pod, 'completion', 'wait-file'), stepFiles.doneFile);
    t.equal(stepFiles.errorFile, waiterFlag(pod, step, 'error-file'));
    t.equal(stepFiles.errorFile, waiterFlag(pod, 'completion', 'error-file'));
    const files = pod.spec.containers.map((each) => waiterFlag(pod, each.name, 'done-file'));
    t.notOk(files.includes(stepFiles.doneFile), 'nobody else writes that file');

    const mount = mountAt(signer, '/buildWait');
    t.same(mount, { name: 'build-wait-dir', mountPath: '/buildWait' }, 'writable');
    t.equal(mountAt(container(pod, step), '/buildWait')?.name, mount?.name);
    t.notOk(mountAt(signer, '/downward'), 'kpack starts the first step alone');

    // kpack counts ready containers before it starts the build, and a probe could delay that.
    t.match(signer, {
      readinessProbe: undefined,
      startupProbe: undefined,
      restartPolicy: undefined,
    });
    t.notMatch(waiterFlag(pod, 'completion', 'execute'), /notary-v1-url/);
    t.match(waiterFlag(pod, 'completion', 'execute'), /^\/cnb\/process\/completion -/);
    t.equal(
      waiterFlag(pod, 'completion', 'execute')?.includes('  '),
      false,
      'each space ends an argument',
    );
  });
}

t.test('a chain in which the place of the signer is unknown is refused', async (t) => {
  const cases: Record<string, readonly [string, RegExp, (given: BuildFixture) => void]> = {
    'completion waits for another step': [
      'POD_COLLISION',
      /completion that waits for \/buildWait\/build, not for \/buildWait\/export/,
      (given) => setWaiterFlag(given, 'completion', 'wait-file', '/buildWait/build'),
    ],
    'completion waits for nothing': [
      'POD_UNSUPPORTED',
      /completion does not call the build-waiter as kpack does/,
      (given) => setWaiterFlag(given, 'completion', 'wait-file', undefined),
    ],
    'export says twice what it writes': [
      'POD_UNSUPPORTED',
      /export does not call the build-waiter as kpack does/,
      ({ pod }) => container(pod, 'export').args?.push('-done-file=/buildWait/other'),
    ],
    'export is not waited for': [
      'POD_UNSUPPORTED',
      /export does not call the build-waiter as kpack does/,
      ({ pod }) => (container(pod, 'export').command = ['/cnb/lifecycle/exporter']),
    ],
    'errors go elsewhere': [
      'POD_UNSUPPORTED',
      /export and completion have different error files/,
      (given) => setWaiterFlag(given, 'completion', 'error-file', '/buildWait/other'),
    ],
    'the files are not in a volume': [
      'POD_UNSUPPORTED',
      /export and completion share no volume at \/elsewhere/,
      (given) => setWaiterFlag(given, 'export', 'done-file', '/elsewhere/export'),
    ],
    'the files are in two volumes': [
      'POD_UNSUPPORTED',
      /share no volume at \/buildWait/,
      ({ pod }) => {
        const mount = mountAt(container(pod, 'completion'), '/buildWait');
        if (mount) mount.name = 'layers-dir';
      },
    ],
    'another step writes our file': [
      'POD_COLLISION',
      /a container build with \/buildWait\/notary-sign in its command/,
      (given) => setWaiterFlag(given, 'build', 'done-file', '/buildWait/notary-sign'),
    ],
    'a neighbour writes our file': [
      'POD_COLLISION',
      /a container helper with \/buildWait\/notary-sign in its command/,
      ({ pod }) =>
        pod.spec.containers.push({
          name: 'helper',
          image: 'x',
          command: ['sh', '-c', 'echo done >/buildWait/notary-sign'],
        }),
    ],
  };
  for (const [what, [code, reason, change]] of Object.entries(cases)) {
    await t.test(what, async (t) => {
      const given = buildFixture(WAITING);
      change(given);
      t.match(await refusedBy(t, given, `422 ${code}`), reason);
    });
  }
});

t.test('a chain that was changed after us is not the one that we made', async (t) => {
  const given = buildFixture(WAITING);
  const injected = await inject(given);
  const cases: Record<string, (pod: PodManifest) => void> = {
    'completion no longer waits for us': (pod) =>
      setWaiterFlag({ ...given, pod }, 'completion', 'wait-file', '/buildWait/export'),
    'completion waits for somebody else': (pod) =>
      setWaiterFlag({ ...given, pod }, 'completion', 'wait-file', '/buildWait/build'),
    'we wait for somebody else': (pod) => {
      const signer = container(pod, SIGNER);
      signer.args = signer.args?.map((arg) => arg.replace('/export', '/build')) ?? [];
    },
    'somebody else writes our file': (pod) =>
      pod.spec.containers.push({
        name: 'x',
        image: 'x',
        args: ['-done-file=/buildWait/notary-sign'],
      }),
    'the signing container runs before all others': (pod) => {
      const signer = container(pod, SIGNER);
      pod.spec.containers = pod.spec.containers.filter((each) => each !== signer);
      pod.spec.initContainers?.push(signer);
    },
    'the signing container cannot write its file': (pod) => {
      Object.assign(mountAt(container(pod, SIGNER), '/buildWait') ?? {}, { readOnly: true });
    },
  };
  for (const [what, change] of Object.entries(cases)) {
    const verdict = verdictOf(await validate(given, changed(injected, change)));
    t.equal(verdict, '422 SIGNER_TAMPERED', what);
  }
  const first = changed(injected, ({ spec }) =>
    spec.containers.unshift(...spec.containers.splice(-1)),
  );
  t.equal(verdictOf(await validate(given, first)), 'allowed', 'its place in the list is free');
  const lost = changed(injected, ({ spec }) => spec.containers.pop());
  t.equal(verdictOf(await validate(given, lost)), '503 SIGNER_MISSING');
  t.equal(verdictOf(await mutate(given, { pod: lost })), 'patched', 'and can be mended');
});

t.test('a step that waits gets its -report within its command line', async (t) => {
  const given = buildFixture(WAITING);
  const { args: steps = [] } = container(buildFixture(WAITING).pod, 'export');
  const { args: completion = [] } = container(buildFixture(WAITING).pod, 'completion');
  withoutReport(given.pod, '0.9');
  container(given.pod, 'export').args = steps.map((arg) => arg.replace(` -report=${REPORT}`, ''));
  container(given.pod, 'completion').args = completion;
  const pod = await inject(given);
  t.match(
    waiterFlag(pod, 'export', 'execute'),
    `/cnb/lifecycle/exporter -report=${REPORT} -layers=/layers `,
  );
  t.match(mountAt(container(pod, 'export'), '/var/report'), { name: 'report-dir' });
  t.same(volume(pod, 'report-dir'), { name: 'report-dir', emptyDir: {} });
  t.same(signerFlags(pod)['report'], [REPORT]);
  t.equal(verdictOf(await mutate(given, { pod })), 'allowed', 'once');
});

t.test('requests of standard containers add up, so ours stays small', async (t) => {
  const cases = [
    [undefined, { cpu: '100m', memory: '128Mi' }, { memory: '128Mi' }],
    [
      { requests: { cpu: '4', memory: '8Gi', 'nvidia.com/gpu': '1' }, limits: { memory: '16Gi' } },
      { cpu: '100m', memory: '128Mi' },
      { memory: '128Mi' },
    ],
    [
      { requests: { cpu: '50m' }, limits: { memory: '64Mi' } },
      { cpu: '50m', memory: '64Mi' },
      { memory: '64Mi' },
    ],
    [
      { limits: { cpu: '50m', memory: '1Gi' } },
      { cpu: '50m', memory: '128Mi' },
      { cpu: '50m', memory: '128Mi' },
    ],
  ] as const;
  for (const [step, requests, limits] of cases) {
    const given = buildFixture(WAITING);
    if (step) container(given.pod, 'export').resources = step;
    t.same(container(await inject(given), SIGNER).resources, { requests, limits });
  }
});
