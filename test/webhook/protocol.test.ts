/** What goes over the wire: reviews, status codes, and what must never be in them. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { createApp } from '../../src/webhook/app.ts';
import type { Cluster } from '../../src/webhook/cluster.ts';
import { manifestCluster } from '../../src/webhook/manifest-cluster.ts';
import { createAuthority, type Certificate } from '../bed/authority.ts';
import { admissionReview, type AdmissionResponse, type ReviewOptions } from '../bed/webhook.ts';
import { manifestsOf, secret, signingNamespace, writeManifests } from '../build-fixture.ts';
import {
  annotate,
  changed,
  initContainers,
  inject,
  memoryCluster,
  setSection,
  section,
  SETTINGS,
  SIGNER,
  world,
  type World,
} from './world.ts';

interface Answer {
  readonly status: number;
  readonly body: {
    readonly apiVersion?: string;
    readonly kind?: string;
    readonly response?: AdmissionResponse;
  };
}

let certificate: Certificate;

t.before(async () => {
  const authority = await createAuthority(t.testdir());
  certificate = await authority.issue({ name: 'webhook' });
});

/** A server of its own for a test, and what it logs. */
function serve(t: Test, cluster: Cluster): { app: FastifyInstance; log: () => string } {
  let text = '';
  const log = pino({ level: 'trace' }, { write: (line: string) => (text += line) });
  const tls = { cert: certificate.certificatePem, key: certificate.keyPem };
  const app = createApp({ ...SETTINGS, cluster, tls, log });
  t.teardown(() => app.close());
  return { app, log: () => text };
}

function serveWorld(t: Test, given: World): FastifyInstance {
  return serve(t, memoryCluster(manifestsOf(given, given.namespace))).app;
}

async function post(
  app: FastifyInstance,
  path: string,
  payload: string | object,
  contentType = 'application/json',
): Promise<Answer> {
  const answer = await app.inject({
    method: 'POST',
    url: path,
    headers: { 'content-type': contentType },
    payload,
  });
  return { status: answer.statusCode, body: answer.json() };
}

