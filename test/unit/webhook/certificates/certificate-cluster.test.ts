/** What our certificates ask of an API that is not well. */
import { getEventListeners, once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { mock } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { KubeConfig } from '@kubernetes/client-node';
import t from 'tap';
import { certificateCluster } from '../../../../src/webhook/certificates/certificate-cluster.ts';
import { accessSource } from '../../../../src/shared/kubernetes/kubernetes-access.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

t.test(
  'an API server that says nothing is given up after ten seconds, and nothing is kept of it',
  { timeout: 20_000 },
  async (t) => {
    const silent = createServer();
    const asked = new Promise<void>((resolve) => {
      let count = 0;
      silent.on('connection', (socket) => {
        socket.once('data', () => {
          count += 1;
          if (count === 3) resolve();
        });
        t.teardown(() => socket.destroy());
      });
    });
    await once(silent.listen(0, '127.0.0.1'), 'listening');
    t.teardown(() => silent.close());
    const config = new KubeConfig();
    const server = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    config.loadFromClusterAndUser({ name: 'silent', server, skipTLSVerify: true }, { name: 'us' });
    const cluster = certificateCluster(accessSource(config), {
      namespace: 'kpack-notary',
      secret: 'authority',
      configuration: 'kpack-notary',
    });
    mock.timers.enable({ apis: ['setTimeout'] });
    t.teardown(() => mock.timers.reset());
    const { signal } = new AbortController();
    const looking = cluster.look(signal);
    await asked;
    collectGarbage();
    mock.timers.tick(10_000);
    const { seen, problems } = await looking;
    t.equal(seen.secret, 'unknown');
    t.equal(problems.length, 3);
    for (const { message } of problems) t.match(message, /no answer within 10 s/);
    t.same(getEventListeners(signal, 'abort'), []);
  },
);

t.test('who is stopping asks nothing more', async (t) => {
  const config = new KubeConfig();
  config.loadFromClusterAndUser(
    { name: 'nowhere', server: 'http://127.0.0.1:1', skipTLSVerify: true },
    { name: 'us' },
  );
  const cluster = certificateCluster(accessSource(config), {
    namespace: 'kpack-notary',
    secret: undefined,
    configuration: 'kpack-notary',
  });
  const { problems } = await cluster.look(AbortSignal.abort(new Error('the webhook is stopping')));
  t.equal(problems.length, 2);
  for (const { message } of problems) t.match(message, /the webhook is stopping/);
});
