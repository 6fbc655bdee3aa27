/** How the real program ends. */
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createAuthority, type Authority } from '../bed/authority.ts';
import { freePort } from '../bed/port.ts';
import type { AdmissionResponse } from '../bed/webhook.ts';
import { buildFixture, manifestsOf, writeManifests } from '../support/build-fixture.ts';
import { verdictOf } from '../support/asking.ts';
import { asking, getting, openConnection, type ConnectionAnswer } from '../support/connection.ts';
import { parseExposition } from '../support/exposition.ts';
import { startApi } from '../support/kubernetes-api.ts';
import { IMAGE_FLAG, run, until, type Run } from '../support/program.ts';

let authority: Authority;
t.before(async () => {
  authority = await createAuthority(t.testdir());
});

const given = buildFixture();
/** Long enough for all that a test does in it: it ends earlier by a second signal, or not at all. */
const LONG = '--shutdown-delay=600';
const SHORT = '--shutdown-delay=0.2';

interface Replica extends Run {
  readonly port: number;
  readonly metricsPort: number;
}

/** The program, ready, with the cluster that its flags name; without one, with that of `given`. */
async function startReplica(
  t: Test,
  args: readonly string[],
  { directory = t.testdir(), env = {} }: { directory?: string; env?: Record<string, string> } = {},
): Promise<Replica> {
  await writeManifests(join(directory, 'manifests'), manifestsOf(given));
  const { certificateFile, keyFile } = await authority.issue({ name: 'webhook' });
  const [port, metricsPort] = [await freePort(), await freePort()];
  const isInCluster = args.some((arg) => arg.startsWith('--kubeconfig='));
  const flags = [
    ...(isInCluster ? [] : ['--manifests=manifests']),
    IMAGE_FLAG,
    `--port=${port}`,
    `--metrics-port=${metricsPort}`,
    `--tls-cert=${certificateFile}`,
    `--tls-key=${keyFile}`,
    ...args,
  ];
  const child = run(t, directory, flags, env);
  await until(() => child.output().includes('"ready"'));
  return { ...child, port, metricsPort };
}

async function toldReady({ metricsPort }: Replica): Promise<number | undefined> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  return parseExposition(text).find(({ name }) => name === 'kpack_notary_ready')?.value;
}

function verdict({ status, body }: ConnectionAnswer): string {
  const { response } = body as { readonly response: AdmissionResponse };
  return `${status} ${verdictOf(response)}`;
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`after ${signal} it is not ready, and serves on`, async (t) => {
    const replica = await startReplica(t, [LONG]);
    const early = await openConnection(replica.port);
    t.match(await early.ask(getting('/readyz')), { status: 200, body: { status: 'ok' } });
    t.equal(await toldReady(replica), 1);
    const kept = await early.ask(asking('mutate', given.pod));
    t.equal(kept.headers['connection'], 'keep-alive');

    replica.kill(signal);
    await until(() => replica.output().includes('serving on'));
    const late = await openConnection(replica.port);
    const told = await late.ask(getting('/readyz'));
    t.match(told, { status: 503, body: { status: 'ending' }, headers: { connection: 'close' } });
    await late.closed;
    const alive = await (await openConnection(replica.port)).ask(getting('/healthz'));
    t.match(alive, { status: 200, body: { status: 'ok' } });
    const answer = await early.ask(asking('mutate', given.pod));
    t.equal(verdict(answer), '200 patched');
    t.equal(answer.headers['connection'], 'close', 'so that the next one goes elsewhere');
    await early.closed;
    t.equal(await toldReady(replica), 0, 'metrics are served on as well');

    const open = await openConnection(replica.port);
    open.send('POST /mutate');
    replica.kill(signal);
    t.same(await replica.ended, [1, null], 'a second signal ends it at once');
    await open.closed;
  });
}

t.test('what has been accepted is answered, and what is idle is closed', async (t) => {
  const replica = await startReplica(t, [SHORT]);
  const request = asking('mutate', given.pod);
  const idle = await openConnection(replica.port);
  await idle.ask(request);
  const partial = await openConnection(replica.port);
  await partial.ask(request);
  partial.send(request.slice(0, 10));
  const unused = await openConnection(replica.port);
  replica.kill('SIGTERM');
  await until(() => replica.output().includes('listening no more'));
  await idle.closed;
  await t.rejects(openConnection(replica.port), { code: 'ECONNREFUSED' });
  partial.send(request.slice(10));
  for (const answer of [await partial.answer(), await unused.ask(request)]) {
    t.equal(verdict(answer), '200 patched');
    t.equal(answer.headers['connection'], 'close');
  }
  t.same(await replica.ended, [0, null]);
  t.notMatch(replica.output(), 'are cut');
});

t.test('a review that waits for the Kubernetes API is answered before the end', async (t) => {
  const directory = t.testdir();
  const api = await startApi(t, authority, manifestsOf(given));
  const kubeconfig = `--kubeconfig=${await api.kubeconfig(directory)}`;
  const replica = await startReplica(t, [SHORT, kubeconfig], { directory });
  const held: ServerResponse[] = [];
  api.answer((response) => held.push(response));
  const connection = await openConnection(replica.port);
  connection.send(asking('validate', given.pod));
  await until(() => held.length > 0);
  replica.kill('SIGTERM');
  await until(() => replica.output().includes('listening no more'));
  api.answer((response) => response.writeHead(500).end());
  for (const response of held) response.writeHead(500).end();
  const answer = await connection.answer();
  t.equal(verdict(answer), '200 503 CLUSTER_UNAVAILABLE');
  t.equal(answer.headers['connection'], 'close');
  t.same(await replica.ended, [0, null]);
});

t.test('who never finishes a request does not keep it up', async (t) => {
  const replica = await startReplica(t, [SHORT]);
  const slow = await openConnection(replica.port);
  replica.kill('SIGTERM');
  await until(() => replica.output().includes('serving on'));
  slow.send('POST /mutate HTTP/1.1\r\n');
  t.same(await replica.ended, [0, null]);
  t.match(replica.output(), 'are cut');
  await slow.closed;
});

t.test('a mistake of ours is logged with its stack, and ends it with 1', async (t) => {
  // `on`, since the runner's own listener lets a signal take its course where it is the only one left.
  const directory = t.testdir({
    'mistake.cjs': `process.on('SIGUSR2', () => {
      if (process.env.AS === 'rejection') void Promise.reject(new TypeError('a mistake'));
      else throw new TypeError('a mistake');
    });`,
  });
  for (const as of ['exception', 'rejection']) {
    const env = { NODE_OPTIONS: `--require=${join(directory, 'mistake.cjs')}`, AS: as };
    const replica = await startReplica(t, [LONG], { directory, env });
    replica.kill('SIGUSR2');
    t.same(await replica.ended, [1, null], as);
    const last = replica.output().trim().split('\n').at(-1) ?? '';
    t.match(JSON.parse(last), {
      level: 60,
      msg: 'unexpected error',
      err: { type: 'TypeError', message: 'a mistake', stack: /mistake\.cjs/ },
    });
  }
});
