/** The bundled program as it runs, its settings, and the Kubernetes API that it reads. */
import { once } from 'node:events';
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer, get, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from 'node:tls';
import t, { type Test } from 'tap';
import { ClusterError, type Cluster, type ObjectReference } from '../../src/webhook/cluster.ts';
import { openKubernetesCluster } from '../../src/webhook/kubernetes-cluster.ts';
import { parseSettings, SettingsError } from '../../src/webhook/settings.ts';
import { createAuthority, type Authority, type Certificate } from '../bed/authority.ts';
import { spawnBound } from '../bed/child.ts';
import { freePort } from '../bed/port.ts';
import { applyPatch, startWebhook } from '../bed/webhook.ts';
import { manifestsOf, writeManifests, type Manifest } from '../build-fixture.ts';
import { projectDirectory } from '../fixture.ts';
import { inject, SETTINGS, verdictOf, world } from './world.ts';

const PROGRAM = join(projectDirectory(), 'dist/webhook.cjs');
const IMAGE_FLAG = `--signer-image=${SETTINGS.placement.image}`;
const TOKEN = 'canary-of-a-token';

let authority: Authority;
t.before(async () => {
  authority = await createAuthority(t.testdir());
});

t.test('the program answers both questions over TLS, alone in its directory', async (t) => {
  const directory = t.testdir();
  const given = world();
  await writeManifests(join(directory, 'manifests'), manifestsOf(given));
  await copyFile(PROGRAM, join(directory, 'webhook.cjs'));
  const webhook = await startWebhook({
    program: join(directory, 'webhook.cjs'),
    directory,
    authority,
    args: ['--manifests=manifests', IMAGE_FLAG],
  });
  t.teardown(() => webhook.stop());

  const mutated = await webhook.post('mutate', { object: given.pod });
  t.equal(verdictOf(mutated), 'patched');
  const pod = applyPatch(given.pod, mutated);
  const expected = await inject(given);
  delete pod.metadata.annotations?.['notary.kpack.io/injected'];
  delete expected.metadata.annotations?.['notary.kpack.io/injected'];
  t.same(pod, expected, 'the same as every replica makes');
  t.equal(verdictOf(await webhook.post('validate', { object: pod })), 'allowed');
  t.equal(verdictOf(await webhook.post('validate', { object: given.pod })), '503 SIGNER_MISSING');
  for (const path of ['healthz', 'readyz']) {
    t.same(await getJson(`${webhook.url}/${path}`), { status: 'ok' });
  }
  const lines = webhook.output().trim().split('\n');
  t.equal(lines.filter((line) => line.includes('"reviewed"')).length, 3);
  for (const line of lines) t.type(JSON.parse(line), 'object', 'one JSON object a line');
});

t.test('a certificate that is replaced on disk is served to those who come next', async (t) => {
  const directory = t.testdir({ manifests: {} });
  const issued: Certificate[] = [];
  const recording: Authority = {
    ...authority,
    issue: async (request) => {
      const certificate = await authority.issue(request);
      issued.push(certificate);
      return certificate;
    },
  };
  const webhook = await startWebhook({
    program: PROGRAM,
    directory,
    authority: recording,
    args: ['--manifests=manifests', IMAGE_FLAG],
  });
  t.teardown(() => webhook.stop());
  const port = Number(new URL(webhook.url).port);
  const first = await servedSerial(port);
  const open = connect({ port, host: '127.0.0.1', ca: authority.certificatePem });
  await once(open, 'secureConnect');
  t.teardown(() => open.destroy());

  const [old] = issued;
  if (!old) throw new Error('no certificate was issued');
  const next = await authority.issue({ name: 'next' });
  await copyFile(next.certificateFile, old.certificateFile);
  await until(() => webhook.output().includes('cannot be served yet'));
  t.equal(await servedSerial(port), first, 'half a pair is not served');
  await copyFile(next.keyFile, old.keyFile);
  await until(async () => (await servedSerial(port)) !== first);

  await rm(old.keyFile);
  await rm(old.certificateFile);
  await until(() => /ENOENT/.test(webhook.output()));
  t.not(await servedSerial(port), first, 'what was served last stays');

  open.write('GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n');
  const [answer] = (await once(open, 'data')) as [Buffer];
  t.match(answer.toString(), /^HTTP\/1.1 200 /, 'an open connection goes on');
});

