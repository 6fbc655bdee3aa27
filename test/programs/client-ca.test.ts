/** Who is answered where callers have to show a client certificate. */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { copyFile, truncate } from 'node:fs/promises';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import tap, { t, type Test } from 'tap';
import { createAuthority, type Certificate } from '../bed/authority.ts';
import { startWebhook, type Webhook } from '../bed/webhook.ts';
import { buildFixture, manifestsOf, writeManifests } from '../support/build-fixture.ts';
import { asking, getting } from '../support/connection.ts';
import { IMAGE_FLAG, PROGRAM, run, until } from '../support/program.ts';
import { isAuthenticated } from '../../src/webhook/server/client-certificate.ts';

const authority = await createAuthority(t.testdir({ own: {}, callers: {}, others: {} }) + '/own');
const callers = await createAuthority(`${tap.testdirName}/callers`);
const others = await createAuthority(`${tap.testdirName}/others`);
const apiserver = await callers.issue({ name: 'kube-apiserver', usage: 'client' });
const given = buildFixture();
const REVIEW = asking('mutate', given.pod);

async function start(t: Test, caFile: string): Promise<Webhook> {
  const directory = t.testdir();
  await writeManifests(`${directory}/manifests`, manifestsOf(given));
  const webhook = await startWebhook({
    program: PROGRAM,
    directory,
    authority,
    args: ['--manifests=manifests', IMAGE_FLAG, `--client-ca=${caFile}`],
  });
  t.teardown(() => webhook.stop());
  return webhook;
}

async function connectTo({ url }: Webhook, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const port = Number(new URL(url).port);
  const socket = connect({ port, host: '127.0.0.1', ca: authority.certificatePem, ...options });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  return socket;
}

const shown = ({ certificatePem: cert, keyPem: key }: Certificate) => ({ cert, key });

/** Head and body of the answer, which ends with the connection or is whole. */
async function ask(socket: TLSSocket, words: string): Promise<string> {
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  socket.write(words);
  await until(() => socket.destroyed || /\r\n\r\n.+/s.test(text));
  return text;
}

t.test(
  'without a certificate nothing is answered, whatever is asked, and probes are',
  async (t) => {
    const webhook = await start(t, callers.certificateFile);
    const words = [
      REVIEW,
      asking('validate', given.pod),
      REVIEW.replace('/mutate', '/audit/mutate'),
      REVIEW.replace('/mutate', '/audit/validate'),
      REVIEW.replace('/mutate', '/mutate?timeout=5s'),
      REVIEW.replace('/mutate', '/healthz/../mutate'),
      REVIEW.replace('/mutate', '/mutate/'),
      getting('/mutate'),
      getting('/metrics'),
      getting('/'),
    ];
    const impostors = {
      none: {},
      'of another CA': shown(await others.issue({ name: 'kube-apiserver', usage: 'client' })),
      'of the serving CA': shown(await authority.issue({ name: 'x', usage: 'client' })),
      'for servers': shown(await callers.issue({ name: 'kube-apiserver', usage: 'server' })),
    };
    for (const [what, certificate] of Object.entries(impostors)) {
      for (const sent of words) {
        const answer = await ask(await connectTo(webhook, certificate), sent);
        const [head = '', body] = answer.split('\r\n\r\n');
        t.match(head, /^HTTP\/1.1 401 .+\r\nconnection: close/is, what);
        t.equal(body, '{"message":"unauthorized"}');
      }
      for (const probe of ['/healthz', '/readyz', '/readyz?verbose']) {
        const socket = await connectTo(webhook, certificate);
        t.match(await ask(socket, getting(probe)), /^HTTP\/1.1 200 /);
        socket.destroy();
      }
    }
    const socket = await connectTo(webhook, shown(apiserver));
    t.match(await ask(socket, REVIEW), /"allowed":true/);
    socket.destroy();
  },
);

t.test('a session that is resumed proves nothing that it did not prove before', async (t) => {
  const webhook = await start(t, callers.certificateFile);
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const first = await connectTo(webhook, { maxVersion });
    let session: Buffer | undefined = first.getSession();
    first.on('session', (ticket: Buffer) => (session = ticket));
    await ask(first, getting('/healthz'));
    if (!session) throw new Error('no session');
    const second = await connectTo(webhook, { maxVersion, session: Buffer.from(session) });
    t.ok(second.isSessionReused(), maxVersion);
    t.match(await ask(second, REVIEW), /^HTTP\/1.1 401 /, maxVersion);
    for (const socket of [first, second]) socket.destroy();
  }
});

t.test('a connection that outlives its certificate proves nothing any more', async (t) => {
  const certificate = new X509Certificate(apiserver.certificatePem);
  const kept = { authorized: true, getPeerX509Certificate: () => certificate };
  const isKnown = () => isAuthenticated(kept as unknown as TLSSocket);
  t.ok(isKnown());
  t.capture(Date, 'now', () => Date.parse(certificate.validTo) + 1);
  t.notOk(isKnown());
});

t.test('the CA is read again when it changes, and kept while it is broken', async (t) => {
  const file = `${tap.testdirName}/callers/changing.crt`;
  await copyFile(others.certificateFile, file);
  const webhook = await start(t, file);
  const isAnswered = async () => {
    const socket = await connectTo(webhook, shown(apiserver));
    const answer = await ask(socket, REVIEW);
    socket.destroy();
    return answer.includes('"allowed":true');
  };
  t.notOk(await isAnswered());
  await copyFile(callers.certificateFile, file);
  await until(isAnswered);
  await truncate(file);
  await until(() => webhook.output().includes('cannot be trusted yet'));
  t.ok(await isAnswered(), 'what was trusted last stays');

  const open = await connectTo(webhook, shown(apiserver));
  t.match(await ask(open, REVIEW), /"allowed":true/);
  await copyFile(others.certificateFile, file);
  await until(async () => !(await isAnswered()));
  t.match(await ask(open, REVIEW), /"allowed":true/, 'an open connection goes on');
  open.destroy();
});

t.test('a file without a certificate is a bad command line', async (t) => {
  const directory = t.testdir({ empty: '', key: apiserver.keyPem });
  for (const file of ['missing', 'empty', 'key']) {
    const certificate = await authority.issue({ name: 'webhook' });
    const program = run(t, directory, [
      ...[`--tls-cert=${certificate.certificateFile}`, `--tls-key=${certificate.keyFile}`],
      ...['--manifests=.', IMAGE_FLAG, `--client-ca=${file}`],
    ]);
    t.same(await program.ended, [2, null], file);
    t.match(program.output(), new RegExp(`--client-ca ${file}: .+ Fix: `));
  }
});
