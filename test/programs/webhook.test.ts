import { once } from 'node:events';
import { copyFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { Agent, get } from 'node:https';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import t from 'tap';
import { EXPLAIN_FLAGS, WEBHOOK_FLAGS } from '../../src/webhook/settings/webhook-flags.ts';
import { createAuthority, type Authority } from '../bed/authority.ts';
import { freePort } from '../bed/port.ts';
import { applyPatch, startWebhook } from '../bed/webhook.ts';
import { buildFixture, manifestsOf, writeManifests } from '../support/build-fixture.ts';
import { inject, verdictOf } from '../support/asking.ts';
import { parseExposition } from '../support/exposition.ts';
import { IMAGE_FLAG, PROGRAM, run, until } from '../support/program.ts';

let authority: Authority;
t.before(async () => {
  authority = await createAuthority(t.testdir());
});

t.test('the program answers both questions over TLS, alone in its directory', async (t) => {
  const directory = t.testdir();
  const given = buildFixture();
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

t.test('SIGTERM and SIGINT end it cleanly, idle connections or not', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const directory = t.testdir({ manifests: {} });
    const { certificateFile, keyFile } = await authority.issue({ name: 'webhook' });
    const port = await freePort();
    const child = run(t, directory, [
      '--manifests=manifests',
      IMAGE_FLAG,
      `--port=${port}`,
      '--metrics-port=0',
      '--shutdown-delay=0',
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
    t.ok(performance.now() - started < 30_000);
  }
});

t.test(
  'metrics are served on a port of their own, with the expiry of the certificate',
  async (t) => {
    const given = buildFixture();
    const directory = t.testdir();
    await writeManifests(join(directory, 'manifests'), manifestsOf(given));
    const port = await freePort();
    const webhook = await startWebhook({
      program: PROGRAM,
      directory,
      authority,
      args: ['--manifests=manifests', IMAGE_FLAG, `--metrics-port=${port}`],
    });
    t.teardown(() => webhook.stop());
    await webhook.post('mutate', { object: given.pod });
    const samples = parseExposition(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text());
    const value = (name: string) => samples.find((sample) => sample.name === name)?.value ?? 0;
    t.equal(value('kpack_notary_admission_reviews_total'), 1);
    t.equal(value('kpack_notary_build_info'), 1);
    const days =
      (value('kpack_notary_certificate_expiration_timestamp_seconds') - Date.now() / 1000) / 86_400;
    t.ok(days > 0 && days < 10_000, `${days} days`);
  },
);

t.test('what keeps it from listening is one line, and exit code 1', async (t) => {
  const directory = t.testdir({ manifests: {} });
  const { certificateFile, keyFile } = await authority.issue({ name: 'webhook' });
  const taken = createServer().listen(0, '::');
  await once(taken, 'listening');
  t.teardown(() => taken.close());
  const { port: used } = taken.address() as AddressInfo;
  const free = await freePort();
  for (const [port, metricsPort] of [
    [used, 0],
    [free, used],
  ] as const) {
    const child = run(t, directory, [
      '--manifests=manifests',
      IMAGE_FLAG,
      `--port=${port}`,
      `--metrics-port=${metricsPort}`,
      `--tls-cert=${certificateFile}`,
      `--tls-key=${keyFile}`,
    ]);
    t.same(await child.ended, [1, null]);
    t.equal(
      child.output(),
      `kpack-notary webhook: cannot listen on port ${used}: another program does. Fix: choose another by --port or --metrics-port.\n`,
    );
  }
});

t.test('a bad command line ends it with exit code 2 and all that is wrong', async (t) => {
  const directory = t.testdir({
    'not-pem': 'x',
    empty: '',
    good: JSON.stringify({
      clusters: [{ name: 'c', cluster: { server: 'https://localhost' } }],
      users: [{ name: 'u', user: { token: 't' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
  });
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
        '--metrics-port=70000',
        '--kubeconfig=a',
        '--manifests=b',
        '--signer-imgae=x',
        'extra',
      ],
      '--port is 0 to 65535',
      '--signer-cpu is a quantity',
      '--signer-memory is a quantity',
      '--log-level is one of',
      '--metrics-port is 0 to 65535',
      '--kubeconfig and --manifests exclude each other',
      'unknown flag --signer-imgae; did you mean --signer-image?',
      'argument 9 belongs to no flag',
      '--certificate-secret, or --tls-cert and --tls-key, is missing',
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
    'an empty certificate': [
      ['--manifests=.', IMAGE_FLAG, ...tls('empty', keyFile)],
      'empty holds no PEM certificate',
    ],
    'an empty key': [
      ['--manifests=.', IMAGE_FLAG, ...tls(certificateFile, 'empty')],
      'empty holds no PEM private key',
    ],
    'manifests below a file': [
      ['--manifests=not-pem/x', '--port=0', ...good],
      '--manifests not-pem/x is not a directory',
    ],
    'a key of another certificate': [
      ['--manifests=.', IMAGE_FLAG, ...tls(certificateFile, other.keyFile)],
      /--tls-key .*: .*mismatch/i,
    ],
    'no kubeconfig there': [['--kubeconfig=missing.yaml', ...good], /--kubeconfig.*missing.yaml/],
    'no kubeconfig in it': [['--kubeconfig=not-pem', ...good], /--kubeconfig.*not-pem/],
    'no manifests there': [['--manifests=missing', '--port=0', ...good], /--manifests.*missing/],
    'a Secret of an unknown namespace': [
      [`--kubeconfig=good`, '--certificate-secret=a', IMAGE_FLAG],
      '--certificate-secret is a Secret of the namespace of the webhook, which is not known',
    ],
    'not in a cluster, and no other': [['--port=0', ...good], '--kubeconfig'],
  };
  for (const [what, [args, ...found]] of Object.entries(cases)) {
    await t.test(what, async (t) => {
      const child = run(t, directory, args);
      const overtime = AbortSignal.timeout(30_000);
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

t.test('--help ends it with 0 and every flag, whatever else is said', async (t) => {
  for (const [args, flags] of [
    [['--help'], WEBHOOK_FLAGS],
    [['--port=x', '-h'], WEBHOOK_FLAGS],
    [['explain', '--help'], EXPLAIN_FLAGS],
  ] as const) {
    const child = run(t, t.testdir(), args);
    t.same(await child.ended, [0, null]);
    for (const name of Object.keys(flags)) t.match(child.output(), `  --${name} `);
    for (const line of child.output().split('\n')) t.ok(line.length <= 160, line);
  }
});

t.test('it listens where there is no IPv6', async (t) => {
  // As a kernel without it answers: EAFNOSUPPORT.
  const directory = t.testdir({
    manifests: {},
    'no-ipv6.cjs': `process.binding('tcp_wrap').TCP.prototype.bind6 = () => -97;`,
  });
  const { certificateFile, keyFile } = await authority.issue({ name: 'webhook' });
  const [port, metricsPort] = [await freePort(), await freePort()];
  const child = run(
    t,
    directory,
    [
      '--manifests=manifests',
      IMAGE_FLAG,
      `--port=${port}`,
      `--metrics-port=${metricsPort}`,
      `--tls-cert=${certificateFile}`,
      `--tls-key=${keyFile}`,
    ],
    { NODE_OPTIONS: '--require=./no-ipv6.cjs' },
  );
  await until(() => /"ready"|cannot/.test(child.output()));
  t.match(child.output(), '"ready"');
  t.equal((await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).status, 200);
});

async function getJson(url: string, agent?: Agent): Promise<unknown> {
  const [response] = (await once(
    get(url, { ca: authority.certificatePem, ...(agent && { agent }) }),
    'response',
  )) as [IncomingMessage];
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk as string;
  return JSON.parse(text);
}
