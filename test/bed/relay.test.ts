import { request } from 'node:https';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { createAuthority } from './authority.ts';
import { startRelay, type RelayOptions } from './relay.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const directory = temporaryDirectory();
const authority = await createAuthority(directory);
const certificate = await authority.issue({ name: 'server' });
const ANSWER = 'x'.repeat(100_000);
const server = createServer(
  { cert: certificate.certificatePem, key: certificate.keyPem },
  (_, response) => response.end(ANSWER),
);
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
t.teardown(() => server.close());
const target = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;

const start = async (options: Omit<RelayOptions, 'target'> = {}) => {
  const relay = await startRelay({ target, ...options });
  t.teardown(() => relay.stop());
  return relay;
};

t.test('what passes is counted', async (t) => {
  const relay = await start();
  t.equal(await get(relay.url), ANSWER);
  t.equal(await get(relay.url), ANSWER);
  t.match(relay.traffic, { connections: 2, handshakes: 2 });
  t.ok(relay.traffic.bytesToServer > 500);
  t.ok(relay.traffic.bytesToClient > 2 * ANSWER.length);
});

t.test('connect, TLS and request take a round trip each', async (t) => {
  const roundTrip = 100;
  const relay = await start({ roundTrip });
  const begin = performance.now();
  t.equal(await get(relay.url), ANSWER);
  const roundTrips = (performance.now() - begin) / roundTrip;
  t.ok(roundTrips >= 3 && roundTrips < 4, String(roundTrips));
});

t.test('connections break as a rule says', async (t) => {
  const actions = ['reset', 'cut', 'forward', 'hang'] as const;
  const relay = await start({ rule: (index) => actions[index] ?? 'forward' });
  await t.rejects(get(relay.url), { code: 'ECONNRESET' });
  await t.rejects(get(relay.url), { message: /before secure TLS connection/ });
  t.equal(await get(relay.url), ANSWER);
  await t.rejects(get(relay.url, 300), /silent/);
  t.match(relay.traffic, { connections: 4, handshakes: 2 });
});

t.test('a relay that refuses comes back on the same port', async (t) => {
  const relay = await start();
  await relay.refuse();
  await t.rejects(get(relay.url), { code: 'ECONNREFUSED' });
  await relay.accept();
  t.equal(await get(relay.url), ANSWER);
});

t.test('connections wait for a rule that waits', async (t) => {
  const arrivals: (() => void)[] = [];
  const relay = await start({
    rule: () =>
      new Promise((resolve) => {
        arrivals.push(() => resolve('forward'));
        if (arrivals.length === 3) for (const release of arrivals) release();
      }),
  });
  const first = [get(relay.url), get(relay.url)];
  const none = await Promise.race([...first, get(relay.url, 300).catch(() => 'none')]);
  t.equal(none, ANSWER, 'the third releases all');
  await Promise.all(first);
});

/** The answer's body; each time over a connection of its own. */
function get(url: string, patience = 10_000): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      { agent: false, ca: authority.certificatePem, timeout: patience },
      (response) => {
        let text = '';
        response.on('data', (bytes: Buffer) => (text += bytes.toString()));
        response.on('end', () => resolve(text)).on('error', reject);
      },
    );
    sent.on('timeout', () => sent.destroy(new Error('silent')));
    sent.on('error', reject).end();
  });
}