/** Posts a review, checks the frame of the answer, and returns the response. */
async function review(
  t: Test,
  app: FastifyInstance,
  question: 'mutate' | 'validate',
  options: ReviewOptions,
  change: (request: Record<string, unknown>) => void = () => undefined,
): Promise<AdmissionResponse> {
  const sent = admissionReview(options) as { request: Record<string, unknown> };
  change(sent.request);
  const { status, body } = await post(app, `/${question}`, sent);
  t.equal(status, 200);
  t.match(body, { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' });
  t.equal(body.response?.uid, sent.request['uid']);
  if (!body.response) throw new Error('no response');
  return body.response;
}

t.test('a patch, a refusal and a pass have the form that the API server reads', async (t) => {
  const given = world();
  const app = serveWorld(t, given);
  const mutated = await review(t, app, 'mutate', { object: given.pod });
  t.match(mutated, { allowed: true, patchType: 'JSONPatch', status: undefined });
  t.ok(Array.isArray(JSON.parse(Buffer.from(mutated.patch ?? '', 'base64').toString())));

  const missing = await review(t, app, 'validate', { object: given.pod });
  t.match(missing, {
    allowed: false,
    status: { status: 'Failure', code: 503, reason: 'ServiceUnavailable' },
  });
  t.notOk(missing.patch ?? missing.patchType);

  const stranger = await review(t, app, 'mutate', { object: given.pod, username: 'x' });
  t.match(stranger, {
    allowed: false,
    status: { status: 'Failure', code: 422, reason: 'Invalid' },
  });

  const passed = await review(t, app, 'validate', { object: await inject(given) });
  t.same(Object.keys(passed).sort(), ['allowed', 'uid']);
});

t.test('what is not new, or not a build pod, passes untouched', async (t) => {
  const given = world();
  setSection(given, 'malformed');
  const app = serveWorld(t, given);
  const { pod } = given;
  const configMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'x', namespace: 'apps', labels: pod.metadata.labels },
    data: { x: 'y' },
  };
  const deployment = { ...configMap, apiVersion: 'apps/v1', kind: 'Deployment' };
  const bare = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x', namespace: 'apps' } };
  const plain = { ...bare, spec: { containers: [{ name: 'x', image: 'x' }] } };
  type Change = (request: Record<string, unknown>) => void;
  const cases: Record<string, readonly [ReviewOptions, Change?]> = {
    'an update of a build pod': [{ object: pod, oldObject: pod, operation: 'UPDATE' }],
    'a deletion': [
      { object: pod, oldObject: pod, operation: 'DELETE' },
      (request) => (request['object'] = null),
    ],
    'a connection': [
      { object: pod },
      (request) => {
        request['operation'] = 'CONNECT';
        request['subResource'] = 'exec';
      },
    ],
    'a binding of a pod': [{ object: pod }, (request) => (request['subResource'] = 'binding')],
    'an ephemeral container': [
      { object: pod, oldObject: pod, operation: 'UPDATE' },
      (request) => (request['subResource'] = 'ephemeralcontainers'),
    ],
    'a ConfigMap': [{ object: configMap }],
    'a Deployment': [{ object: deployment }],
    'a pod of others': [{ object: plain }],
    'a pod without labels': [{ object: { ...plain, metadata: { name: 'x' } } }],
    'a pod without a spec': [{ object: { ...bare, metadata: pod.metadata } }],
    'no object at all': [{ object: pod }, (request) => (request['object'] = null)],
    'a Pod of another group': [
      { object: changed(pod, (pod) => (pod.apiVersion = 'example.com/v1')) },
    ],
  };
  for (const [what, [options, change]] of Object.entries(cases)) {
    for (const question of ['mutate', 'validate'] as const) {
      const { uid, ...response } = await review(t, app, question, options, change);
      t.same(response, { allowed: true }, `${question}: ${what}`);
      t.ok(uid);
    }
  }
});