t.test('SIGTERM and SIGINT end it cleanly, idle connections or not', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const directory = t.testdir({ manifests: {} });
    const { certificateFile, keyFile } = await authority.issue({ name: 'webhook' });
    const port = await freePort();
    const child = run(t, directory, [
      '--manifests=manifests',
      IMAGE_FLAG,
      `--port=${port}`,
      `--tls-cert=${certificateFile}`,
      `--tls-key=${keyFile}`,
    ]);
    await until(() => child.output().includes('"ready"'));
    t.match(child.output(), `"port":${port}`);
    const agent = new Agent({ keepAlive: true });
    t.teardown(() => agent.destroy());
    await getJson(`https://localhost:${port}/healthz`, agent);
    const started = performance.now();
    child.kill(signal);
    t.same(await child.ended, [0, null], signal);
    t.ok(performance.now() - started < 5_000);
  }
});

t.test('a bad command line ends it with exit code 2 and all that is wrong', async (t) => {
  const directory = t.testdir({ 'not-pem': 'x' });
  const { certificateFile, keyFile } = await authority.issue({ name: 'webhook' });
  const other = await authority.issue({ name: 'other' });
  const tls = (cert: string, key: string) => [`--tls-cert=${cert}`, `--tls-key=${key}`];
  const good = [...tls(certificateFile, keyFile), IMAGE_FLAG];
  const cases: Record<string, readonly [args: string[], ...found: (string | RegExp)[]]> = {
    'several at once': [
      [
        '--port=70000',
        '--signer-cpu=lots',
        '--signer-memory=-1',
        '--log-level=loud',
        '--kubeconfig=a',
        '--manifests=b',
        '--signer-imgae=x',
        'extra',
      ],
      '--port is 0 to 65535',
      '--signer-cpu is a quantity',
      '--signer-memory is a quantity',
      '--log-level is one of',
      '--kubeconfig and --manifests exclude each other',
      'unknown flag --signer-imgae; did you mean --signer-image?',
      'unexpected argument extra',
      '--tls-cert is missing',
      '--tls-key is missing',
      '--signer-image is missing',
    ],
    'no certificate there': [
      ['--manifests=.', IMAGE_FLAG, ...tls('missing.crt', keyFile)],
      '--tls-cert missing.crt',
      'ENOENT',
    ],
    'no certificate in it': [
      ['--manifests=.', IMAGE_FLAG, ...tls('not-pem', keyFile)],
      '--tls-cert not-pem',
    ],
    'a key of another certificate': [
      ['--manifests=.', IMAGE_FLAG, ...tls(certificateFile, other.keyFile)],
      /--tls-key .*: .*mismatch/i,
    ],
    'no kubeconfig there': [['--kubeconfig=missing.yaml', ...good], /--kubeconfig.*missing.yaml/],
    'no kubeconfig in it': [['--kubeconfig=not-pem', ...good], /--kubeconfig.*not-pem/],
    'no manifests there': [['--manifests=missing', '--port=0', ...good], /--manifests.*missing/],
    'not in a cluster, and no other': [['--port=0', ...good], '--kubeconfig'],
  };
  for (const [what, [args, ...found]] of Object.entries(cases)) {
    await t.test(what, async (t) => {
      const child = run(t, directory, args);
      const overtime = AbortSignal.timeout(3_000);
      const ended = await Promise.race([
        child.ended,
        once(overtime, 'abort').then(() => ['it runs']),
      ]);
      t.same(ended, [2, null]);
      const lines = child.output().trim().split('\n');
      t.equal(lines.length, 1, 'one message');
      t.match(lines[0], /^kpack-notary webhook: /);
      for (const text of found) t.match(lines[0], text);
    });
  }
});

