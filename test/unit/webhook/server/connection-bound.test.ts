import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { connect as connectPlainly, type Socket } from 'node:net';
import { connect } from 'node:tls';
import t from 'tap';
import { boundConnections } from '../../../../src/webhook/server/connection-bound.ts';
import { createAuthority } from '../../../bed/authority.ts';
import { temporaryDirectory } from '../../../bed/temporary-directory.ts';
import { until } from '../../../support/program.ts';

const MOST = 4;
const authority = await createAuthority(temporaryDirectory());
const certificate = await authority.issue({ name: 'webhook' });

const server = createServer(
  { cert: certificate.certificatePem, key: certificate.keyPem },
  (request, response) => {
    // The answer to a slow question never comes.
    if (request.url === '/slow') request.resume();
    else if (request.url === '/unread') request.pause();
    else request.resume().on('end', () => response.end('{}'));
  },
);
boundConnections(server, MOST);
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;
const opened: Socket[] = [];
t.teardown(() => {
  for (const socket of opened) socket.destroy();
  server.close();
});

/** @param over a connection that has no TLS yet; a new one by default */
async function open(over?: Socket): Promise<Socket> {
  const to = over ? { socket: over } : { port, host: '127.0.0.1' };
  const socket = connect({ ...to, rejectUnauthorized: false });
  opened.push(socket.on('error', () => undefined).resume());
  await Promise.all([once(socket, 'secureConnect'), once(server, 'secureConnection')]);
  return socket;
}

async function openPlainly(): Promise<Socket> {
  const socket = connectPlainly({ port, host: '127.0.0.1' });
  opened.push(socket.on('error', () => undefined).resume());
  await once(socket, 'connect');
  return socket;
}

async function ask(socket: Socket, path = '/', body = ''): Promise<void> {
  socket.write(
    `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  if (path === '/') await once(socket, 'data');
}

const isGone = ({ destroyed }: Socket) => destroyed;

t.test('a server whose connections are bounded', async (t) => {
  t.afterEach(async () => {
    for (const socket of opened.splice(0)) socket.destroy();
    await until(
      () =>
        new Promise<boolean>((resolve) =>
          server.getConnections((_, count) => resolve(count === 0)),
        ),
    );
  });

  t.test('at the bound the one that is idle longest goes, and the new one is served', async (t) => {
    const [first, ...others] = [await open(), await open(), await open(), await open()];
    const another = await open();
    await until(() => first.destroyed);
    await ask(another);
    t.notOk([...others, another].some(isGone));
  });

  t.test('a connection is idle from its handshake on', async (t) => {
    const plain = await openPlainly();
    const earlier = await open();
    const later = await open(plain);
    for (let i = 0; i < 3; i++) await open();
    await until(() => [earlier, later].some(isGone));
    t.ok(earlier.destroyed);
  });

  t.test('those that were answered a review outlive those that were not', async (t) => {
    const asked = await open();
    await ask(asked);
    const probe = await open();
    probe.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await once(probe, 'data');
    const others = [await open(), await open(), await open()];
    await until(() => [asked, probe, ...others].some(isGone));
    t.ok(probe.destroyed);
    for (let i = 0; i < 3 * MOST; i++) await (i % 2 === 0 ? open() : openPlainly());
    await ask(asked);
    t.notOk(asked.destroyed);
  });

  t.test('a review that is being answered is not cut off, whoever else comes', async (t) => {
    const busy = await open();
    await ask(busy, '/slow', '{}');
    await new Promise<void>((resolve) => setTimeout(resolve, 50));
    for (let i = 0; i < 3 * MOST; i++) await ask(await open());
    t.notOk(busy.destroyed);
  });

  t.test(
    'a request whose body does not come is as good as idle, from its beginning on',
    async (t) => {
      const [slow, idle] = [await open(), await open()];
      slow.write('POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n{');
      await once(server, 'request');
      const later = [await open(), await open()];
      await open();
      await until(() => [slow, idle, ...later].some(isGone));
      t.ok(idle.destroyed);
      await open();
      await until(() => [slow, ...later].some(isGone));
      t.ok(slow.destroyed);
    },
  );
});