t.test('what is no review is refused with a review, and the server lives on', async (t) => {
  const given = world();
  const app = serveWorld(t, given);
  const whole = admissionReview({ object: given.pod }) as { request: Record<string, unknown> };
  const { request } = whole;
  const bodies: Record<string, unknown> = {
    'an object': {},
    'a list': [],
    null: null,
    'a text': 'x',
    'a number': 1,
    'a pod': given.pod,
    'another version': { ...whole, apiVersion: 'admission.k8s.io/v1beta1' },
    'another kind': { ...whole, kind: 'ConversionReview' },
    'no request': { ...whole, request: undefined },
    'request: a list': { ...whole, request: [] },
    'no uid': { ...whole, request: { ...request, uid: undefined } },
    'uid: a number': { ...whole, request: { ...request, uid: 5 } },
    'no kind': { ...whole, request: { ...request, kind: undefined } },
    'kind: a text': { ...whole, request: { ...request, kind: 'Pod' } },
    'no operation': { ...whole, request: { ...request, operation: undefined } },
    'no user': { ...whole, request: { ...request, userInfo: undefined } },
    'namespace: a number': { ...whole, request: { ...request, namespace: 5 } },
  };
  for (const [what, body] of Object.entries(bodies)) {
    for (const path of ['/mutate', '/validate']) {
      const answer = await post(app, path, JSON.stringify(body));
      t.equal(answer.status, 400, what);
      t.match(answer.body, { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' });
      t.match(answer.body.response, {
        allowed: false,
        status: { code: 400, reason: 'BadRequest', message: /^kpack-notary REVIEW_INVALID: / },
      });
      t.type(answer.body.response?.uid, 'string');
    }
  }
  await review(t, app, 'mutate', { object: given.pod });
});

t.test('a review that lacks something is answered under its uid', async (t) => {
  const given = world();
  const app = serveWorld(t, given);
  const whole = admissionReview({ object: given.pod }) as { request: Record<string, unknown> };
  for (const member of ['kind', 'operation', 'userInfo']) {
    const request = { ...whole.request, [member]: undefined };
    const { body } = await post(app, '/mutate', { ...whole, request });
    t.equal(body.response?.uid, whole.request['uid'], `without ${member}`);
  }
});

t.test('what cannot be read is an HTTP error, and the server lives on', async (t) => {
  const given = world();
  const app = serveWorld(t, given);
  const body = JSON.stringify(admissionReview({ object: given.pod }));
  const cases: Record<string, readonly [payload: string, contentType: string, status: number]> = {
    'broken JSON': [body.slice(0, -1), 'application/json', 400],
    nothing: ['', 'application/json', 400],
    'a BOM alone': ['\uFEFF', 'application/json', 400],
    YAML: ['kind: AdmissionReview', 'application/yaml', 415],
    'a form': ['a=b', 'application/x-www-form-urlencoded', 415],
    'plain text': [body, 'text/plain', 400],
    '9 MiB': [JSON.stringify('x'.repeat(9 * 1024 * 1024)), 'application/json', 413],
  };
  for (const [what, [payload, contentType, expected]] of Object.entries(cases)) {
    for (const path of ['/mutate', '/validate']) {
      const { status } = await post(app, path, payload, contentType);
      t.equal(status, expected, `${path}: ${what}`);
    }
  }
  t.equal((await app.inject({ method: 'GET', url: '/mutate' })).statusCode, 404);
  t.equal((await app.inject({ method: 'POST', url: '/', payload: {} })).statusCode, 404);
  for (const url of ['/healthz', '/readyz']) {
    const answer = await app.inject({ method: 'GET', url });
    t.equal(answer.statusCode, 200);
    t.same(answer.json(), { status: 'ok' });
  }
  await review(t, app, 'mutate', { object: given.pod });
});

t.test('a large pod is read', async (t) => {
  const given = world();
  initContainers(given.pod)[0]?.env?.push({ name: 'X', value: 'x'.repeat(3 * 1024 * 1024) });
  const app = serveWorld(t, given);
  const options = { object: given.pod, oldObject: given.pod };
  t.ok((await review(t, app, 'mutate', options)).patch);
});

t.test('an object may have any keys', async (t) => {
  const given = world();
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
  const app = serveWorld(t, given);
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

t.test('warnings are short, and say at their end that they were cut', async (t) => {
  const given = world();
  const url = `http://notary.example.com/${'long/'.repeat(100)}end`;
  setSection(given, section(url));
  const app = serveWorld(t, given);
  const { warnings = [] } = await review(t, app, 'mutate', { object: given.pod });
  t.ok(warnings.length >= 2);
  for (const warning of warnings) {
    t.ok(warning.length <= 256, `${warning.length} characters`);
    t.match(warning, /^kpack-notary: /);
  }
  t.ok(warnings.some((warning) => warning.length === 256 && warning.endsWith('…')));

  const audited = world('v0.17.2/02-notary', signingNamespace('audit'));
  setSection(audited, {
    v1: Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`x${i}`, 1])),
  });
  const response = await review(t, serveWorld(t, audited), 'mutate', { object: audited.pod });
  t.equal(response.allowed, true);
  for (const warning of response.warnings ?? []) t.ok(warning.length <= 256);
});

t.test('a mistake of ours is no decision: 503, and logged', async (t) => {
  const given = world();
  const broken: Cluster = { get: () => Promise.reject(new TypeError('canary mistake')) };
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

t.test('no object that is nested deeply ends the process', async (t) => {
  const given = world();
  const app = serveWorld(t, given);
  const deep = `${'['.repeat(500_000)}${']'.repeat(500_000)}`;
  const image = JSON.stringify(admissionReview({ object: { ...given.image } })).replace(
    JSON.stringify(given.image?.spec['notary']),
    deep,
  );
  t.ok(image.includes(deep));
  for (const path of ['/mutate', '/validate']) {
    const { status, body } = await post(app, path, image);
    t.equal(status, 200);
    t.equal(body.response?.allowed, path === '/mutate');
  }
  await review(t, app, 'mutate', { object: given.pod });
});

t.test('every decision is one line in the log', async (t) => {
  const given = world();
  const { app, log } = serve(t, memoryCluster(manifestsOf(given, given.namespace)));
  const { uid } = await review(t, app, 'mutate', { object: given.pod });
  await review(t, app, 'validate', { object: given.pod });
  const lines = log()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  t.equal(lines.length, 2);
  t.match(lines, [
    {
      uid,
      question: 'mutate',
      kind: 'Pod',
      operation: 'CREATE',
      namespace: 'apps',
      name: 'app-build-1-build-pod',
      username: 'system:serviceaccount:kpack:controller',
      decision: 'patch',
      reason: 'to be signed',
      ms: Number,
    },
    { question: 'validate', decision: 'deny', code: 'SIGNER_MISSING' },
  ]);
  t.notMatch(log(), /notary-url=/, 'never the patch');
});

t.test('no data of a Secret is in any answer or log', async (t) => {
  const given = world('v0.17.2/02b-notary-registry-secrets');
  const canary = 'canary-of-a-secret';
  const encoded = Buffer.from(canary).toString('base64');
  for (const { data } of given.secrets) {
    for (const name of Object.keys(data)) data[name] = encoded;
  }
  given.secrets.push(secret('notary-ca', { 'ca.crt': canary }));
  annotate(given, { 'notary.kpack.io/v1.caSecretRef': 'notary-ca' });
  const directory = t.testdir();
  await writeManifests(directory, manifestsOf(given, given.namespace));
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

t.test('a directory of manifests serves what a cluster would', async (t) => {
  const given = world('v0.17.2/02b-notary-registry-secrets');
  const manifests = manifestsOf(given, given.namespace);
  const yaml = (objects: readonly object[]) =>
    objects.map((it) => JSON.stringify(it)).join('\n---\n');
  const layouts: Record<string, Record<string, string>> = {
    'one file': { 'all.yaml': yaml(manifests) },
    'a list': { 'all.json': JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests }) },
    'with others beside': {
      'a.yml': `---\n---\n# nothing\n`,
      'b.yaml': `kind: Namespace\n---\n5\n---\nkind: Build\nmetadata:\n`,
      'c.yaml': yaml(manifests),
      'notes.txt': 'not: [yaml',
    },
  };
  for (const [what, files] of Object.entries(layouts)) {
    await t.test(what, async (t) => {
      const directory = t.testdir(files);
      const cluster = manifestCluster(directory);
      const { app } = serve(t, cluster);
      const response = await review(t, app, 'mutate', { object: given.pod });
      t.ok(response.patch);
      const found = await cluster.get({
        apiVersion: 'v1',
        kind: 'Secret',
        namespace: 'apps',
        name: 'notary-signing',
      });
      t.same(Object.keys(found ?? {}), ['metadata'], 'of Secrets the metadata alone');
      for (const reference of [
        { apiVersion: 'v1', kind: 'Secret', namespace: 'other', name: 'notary-signing' },
        { apiVersion: 'v1', kind: 'Secret', namespace: 'apps', name: 'other' },
        {
          apiVersion: 'kpack.io.example.com/v1',
          kind: 'Build',
          namespace: 'apps',
          name: 'app-build-1',
        },
      ] as const) {
        t.equal(await cluster.get(reference), undefined);
      }
    });
  }
  const { app } = serve(t, manifestCluster(join(t.testdir(), 'missing')));
  const response = await review(t, app, 'mutate', { object: given.pod });
  t.match(response.status?.message, /CLUSTER_UNAVAILABLE: .*missing cannot be read/);
});