t.test('settings', (t) => {
  const needed = ['--tls-cert=c', '--tls-key=k', '--signer-image=i'];
  t.same(parseSettings(needed, {}), {
    tlsCertFile: 'c',
    tlsKeyFile: 'k',
    port: 8443,
    kpackUsers: ['system:serviceaccount:kpack:controller'],
    placement: { image: 'i', cpu: '100m', memory: '128Mi' },
    logLevel: 'info',
    cluster: { kind: 'in-cluster' },
  });
  t.same(
    parseSettings(['--kpack-user=a', '--kpack-user', 'b', '--signer-cpu', '0.5', '--port=0'], {
      KPACK_NOTARY_TLS_CERT: 'c',
      KPACK_NOTARY_TLS_KEY: 'k',
      KPACK_NOTARY_SIGNER_IMAGE: 'i',
      KPACK_NOTARY_SIGNER_CPU: '7',
      KPACK_NOTARY_SIGNER_MEMORY: '1Gi',
      KPACK_NOTARY_MANIFESTS: 'm',
      KPACK_NOTARY_LOG_LEVEL: 'debug',
    }),
    {
      tlsCertFile: 'c',
      tlsKeyFile: 'k',
      port: 0,
      kpackUsers: ['a', 'b'],
      placement: { image: 'i', cpu: '0.5', memory: '1Gi' },
      logLevel: 'debug',
      cluster: { kind: 'manifests', directory: 'm' },
    },
  );
  const users = parseSettings(needed, { KPACK_NOTARY_KPACK_USER: 'a\nb\n' }).kpackUsers;
  t.same(users, ['a', 'b'], 'one a line');
  for (const [args, problem] of [
    [['--port=x'], '--port is 0 to 65535'],
    [['--port=-1'], '--port is 0 to 65535'],
    [['--port=1.5'], '--port is 0 to 65535'],
    [['--port=65536'], '--port is 0 to 65535'],
    [['--signer-cpu=0'], '--signer-cpu is a quantity like 100m, not 0'],
    [['--signer-memory=1 Gi'], '--signer-memory is a quantity like 128Mi, not 1 Gi'],
    [['--port=1', '--port=2'], '--port is given twice'],
    [['--port='], '--port needs a value'],
    [['--log-level=INFO'], '--log-level is one of fatal'],
  ] as const) {
    t.throws(() => parseSettings([...needed, ...args], {}), { message: problem });
  }
  t.throws(() => parseSettings([], {}), SettingsError);
  t.end();
});

t.test('the Kubernetes API is asked for what a decision needs, and no more', async (t) => {
  const given = world('v0.17.2/02b-notary-registry-secrets');
  const api = await startApi(t, manifestsOf(given));
  const directory = t.testdir();
  const kubeconfig = await api.kubeconfig(directory);
  const webhook = await startWebhook({
    program: PROGRAM,
    directory,
    authority,
    args: [`--kubeconfig=${kubeconfig}`, IMAGE_FLAG],
  });
  t.teardown(() => webhook.stop());
  const response = await webhook.post('mutate', { object: given.pod });
  t.equal(verdictOf(response), 'patched');

  const apps = '/namespaces/apps';
  t.same(
    new Set(api.requests.map(({ url }) => url)),
    new Set([
      '/api/v1/namespaces/apps',
      `/api/v1${apps}/serviceaccounts/builder`,
      `/apis/kpack.io/v1alpha2${apps}/builds/app-build-1`,
      `/apis/kpack.io/v1alpha2${apps}/images/app`,
      ...(given.serviceAccount.secrets ?? []).map(({ name }) => `/api/v1${apps}/secrets/${name}`),
    ]),
  );
  t.equal(api.requests.length, 11, 'each once');
  for (const { url, method, headers } of api.requests) {
    t.equal(method, 'GET');
    t.equal(headers.authorization, `Bearer ${TOKEN}`);
    t.equal(
      headers.accept,
      url?.includes('/secrets/')
        ? 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1'
        : 'application/json',
      url ?? '',
    );
  }
  t.notMatch(webhook.output() + JSON.stringify(response), TOKEN);

  for (let i = 0; i < 5; i += 1) await webhook.post('validate', { object: given.pod });
  t.equal(api.requests.length, 66);
  t.ok(api.connections() <= 16, `${api.connections()} connections, kept open`);
});

const BUILD: ObjectReference = {
  apiVersion: 'kpack.io/v1alpha2',
  kind: 'Build',
  namespace: 'apps',
  name: 'app-build-1',
};
const SECRET: ObjectReference = { apiVersion: 'v1', kind: 'Secret', namespace: 'apps', name: 'x' };

t.test('reads of the Kubernetes API', async (t) => {
  const given = world();
  const api = await startApi(t, manifestsOf(given));
  const cluster = openKubernetesCluster(await api.kubeconfig(t.testdir()));

  await t.test('follow one another on one connection', async (t) => {
    for (let i = 0; i < 20; i += 1) t.ok(await cluster.get(BUILD));
    t.ok(api.connections() <= 2, `${api.connections()} connections`);
  });
  await t.test('open another when an idle one was closed', async (t) => {
    api.closeIdle();
    t.ok(await cluster.get(BUILD));
  });
  await t.test('are tried again when a kept connection breaks under them', async (t) => {
    t.ok(await cluster.get(BUILD));
    api.answer((_, socket, count) => (count === 1 ? socket.destroy() : api.serve()));
    t.ok(await cluster.get(BUILD));
  });
  await t.test('find nothing: 404', async (t) => {
    api.serve();
    t.equal(await cluster.get({ ...BUILD, name: 'other' }), undefined);
    t.equal(await cluster.get(SECRET), undefined);
  });
  await t.test('keep to the path of the object, whatever it is called', async (t) => {
    api.serve();
    const before = api.requests.length;
    for (const name of ['a/b', '..', '../../x', '?x', '%2e%2e', 'a#b', 'ä']) {
      for (const reference of [
        { ...BUILD, name },
        { ...BUILD, apiVersion: `kpack.io/${name}` },
      ]) {
        await cluster.get(reference).catch((error: unknown) => t.type(error, ClusterError));
      }
    }
    for (const { url } of api.requests.slice(before)) {
      t.match(url, /^\/apis\/kpack\.io\/[^/?]+\/namespaces\/[^/?]+\/builds\/[^/?]+$/);
    }
  });
});

