import t from 'tap';
import { inject, mutate, validate, verdictOf } from '../../../support/asking.ts';
import {
  afterOtherPlugins,
  waitingForOurs,
  withoutOurs,
  withoutReport,
} from '../../../support/pod-changes.ts';
import { container, mountAt, REPORT, SIGNER, signerFlags, volume } from '../../../support/pod.ts';
import { buildFixture, changed } from '../../../support/build-fixture.ts';

t.test('a build without a report volume', async (t) => {
  const stripped = (name: string, api: string | undefined) => {
    const given = buildFixture(name);
    withoutReport(given.pod, api);
    return given;
  };

  for (const api of ['0.4', '0.7', '0.10', '1.0']) {
    t.test(`gets one when it declares platform API ${api}`, async (t) => {
      const given = stripped('v0.17.2/02-notary', api);
      const pod = await inject(given);
      const [report, ...before] = container(pod, 'export').args ?? [];
      t.equal(report, `-report=${REPORT}`, 'in front of all tags');
      t.same(before, container(given.pod, 'export').args);
      t.match(mountAt(container(pod, 'export'), '/var/report'), { name: 'report-dir' });
      t.not(mountAt(container(pod, 'export'), '/var/report')?.readOnly, true);
      t.same(volume(pod, 'report-dir'), { name: 'report-dir', emptyDir: {} });
      t.match(mountAt(container(pod, SIGNER), '/var/report'), { name: 'report-dir' });
      t.match(signerFlags(pod), { report: [REPORT], tag: undefined });
      t.equal(verdictOf(await mutate(given, { pod })), 'allowed', 'and no second one');
      t.equal(verdictOf(await validate(given, afterOtherPlugins(pod))), 'allowed');
      const silent = changed(pod, (pod) => container(pod, 'export').args?.shift());
      t.equal(verdictOf(await validate(given, silent)), '422 SIGNER_TAMPERED', 'it must report');

      const rest = withoutOurs(pod);
      container(rest, 'export').args?.shift();
      container(rest, 'export').volumeMounts?.pop();
      rest.spec.volumes = rest.spec.volumes?.filter(({ name }) => name !== 'report-dir') ?? [];
      t.strictSame(rest, waitingForOurs(given.pod));
    });
  }

  for (const [name, api] of [
    ['v0.17.2/02-notary', undefined],
    ['v0.17.2/02-notary', '0.3'],
    ['v0.17.2/02-notary', 'none'],
    ['v0.17.2/05b-rebase-notary', undefined],
  ] as const) {
    t.test(`${name} with platform API ${api}: the registry is asked instead`, async (t) => {
      const given = stripped(name, api);
      const pod = await inject(given);
      const flags = signerFlags(pod);
      t.same(flags['tag'], given.build.spec['tags']);
      t.same(flags['allow-tag'], given.build.spec['tags']);
      t.notOk(flags['report']);
      t.notOk(mountAt(container(pod, SIGNER), '/var/report'));
      t.notMatch(pod.spec.volumes, [{ name: 'report-dir' }]);
      t.strictSame(withoutOurs(pod), waitingForOurs(given.pod), 'no argument for the lifecycle');
      t.equal(verdictOf(await mutate(given, { pod })), 'allowed');
      t.equal(verdictOf(await validate(given, afterOtherPlugins(pod))), 'allowed');
    });
  }

  t.test('of which a part is there gets the rest', async (t) => {
    const given = buildFixture();
    container(given.pod, 'export').args = ['registry.example.com/team/app'];
    const pod = await inject(given);
    t.same(container(pod, 'export').args, [`-report=${REPORT}`, 'registry.example.com/team/app']);
    const reportVolumes = (pod.spec.volumes ?? []).filter(({ name }) => name === 'report-dir');
    t.equal(reportVolumes.length, 1, 'one volume');
    const mounts = container(pod, 'export').volumeMounts?.filter(
      ({ name }) => name === 'report-dir',
    );
    t.equal(mounts?.length, 1, 'one mount');

    const unmounted = buildFixture();
    const step = container(unmounted.pod, 'export');
    step.volumeMounts = (step.volumeMounts ?? []).filter(({ name }) => name !== 'report-dir');
    const mended = container(await inject(unmounted), 'export');
    t.match(mountAt(mended, '/var/report'), { name: 'report-dir' });
    t.same(mended.args, step.args, 'one argument');
  });

  t.test('whose place is taken is refused', async (t) => {
    const given = stripped('v0.17.2/02-notary', '0.9');
    container(given.pod, 'export').volumeMounts?.push({
      name: 'layers-dir',
      mountPath: '/var/report',
    });
    const response = await mutate(given);
    t.equal(verdictOf(response), '422 POD_COLLISION');
    t.match(response.status?.message, /another volume at \/var\/report of export/);
  });
});
