import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect as connectPlainly, type Socket } from 'node:net';
import { connect } from 'node:tls';
import { performance } from 'node:perf_hooks';
import t from 'tap';
import type { FastifyInstance } from 'fastify';
import type { Cluster } from '../../src/shared/kubernetes/cluster.ts';
import { deadlineFor } from '../../src/webhook/server/review-deadline.ts';
import { admissionReview } from '../bed/webhook.ts';
import { buildFixture, manifestsOf } from '../support/build-fixture.ts';
import { memoryCluster, verdictOf } from '../support/asking.ts';
import { asking, openConnection } from '../support/connection.ts';
import { until } from '../support/program.ts';
import { post, review, serve, serveBuild } from '../support/served.ts';

/** A cluster that never answers, and tells how its reads were given up. */
function hangingCluster(): { readonly cluster: Cluster; readonly abandoned: Promise<Error> } {
  let tell: (reason: Error) => void;
  const abandoned = new Promise<Error>((resolve) => (tell = resolve));
  const get: Cluster['get'] = (_, signal) =>
    new Promise(() => {
      signal?.addEventListener('abort', () => tell(signal.reason as Error));
    });
  return { cluster: { ...memoryCluster([]), get }, abandoned };
}

t.test('a cluster that hangs is answered for before the API server gives up', async (t) => {
  const { app } = serve(t, hangingCluster().cluster);
  const body = admissionReview({ object: buildFixture().pod });
  for (const [query, seconds] of [
    ['', 5],
    ['?timeout=5s', 5],
    ['?timeout=30s', 5],
    ['?timeout=1s', 1],
  ] as const) {
    const started = performance.now();
    const answer = await post(app, `/mutate${query}`, body);
    t.equal(answer.status, 200);
    if (!answer.body.response) throw new Error('no response');
    t.equal(verdictOf(answer.body.response), '503 CLUSTER_UNAVAILABLE');
    t.match(answer.body.response.status?.message, /no answer within \d/);
    t.ok(performance.now() - started < seconds * 1000, query);
  }
});

t.test('both rounds of reads share one deadline', async (t) => {
  const given = buildFixture();
  const known = memoryCluster(manifestsOf(given));
  const slow: Cluster = {
    ...known,
    get: async (reference) => {
      // The first round takes most of the time, the second would take for ever.
      const isSecond = reference.kind === 'Image' || reference.kind === 'Secret';
      await new Promise((resolve) => setTimeout(resolve, isSecond ? 60_000 : 500).unref());
      return known.get(reference);
    },
  };
  const { app } = serve(t, slow);
  const started = performance.now();
  const { body } = await post(app, '/validate?timeout=1s', admissionReview({ object: given.pod }));
  t.match(body.response?.status, { code: 503, message: /CLUSTER_UNAVAILABLE/ });
  t.ok(performance.now() - started < 1000);
});

t.test('a list that hangs is given up as an object is', async (t) => {
  const given = buildFixture('v0.17.2/07b-standard-containers-notary');
  const known = memoryCluster(manifestsOf(given));
  const limitRanges = () => new Promise<never>(() => undefined);
  const { app } = serve(t, { ...known, limitRanges });
  const { body } = await post(app, '/mutate?timeout=1s', admissionReview({ object: given.pod }));
  const message = /CLUSTER_UNAVAILABLE: LimitRanges of apps could not be read: no answer within/;
  t.match(body.response?.status, { code: 503, message });
});

t.test('the deadline of a review is what the caller says, within bounds', async (t) => {
  t.equal(deadlineFor('2s'), 1400);
  for (const text of [undefined, '', '5s', '30s', '0s', '-1s', '1h', 's', '1e9s', ['1s', '2s']]) {
    t.equal(deadlineFor(text), 3500, String(text));
  }
});

t.test('work stops when nobody waits for it', async (t) => {
  const { cluster, abandoned } = hangingCluster();
  const { app, log } = serve(t, cluster);
  const socket = await connectTo(app);
  socket.write(asking('mutate', buildFixture().pod));
  socket.destroy();
  t.match((await abandoned).message, /the caller has gone/);
  await until(() => log().includes('the caller has gone'));
});

t.test('who is slow to speak is cut off, and who keeps a connection is not', async (t) => {
  const given = buildFixture();
  const app = serveBuild(t, given);
  const whole = asking('mutate', given.pod);
  const plain = async () => {
    await listen(app);
    return connectPlainly((app.server.address() as AddressInfo).port, '127.0.0.1');
  };
  const cases: Record<string, () => Promise<Socket>> = {
    'no handshake': plain,
    'no request': () => connectTo(app),
    'half a header': async () => {
      const socket = await connectTo(app);
      socket.write('POST /mutate HTTP/1.1\r\nhost: localhost\r\n');
      return socket;
    },
    'half a body': async () => {
      const socket = await connectTo(app);
      socket.write(whole.slice(0, -100));
      return socket;
    },
    'a body byte by byte': async () => {
      const socket = await connectTo(app);
      let sent = 0;
      const timer = setInterval(() => socket.write(whole.slice(sent, (sent += 1))), 50);
      socket.on('close', () => clearInterval(timer));
      return socket;
    },
  };
  await listen(app);
  const kept = await openConnection((app.server.address() as AddressInfo).port);
  t.equal((await kept.ask(whole)).status, 200);
  const slow = Object.entries(cases).map(async ([what, open]) => {
    const socket = await open();
    const started = performance.now();
    socket.on('error', () => undefined).resume();
    await once(socket, 'close');
    t.ok(performance.now() - started < 15_000, what);
  });
  await review(t, app, 'mutate', { object: given.pod });
  await Promise.all(slow);
  t.equal((await kept.ask(whole)).status, 200, 'idle for longer than others may be slow');
  await review(t, app, 'mutate', { object: given.pod });
});

t.test('of more than 1,000 connections the one that is idle longest goes', async (t) => {
  const app = serveBuild(t, buildFixture());
  await listen(app);
  const { port } = app.server.address() as AddressInfo;
  const taken: Socket[] = [];
  app.server.on('connection', (socket: Socket) => taken.push(socket));
  const opened = Array.from({ length: 1_001 }, () => connectPlainly(port, '127.0.0.1'));
  for (const socket of opened) socket.on('error', () => undefined);
  await until(() => taken.length > 1_000);
  t.same(
    taken.flatMap(({ destroyed }, i) => (destroyed ? i : [])),
    [0],
  );
  for (const socket of opened) socket.destroy();
});

async function listen(app: FastifyInstance): Promise<void> {
  if (!app.server.listening) await app.listen({ port: 0, host: '127.0.0.1' });
}

async function connectTo(app: FastifyInstance): Promise<Socket> {
  await listen(app);
  const { port } = app.server.address() as AddressInfo;
  // Whom it connects to does not matter here.
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  return socket;
}