t.test('what the Kubernetes API answers otherwise is no object', async (t) => {
  const status = (code: number, reason: string) =>
    JSON.stringify({
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      reason,
      code,
    });
  const send = (code: number, body: string) => (response: ServerResponse) => {
    response.writeHead(code, { 'content-type': 'application/json' }).end(body);
  };
  const cases: Record<string, readonly [(response: ServerResponse) => void, RegExp, RegExp?]> = {
    'forbidden (403)': [
      send(403, status(403, 'Forbidden')),
      /builds\/app-build-1 was answered with HTTP 403/,
      /service account get builds/,
    ],
    'unauthorized (401)': [send(401, status(401, 'Unauthorized')), /HTTP 401/, /get builds/],
    'an error (500)': [send(500, status(500, 'InternalError')), /HTTP 500/],
    'too many requests (429)': [send(429, status(429, 'TooManyRequests')), /HTTP 429/],
    'a redirect (302)': [
      (response) => void response.writeHead(302, { location: 'https://evil.example' }).end(),
      /HTTP 302/,
    ],
    'a path that is not served (404)': [send(404, '404 page not found\n'), /404/],
    'no JSON': [send(200, '<html>'), /something else than JSON/],
    nothing: [send(200, ''), /something else than JSON/],
    'half an object': [send(200, '{"metadata": {"name"'), /something else than JSON/],
    null: [send(200, 'null'), /something else than an object/],
    'a list': [send(200, '[]'), /something else than an object/],
    'no metadata': [send(200, '{}'), /something else than an object/],
    'metadata: null': [send(200, '{"metadata":null}'), /something else than an object/],
    'metadata without a name': [send(200, '{"metadata":{}}'), /something else/],
    'another object': [send(200, '{"metadata":{"name":"other"}}'), /something else/],
    'a broken connection': [
      (response) => {
        response.writeHead(200, { 'content-length': 1000 }).write('{"metadata"');
        setImmediate(() => response.destroy());
      },
      /failed: /,
    ],
    'too much': [
      (response) => void response.end(`{"metadata":{"name":"${'x'.repeat(5 * 1024 * 1024)}"}}`),
      /failed: the answer is too long/,
    ],
  };
  const api = await startApi(t, []);
  const cluster = openKubernetesCluster(await api.kubeconfig(t.testdir()));
  for (const [what, [answer, message, fix]] of Object.entries(cases)) {
    await t.test(what, async (t) => {
      api.answer(answer);
      const error = await failure(cluster, BUILD);
      t.match(error?.message, message);
      if (fix) t.match(error?.fix, fix);
      t.notMatch(error?.message, TOKEN);
    });
  }
  await t.test('the permission is that for the kind', async (t) => {
    api.answer(send(403, status(403, 'Forbidden')));
    t.match((await failure(cluster, SECRET))?.fix, /get secrets/);
  });
});

t.test('a Kubernetes API that hangs is given up after two seconds', async (t) => {
  const hangs: Record<string, (response: ServerResponse) => void> = {
    'no answer': () => undefined,
    'half an answer': (response) => void response.writeHead(200).write('{"metadata":'),
    'an answer that never ends': (response) => {
      const timer = setInterval(() => response.write(' '), 100);
      response.on('close', () => clearInterval(timer));
    },
  };
  const directory = t.testdir();
  await Promise.all(
    Object.entries(hangs).map(async ([what, hang]) => {
      const own = await startApi(t, []);
      own.answer(hang);
      await mkdir(join(directory, what));
      const cluster = openKubernetesCluster(await own.kubeconfig(join(directory, what)));
      const started = performance.now();
      t.ok(await failure(cluster, BUILD), what);
      const milliseconds = performance.now() - started;
      t.ok(milliseconds > 1_500 && milliseconds < 4_000, `${what}: ${milliseconds} ms`);
    }),
  );
});

