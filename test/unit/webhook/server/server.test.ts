import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import type { Cluster } from '../../../../src/shared/kubernetes/cluster.ts';
import { CONNECTIONS } from '../../../../src/shared/kubernetes/kubernetes-access.ts';
import { manifestCluster } from '../../../../src/shared/kubernetes/manifest-cluster.ts';
import { admissionReview, type ReviewOptions } from '../../../bed/webhook.ts';
import {
  annotate,
  buildFixture,
  changed,
  manifestsOf,
  secret,
  writeManifests,
} from '../../../support/build-fixture.ts';
import { inject, memoryCluster } from '../../../support/asking.ts';
import { initContainers, SIGNER } from '../../../support/pod.ts';
import { post, review, serve, serveBuild } from '../../../support/served.ts';

t.test('what cannot be read is an HTTP error, and the server lives on', async (t) => {
  const given = buildFixture();
  const app = serveBuild(t, given);
  const body = JSON.stringify(admissionReview({ object: given.pod }));
  const cases: Record<string, readonly [payload: string, contentType: string, status: number]> = {
    'broken JSON': [body.slice(0, -1), 'application/json', 400],
    nothing: ['', 'application/json', 400],
    'a BOM alone': ['\uFEFF', 'application/json', 400],
    YAML: ['kind: AdmissionReview', 'application/yaml', 415],
    'a form': ['a=b', 'application/x-www-form-urlencoded', 415],
    'plain text': [body, 'text/plain', 415],
    '9 MiB': [JSON.stringify('x'.repeat(9 * 1024 * 1024)), 'application/json', 413],
  };
  for (const [what, [payload, contentType, expected]] of Object.entries(cases)) {
    for (const path of ['/mutate', '/validate']) {
      const { status, body } = await post(app, path, payload, contentType);
      t.equal(status, expected, `${path}: ${what}`);
      t.match(body, {
        apiVersion: 'admission.k8s.io/v1',
        kind: 'AdmissionReview',
        response: {
          allowed: false,
          status:
            expected === 413
              ? { code: 422, message: /^kpack-notary REVIEW_TOO_LARGE: .+ Fix: / }
              : { code: 400, message: /^kpack-notary REVIEW_INVALID: .+ Fix: / },
        },
      });
    }
  }
  const compressed = await app.inject({
    method: 'POST',
    url: '/mutate',
    headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    payload: gzipSync(body),
  });
  t.equal(compressed.statusCode, 415);
  t.match(compressed.body, /compressed \(gzip\)/);
  for (const method of ['GET', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'] as const) {
    const answer = await app.inject({ method, url: '/validate?timeout=5s' });
    t.equal(answer.statusCode, 405, method);
    t.equal(answer.headers.allow, 'POST');
  }
  t.equal((await app.inject({ method: 'POST', url: '/', payload: {} })).statusCode, 404);
  for (const url of ['/healthz', '/readyz']) {
    const answer = await app.inject({ method: 'GET', url });
    t.equal(answer.statusCode, 200);
    t.same(answer.json(), { status: 'ok' });
  }
  await review(t, app, 'mutate', { object: given.pod });
});

t.test('a large pod is read, as often as one comes', async (t) => {
  const given = buildFixture();
  initContainers(given.pod)[0]?.env?.push({ name: 'X', value: 'x'.repeat(3 * 1024 * 1024) });
  const app = serveBuild(t, given);
  const options = { object: given.pod, oldObject: given.pod };
  // More than there is room for at once.
  for (let i = 0; i < 3; i++) t.ok((await review(t, app, 'mutate', options)).patch);
});

t.test('reviews at the same time share the connections to the cluster', async (t) => {
  const given = buildFixture('v0.17.2/02b-notary-registry-secrets');
  const known = memoryCluster(manifestsOf(given));
  let [underWay, most] = [0, 0];
  const { app } = serve(t, {
    ...known,
    get: async (reference) => {
      most = Math.max(most, ++underWay);
      await new Promise(setImmediate);
      underWay--;
      return known.get(reference);
    },
  });
  const options = { object: given.pod };
  await Promise.all(Array.from({ length: 20 }, () => review(t, app, 'mutate', options)));
  t.ok(most <= CONNECTIONS, `${most} reads at once`);
});

t.test('an object may have any keys', async (t) => {
  const given = buildFixture();
  const odd = JSON.parse(
    '{"__proto__":"a","constructor":"b","prototype":"c","toString":"d","toJSON":"e","hasOwnProperty":"f"}',
  ) as Record<string, string>;
  const { metadata } = given.pod;
  for (const [name, value] of Object.entries(odd)) {
    for (const key of ['labels', 'annotations'] as const) {
      Object.defineProperty((metadata[key] ??= {}), name, {
        value,
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
  }
  const sent = JSON.stringify(given.pod);
  t.match(sent, /"__proto__":"a"/);
  const app = serveBuild(t, given);
  const { patch = '' } = await review(t, app, 'mutate', { object: given.pod });
  const paths = (JSON.parse(Buffer.from(patch, 'base64').toString()) as { path: string }[]).map(
    ({ path }) => path,
  );
  t.notMatch(paths.join(), /proto|constructor|toString|toJSON|hasOwn/, 'not touched by the patch');
  t.ok(paths.includes('/metadata/annotations/notary.kpack.io~1injected'));
  const nested = changed(given.pod, ({ metadata }) =>
    Object.assign(metadata, { constructor: { prototype: { x: 1 } } }),
  );
  t.ok((await review(t, app, 'mutate', { object: nested })).patch);
  t.equal(({} as { x?: number }).x, undefined);
});

t.test(
  'an object of too many parts, or too many levels, is refused before it is parsed',
  async (t) => {
    const given = buildFixture();
    const app = serveBuild(t, given);
    const cases: Record<string, readonly [object: string, words: RegExp]> = {
      levels: [`${'['.repeat(500_000)}${']'.repeat(500_000)}`, /more than 10000 levels/],
      lists: [`[${'{},'.repeat(2_600_000)}{}]`, /more than 1000000 members/],
      members: [
        `{${Array.from({ length: 700_000 }, (_, i) => `"k${i}":1`).join(',')}}`,
        /more than 1000000 members/,
      ],
    };
    const body = JSON.stringify(
      admissionReview({ object: { ...given.image }, username: 'developer' }),
    );
    const section = JSON.stringify(given.image?.spec['notary']);
    for (const [what, [text, words]] of Object.entries(cases)) {
      const sent = body.replace(section, () => text);
      t.ok(sent.includes(text.slice(0, 100)));
      for (const path of ['/mutate', '/validate']) {
        const { status, body } = await post(app, path, sent);
        t.equal(status, 200, what);
        t.match(body.response, {
          uid: /^[0-9a-f-]{36}$/,
          allowed: false,
          status: { code: 422, message: words },
        });
      }
      const audited = await post(app, '/audit/validate', sent);
      t.equal(audited.status, 422, 'no answer to a review: nothing is refused');
    }
    await review(t, app, 'mutate', { object: given.pod });
  },
);

t.test('the densest objects that etcd stores are read, both of them', async (t) => {
  const given = buildFixture();
  const [step] = initContainers(given.pod);
  // 1.5 MiB of variables, and of who manages them.
  const names = Array.from({ length: 16_000 }, (_, i) => `V${i}`);
  step?.env?.push(...names.map((name) => ({ name, value: 'x' })));
  const fieldsV1: Record<string, object> = {};
  for (const name of names) {
    fieldsV1[`k:{"name":"${name}"}`] = { '.': {}, 'f:name': {}, 'f:value': {} };
  }
  Object.assign(given.pod.metadata, { managedFields: [{ manager: 'kpack', fieldsV1 }] });
  t.ok(JSON.stringify(given.pod).length > 1.3 * 1024 * 1024);
  const app = serveBuild(t, given);
  const options = { object: given.pod, oldObject: given.pod };
  t.ok((await review(t, app, 'mutate', options)).patch);
});

t.test('a mistake of ours is no decision: 503, and logged', async (t) => {
  const given = buildFixture();
  const broken: Cluster = {
    ...memoryCluster([]),
    get: () => Promise.reject(new TypeError('canary mistake')),
  };
  const { app, log } = serve(t, broken);
  for (const question of ['mutate', 'validate'] as const) {
    const response = await review(t, app, question, { object: given.pod });
    t.match(response, {
      allowed: false,
      status: { code: 503, message: /^kpack-notary WEBHOOK_FAILED: / },
    });
    t.notMatch(response.status?.message, /canary/);
  }
  t.match(log(), /canary mistake/);
});

t.test('a mistake of ours keeps nobody from writing: the failure policy decides', async (t) => {
  const given = buildFixture();
  const { app } = serve(t, {
    ...memoryCluster([]),
    get: () => Promise.reject(new TypeError('mistake')),
  });
  const { status, body } = await post(
    app,
    '/validate',
    admissionReview({ object: { ...given.image }, username: 'developer' }),
  );
  t.equal(status, 500);
  t.match(body.response, { allowed: false, status: { code: 503 } });
});

t.test('no data of a Secret is in any answer or log', async (t) => {
  const given = buildFixture('v0.17.2/02b-notary-registry-secrets');
  const canary = 'canary-of-a-secret';
  const encoded = Buffer.from(canary).toString('base64');
  for (const { data, metadata } of given.secrets) {
    for (const name of Object.keys(data)) data[name] = encoded;
    // As `kubectl apply` leaves it in what the webhook reads.
    const applied = {
      'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify({ data }),
    };
    metadata.annotations = { ...metadata.annotations, ...applied };
  }
  given.secrets.push(secret('notary-ca', { 'ca.crt': canary }));
  annotate(given, { 'notary.kpack.io/v1.caSecretRef': 'notary-ca' });
  const directory = t.testdir();
  await writeManifests(directory, manifestsOf(given));
  const cluster = manifestCluster(directory);
  const { app, log } = serve(t, cluster);
  const answers: unknown[] = [];
  const ask = async (options: ReviewOptions) => {
    for (const question of ['mutate', 'validate'] as const) {
      answers.push(await review(t, app, question, options));
    }
  };
  await ask({ object: given.pod });
  await ask({ object: await inject(given) });
  await ask({ object: given.pod, username: 'developer' });
  const exposed = changed(given.pod, ({ spec }) => {
    spec.volumes?.push({ name: 'x', secret: { secretName: 'notary-signing' } });
  });
  await ask({ object: exposed });

  // As somebody may leave a file that he edits.
  for (const text of [
    `kind: Secret\napiVersion: v1\nmetadata: {name: x}\nstringData:\n  password: ${canary}\n bad`,
    `kind: Secret\nstringData: {password: "${canary}\n`,
    `{"kind": "Secret", "data": {"password": "${encoded}" "x"}}`,
    `kind: Secret\nstringData: {password: *${canary}}`,
    `kind: Secret\nstringData: {password: !${canary} x}`,
    `kind: Secret\nstringData: {${canary}: 1, ${canary}: 1}`,
  ]) {
    await writeFile(join(directory, 'edited.yaml'), text);
    await ask({ object: given.pod });
    t.match(answers.at(-1), { allowed: false, status: { code: 503 } }, text);
  }
  const written = JSON.stringify(answers) + log();
  t.match(written, SIGNER);
  t.notMatch(written, canary);
  t.notMatch(written, encoded);
});
