import { createServer, request, type RequestOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { createAuthority } from './authority.ts';
import { createFaultProxy } from './fault-proxy.ts';
import type { ProxyAction } from './proxy.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const directory = temporaryDirectory();
const authority = await createAuthority(directory);
const certificate = await authority.issue({ name: 'server' });
const ANSWER = JSON.stringify({ signed: { text: 'y'.repeat(400) } });
const received: string[] = [];
const server = createServer(
  { cert: certificate.certificatePem, key: certificate.keyPem },
  (incoming, response) => {
    let body = '';
    incoming.on('data', (bytes: Buffer) => (body += bytes.toString()));
    incoming.on('end', () => received.push(`${incoming.method ?? ''} ${body.length}`));
    incoming.on('error', () => received.push('broken'));
    incoming.on('end', () => response.end(incoming.method === 'GET' ? ANSWER : ''));
  },
);
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
t.teardown(() => server.closeAllConnections());
t.teardown(() => server.close());
const target = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
const proxy = createFaultProxy(authority);
const notary = await proxy.before('notary', target);
const tokens = await proxy.before('tokens', target);
t.teardown(() => proxy.stop());

const TUF = '/v2/registry.example.test/demo/app/_trust/tuf/';

t.test('calls have names that are the same in every run', async (t) => {
  proxy.arm();
  await call(`${notary}${TUF}root.json`);
  await call(`${notary}${TUF}targets/releases.${'a1'.repeat(32)}.json`);
  await call(`${notary}${TUF}root.json`);
  await call(`${notary}${TUF}`, 'body');
  await call(`${tokens}/token?scope=x`);
  t.same(proxy.calls, [
    'connect notary #1',
    'notary GET root.json #1',
    'connect notary #2',
    'notary GET targets/releases.*.json #1',
    'connect notary #3',
    'notary GET root.json #2',
    'connect notary #4',
    'notary POST #1',
    'connect tokens #1',
    'tokens GET /token #1',
  ]);
});

t.test('one call is harmed, or all from it on', async (t) => {
  const root = () => call(`${notary}${TUF}root.json`);
  const reset = { request: () => ({ kind: 'reset' }) as const };
  proxy.arm({ call: 'notary GET root.json #2', ...reset });
  t.equal(await root(), ANSWER);
  t.notOk(proxy.struck());
  await t.rejects(root());
  t.ok(proxy.struck());
  t.equal(await root(), ANSWER);

  proxy.arm({ call: 'notary GET root.json #2', persists: true, ...reset });
  t.equal(await root(), ANSWER);
  await t.rejects(root());
  await t.rejects(root());

  proxy.arm({ call: 'connect notary #1', connection: () => 'cut' });
  await t.rejects(root(), { message: /before secure TLS connection/ });
  t.equal(await root(), ANSWER);
});

t.test('answers are harmed in every way', async (t) => {
  const half = ANSWER.length / 2;
  const cases: [Partial<ProxyAction>, string | RegExp][] = [
    [{ loses: 'answer' }, /hang up|ECONNRESET/],
    [{ loses: 'half-answer' }, /aborted/],
    [{ garbles: 'cut-json' }, ANSWER.slice(0, half)],
    [{ garbles: 'short-length' }, /^.{0,9}Parse Error/],
    [{ garbles: 'long-length' }, /aborted/],
    [{ garbles: 'slow' }, ANSWER],
    [{ garbles: 'endless' }, /silent/],
  ];
  for (const [harm, outcome] of cases) {
    proxy.arm({
      call: 'notary GET root.json #1',
      request: () => ({ kind: 'forward', ...harm }) as ProxyAction,
    });
    // What is to come must not be cut off on a busy machine; what never comes is not waited for.
    const got = call(
      `${notary}${TUF}root.json`,
      undefined,
      outcome instanceof RegExp && outcome.source === 'silent' ? 2500 : 30_000,
    );
    const seen = await got.catch((error: unknown) => String(error));
    t.match(seen, outcome, JSON.stringify(harm));
  }
});

t.test('of a request that is cut the server sees the half, and then the end', async (t) => {
  proxy.arm({
    call: 'notary POST #1',
    request: () => ({ kind: 'forward', loses: 'request' }),
  });
  received.length = 0;
  await t.rejects(call(`${notary}${TUF}`, 'a body'));
  while (received.length === 0) await pause(5);
  t.same(received, ['broken']);

  proxy.arm({ call: 'notary POST #1', request: () => ({ kind: 'forward', loses: 'half-answer' }) });
  await t.rejects(call(`${notary}${TUF}`, 'a body'));
  t.same(received, ['broken', 'POST 6']);
});

/** The answer's body, over a connection of its own; as a POST where there is something to send. */
function call(url: string, body?: string, patience = 10_000): Promise<string> {
  const options: RequestOptions = { agent: false, ca: authority.certificatePem };
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      { ...options, method: body === undefined ? 'GET' : 'POST' },
      (response) => {
        let text = '';
        response.on('data', (bytes: Buffer) => (text += bytes.toString()));
        response.on('end', () => resolve(text)).on('error', reject);
      },
    );
    const timer = setTimeout(() => sent.destroy(new Error('silent')), patience);
    sent.on('close', () => clearTimeout(timer));
    sent.on('error', reject).end(body);
  });
}