t.test('a Kubernetes API that is not there is an error at once', async (t) => {
  const api = await startApi(t, []);
  const cluster = openKubernetesCluster(await api.kubeconfig(t.testdir()));
  api.stop();
  t.match((await failure(cluster, BUILD))?.message, /ECONNREFUSED/);
});

t.test('a Kubernetes API of another authority is not believed', async (t) => {
  const given = world();
  const api = await startApi(t, manifestsOf(given));
  const stranger = await createAuthority(t.testdir());
  const cluster = openKubernetesCluster(
    await api.kubeconfig(t.testdir({ other: {} }), stranger.certificatePem),
  );
  t.match((await failure(cluster, BUILD))?.message, /certificate/);
  t.equal(api.requests.length, 0, 'and hears no token');
});

/** What a read fails with; undefined when it does not. */
async function failure(
  cluster: Cluster,
  reference: ObjectReference,
): Promise<ClusterError | undefined> {
  try {
    await cluster.get(reference);
    return undefined;
  } catch (error) {
    if (error instanceof ClusterError) return error;
    throw error;
  }
}

type Answerer = (response: ServerResponse, socket: Socket, count: number) => void;

interface Api {
  readonly requests: IncomingMessage[];
  connections(): number;
  /** Answers otherwise from now on. */
  answer(answerer: Answerer): void;
  /** Answers with the objects again. */
  serve(): void;
  closeIdle(): void;
  stop(): void;
  /** A kubeconfig file with a bearer token. */
  kubeconfig(directory: string, ca?: string): Promise<string>;
}

const PLURALS: Record<string, string> = {
  Namespace: 'namespaces',
  ServiceAccount: 'serviceaccounts',
  Secret: 'secrets',
  Build: 'builds',
  Image: 'images',
};

/** An API server that knows objects by their paths. */
async function startApi(t: Test, manifests: readonly Manifest[]): Promise<Api> {
  const certificate = await authority.issue({ name: 'api' });
  const objects = new Map(
    manifests.map((manifest) => {
      const { apiVersion, kind, metadata } = manifest;
      const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
      const scope = metadata.namespace === undefined ? '' : `/namespaces/${metadata.namespace}`;
      return [`${root}${scope}/${PLURALS[kind] ?? ''}/${metadata.name}`, manifest];
    }),
  );
  const requests: IncomingMessage[] = [];
  let connections = 0;
  let answerer: Answerer | undefined;
  let answered = 0;
  const options = { cert: certificate.certificatePem, key: certificate.keyPem };
  const server: Server = createServer(options, (request, response) => {
    requests.push(request);
    answered += 1;
    answerer?.(response, request.socket, answered);
    if (answerer) return;
    const found = objects.get(request.url ?? '');
    const missing = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      reason: 'NotFound',
      code: 404,
    };
    response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(found ?? missing));
  });
  server.on('secureConnection', () => (connections += 1));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  t.teardown(stop);
  return {
    requests,
    connections: () => connections,
    answer: (next) => {
      answerer = next;
      answered = 0;
    },
    serve: () => (answerer = undefined),
    closeIdle: () => server.closeIdleConnections(),
    stop,
    kubeconfig: async (directory, ca = authority.certificatePem) => {
      const file = join(directory, 'kubeconfig');
      const config = {
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': 'test',
        contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
        clusters: [
          {
            name: 'test',
            cluster: {
              server: `https://localhost:${port}`,
              'certificate-authority-data': Buffer.from(ca).toString('base64'),
            },
          },
        ],
        users: [{ name: 'test', user: { token: TOKEN } }],
      };
      await writeFile(file, JSON.stringify(config));
      return file;
    },
  };
}

interface Run {
  output(): string;
  kill(signal: NodeJS.Signals): void;
  /** Exit code and signal. */
  readonly ended: Promise<unknown[]>;
}

function run(t: Test, directory: string, args: readonly string[]): Run {
  const child = spawnBound({ program: 'node', args: [PROGRAM, ...args], directory });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  }
  t.teardown(() => child.kill('SIGKILL'));
  return {
    output: () => text,
    kill: (signal) => void child.kill(signal),
    ended: once(child, 'close'),
  };
}

/** Waits until something is so; the test's own time limit ends it otherwise. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await pause(20);
}

async function servedSerial(port: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', ca: authority.certificatePem });
  await once(socket, 'secureConnect');
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

async function getJson(url: string, agent?: Agent): Promise<unknown> {
  const [response] = (await once(
    get(url, { ca: authority.certificatePem, ...(agent && { agent }) }),
    'response',
  )) as [IncomingMessage];
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk as string;
  return JSON.parse(text);
}
