import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { createMetrics, type Metrics } from '../../../../src/webhook/server/metrics.ts';
import { createMetricsServer } from '../../../../src/webhook/server/metrics-server.ts';
import {
  buildFixture,
  type BuildFixture,
  manifestsOf,
  section,
  setSection,
  signingNamespace,
} from '../../../support/build-fixture.ts';
import { projectDirectory } from '../../../bed/project-directory.ts';
import { unreadable, memoryCluster } from '../../../support/asking.ts';
import { parseExposition, type Sample } from '../../../support/exposition.ts';
import { post, review, serve } from '../../../support/served.ts';

const clusterOf = (given: BuildFixture) => memoryCluster(manifestsOf(given));

async function samplesOf(metrics: Metrics): Promise<readonly Sample[]> {
  return parseExposition((await metrics.exposition()).text);
}

/** Our own counters that have one or more of what they count. */
async function samplesNamed(metrics: Metrics, name: string) {
  const samples = await samplesOf(metrics);
  return samples.filter((sample) => sample.name === `kpack_notary_${name}`);
}

t.test('decisions are counted by webhook, kind, mode, decision and code', async (t) => {
  const given = buildFixture();
  const { app, metrics } = serve(t, clusterOf(given));
  await review(t, app, 'mutate', { object: given.pod });
  await review(t, app, 'mutate', { object: given.pod });
  await review(t, app, 'validate', { object: given.pod });
  await review(t, app, 'validate', { object: { ...given.image } });
  await post(app, '/validate', {});
  const labels = (
    webhook: string,
    kind: string,
    decision: string,
    code: string,
    mode = 'enforce',
  ) => ({ webhook, kind, mode, decision, code });
  t.same(
    (await samplesNamed(metrics, 'admission_reviews_total')).map(({ labels, value }) => [
      value,
      labels,
    ]),
    [
      [2, labels('mutate', 'Pod', 'patch', 'INJECTED')],
      [1, labels('validate', 'Pod', 'deny', 'SIGNER_MISSING')],
      [1, labels('validate', 'Image', 'allow', 'WELL_FORMED')],
      [1, labels('validate', 'other', 'deny', 'REVIEW_INVALID')],
    ],
  );
  t.same(
    (await samplesNamed(metrics, 'admission_review_duration_seconds_count')).map(
      ({ labels, value }) => [value, labels],
    ),
    [
      [2, { webhook: 'mutate' }],
      [3, { webhook: 'validate' }],
    ],
  );
});

t.test('audit mode counts what would have been', async (t) => {
  const given = buildFixture('v0.17.2/02-notary', signingNamespace('audit'));
  const { app, metrics } = serve(t, clusterOf(given));
  await review(t, app, 'mutate', { object: given.pod });
  setSection(given, section('ftp://x'));
  await review(t, app, 'mutate', { object: given.pod });
  t.match(await samplesNamed(metrics, 'admission_reviews_total'), [
    { labels: { mode: 'audit', decision: 'patch', code: 'INJECTED' } },
    { labels: { mode: 'audit', decision: 'deny', code: 'NOTARY_CONFIG_INVALID' } },
  ]);
});

t.test('reads of the Kubernetes API are counted by kind and result, and timed', async (t) => {
  const given = buildFixture();
  const { app, metrics } = serve(t, clusterOf({ ...given, image: undefined }));
  await review(t, app, 'mutate', { object: given.pod });
  const results = (await samplesNamed(metrics, 'kubernetes_requests_total')).map(
    ({ labels, value }) => `${labels['kind'] ?? ''} ${labels['result'] ?? ''} ${value}`,
  );
  t.ok(results.includes('Namespace ok 1'));
  t.ok(results.includes('Image not_found 1'));
  const timed = await samplesNamed(metrics, 'kubernetes_request_duration_seconds_count');
  t.match(
    timed.find(({ labels }) => labels['kind'] === 'Build'),
    { value: 1 },
  );

  for (const kind of ['Build', 'LimitRange']) {
    const waiting = buildFixture('v0.17.2/07b-standard-containers-notary');
    for (const [cluster, result] of [
      [clusterOf(waiting), 'ok'],
      [unreadable(clusterOf(waiting), kind), 'error'],
    ] as const) {
      const { app, metrics } = serve(t, cluster);
      await review(t, app, 'mutate', { object: waiting.pod });
      const ofKind = (await samplesNamed(metrics, 'kubernetes_requests_total')).filter(
        ({ labels }) => labels['kind'] === kind,
      );
      t.match(ofKind, [{ labels: { kind, result }, value: 1 }]);
    }
  }
});

t.test('whatever is sent, there are only so many series', async (t) => {
  const given = buildFixture();
  const { app, metrics } = serve(t, clusterOf(given));
  const send = async (i: number) => {
    const odd = `odd-${i}"\n\\{}`;
    const object = { apiVersion: `${odd}/v1`, kind: odd, metadata: { name: odd, namespace: odd } };
    for (const question of ['mutate', 'validate'] as const) {
      await review(t, app, question, { object, username: odd });
      await review(t, app, question, { object: given.pod, username: odd }, (request) => {
        request['operation'] = odd;
        request['namespace'] = odd;
      });
      // Kinds as ours, of groups that are not.
      await review(t, app, question, { object: { ...object, kind: 'Pod' } });
      await review(t, app, question, { object: { ...object, kind: 'constructor' } });
      await post(app, `/${question}?timeout=${i}s&x=${i}`, { [odd]: odd });
    }
  };
  // Those of Node come and go, as when a kind of garbage collection runs for the first time.
  const series = async () =>
    (await samplesOf(metrics)).filter(({ name }) => name.startsWith('kpack_notary_')).length;
  for (let i = 0; i < 5; i += 1) await send(i);
  const before = await series();
  for (let i = 5; i < 60; i += 1) await send(i);
  t.equal(await series(), before);
  t.notMatch((await metrics.exposition()).text, /odd/);
});

t.test('names are as Prometheus and its own clients have them', async (t) => {
  const metrics = createMetrics('1.2.3');
  metrics.serving(1_800_000_000);
  const samples = await samplesOf(metrics);
  const value = (name: string) => samples.find((sample) => sample.name === name);
  t.match(value('kpack_notary_build_info'), { value: 1, labels: { version: '1.2.3' } });
  t.match(value('kpack_notary_certificate_expiration_timestamp_seconds'), {
    value: 1_800_000_000,
  });
  const page = readFileSync(join(projectDirectory(), 'docs/reference/metrics.md'), 'utf8');
  for (const [, name = ''] of (await metrics.exposition()).text.matchAll(/^# TYPE (kpack\S+)/gm)) {
    t.match(page, `\`${name}\``, 'documented');
  }
  t.ok(value('process_cpu_seconds_total'));
  t.ok(value('process_resident_memory_bytes'));
  t.ok(value('nodejs_eventloop_lag_seconds'));
});

t.test('they are served over plain http, and nothing else is', async (t) => {
  const server = createMetricsServer(createMetrics('1.2.3'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const answer = await fetch(`${url}/metrics`);
  t.match(answer.headers.get('content-type'), /^text\/plain; version=0\.0\.4/);
  t.match(await answer.text(), /^kpack_notary_build_info\{version="1\.2\.3"\} 1$/m);
  t.equal((await fetch(`${url}/metrics`, { method: 'POST' })).status, 405);
  for (const path of ['/', '/mutate', '/healthz', '/metrics/x']) {
    t.equal((await fetch(url + path)).status, 404, path);
  }
});
