import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdtempSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Gun } from '../../src/shared/image-reference.ts';
import type { NotaryUrl } from '../../src/shared/notary-url.ts';
import { SigningError } from '../../src/shared/signing-error.ts';
import type { RoleName } from '../../src/sidecar/tuf/metadata.ts';
import { createConnectionLimit } from '../../src/sidecar/http/connection-limit.ts';
import { createHttpClient, type HttpClientOptions } from '../../src/sidecar/http/http-client.ts';
import { createLog } from '../../src/sidecar/io/log.ts';
import { createNotaryClient } from '../../src/sidecar/notary/notary-client.ts';
import { readProxySettings } from '../../src/sidecar/http/proxy-settings.ts';
import { runSigner } from '../../src/sidecar/run.ts';
import { readFlags } from '../../src/shared/flags.ts';
import { SIGNER_FLAGS } from '../../src/shared/signer-flags.ts';
import { parseSignerOptions } from '../../src/sidecar/signer-options.ts';
import { createAuthority } from '../bed/authority.ts';
import { runCommand } from '../bed/command.ts';
import { startForwardProxy } from '../bed/forward-proxy.ts';
import { startHandlerServer, type HandlerServerOptions } from '../bed/handler-server.ts';
import { projectDirectory } from '../bed/project-directory.ts';
import { makeKey } from '../support/trust/key.ts';
import { buildRepository, NOW } from '../support/trust/repository.ts';
import { UNBOUNDED } from '../support/unbounded.ts';
import { temporaryDirectory } from '../bed/temporary-directory.ts';

const directory = temporaryDirectory();
const authority = await createAuthority(directory);

/** How many connections to these ports this process has had open at once, since now. */
function watchConnections(t: Test, ports: readonly number[]) {
  const open = new Set<Socket>();
  const count = { most: 0 };
  const onSocket = (message: unknown) => {
    const { socket } = message as { readonly socket: Socket };
    socket.once('connect', () => {
      if (ports.includes(socket.remotePort ?? 0)) open.add(socket);
      for (const socket of open) if (socket.destroyed) open.delete(socket);
      count.most = Math.max(count.most, open.size);
    });
  };
  subscribe('net.client.socket', onSocket);
  t.teardown(() => unsubscribe('net.client.socket', onSocket));
  return count;
}

function clientOf(t: Test, options: Partial<HttpClientOptions> = {}) {
  const http = createHttpClient({
    ca: [authority.certificatePem],
    proxy: readProxySettings({}),
    signal: new AbortController().signal,
    ...options,
  });
  t.teardown(() => http.close());
  return http;
}

/** A server that answers a moment later: all that may come has come by then. */
async function startServer(t: Test, options: Partial<HandlerServerOptions> = {}) {
  const server = await startHandlerServer({
    ...options,
    handle: (_, response) => void setTimeout(() => response.end('here'), 5),
  });
  t.teardown(() => server.stop());
  return server;
}

t.test('hundreds of delegations are fetched over sixteen connections', async (t) => {
  const server = await startServer(t, { authority });
  const client = createNotaryClient({
    http: clientOf(t),
    url: server.url as NotaryUrl,
    gun: 'registry.example.test/demo/app' as Gun,
    credentials: { find: () => Promise.resolve(undefined), absence: '' },
    ...UNBOUNDED,
  });
  const roles = Array.from({ length: 300 }, (_, i) => `targets/role-${i}` as RoleName);
  const files = await Promise.all(roles.map((role) => client.fetchRole(role)));
  t.ok(files.every((file) => Buffer.from(file ?? '').toString() === 'here'));
  t.equal(server.connections(), 16, 'each is used again and again');
});

t.test('clients that share a limit stay below it, whichever servers they ask', async (t) => {
  const servers = await Promise.all([startServer(t), startServer(t), startServer(t)]);
  const connections = createConnectionLimit();
  const [one, two] = [clientOf(t, { connections }), clientOf(t, { connections })];
  const count = watchConnections(
    t,
    servers.map(({ port }) => port),
  );
  const askAll = (times: number) =>
    Promise.all(
      Array.from({ length: times }, (_, i) => {
        const url = new URL(servers[i % servers.length]?.url ?? '');
        return (i % 2 ? one : two).send({ method: 'GET', url });
      }),
    );
  const before = performance.now();
  for (const times of [60, 1, 5, 60]) {
    const answers = await askAll(times);
    t.equal(answers.length, times, 'idle connections to one server keep nobody from another');
  }
  t.ok(performance.now() - before < 20_000);
  t.ok(count.most <= 16, `${count.most} at once`);
});

t.test('the registry and the Notary server of a run share the limit', async (t) => {
  const image = '{"schemaVersion":2,"layers":[]}';
  const registry = await startHandlerServer({ handle: (_, response) => response.end(image) });
  t.teardown(() => registry.stop());
  const gun = `${registry.host}/demo/app` as Gun;
  const key = makeKey();
  const names = Array.from({ length: 40 }, (_, i) => `targets/role-${i}`);
  const { files } = buildRepository({
    gun,
    keys: { targets: [key] },
    delegations: names.map((name) => ({ name, keys: [key], targets: {} })),
  });
  const notary = await startHandlerServer({
    handle: ({ url = '' }, response) => {
      const [, role = ''] = /_trust\/tuf\/(.+?)(?:\.[0-9a-f]{64})?\.json$/.exec(url) ?? [];
      const file = files.get(role as RoleName);
      setTimeout(() => response.writeHead(file ? 200 : 404).end(file), 5);
    },
  });
  t.teardown(() => notary.stop());
  const keyDirectory = mkdtempSync(join(directory, 'key-'));
  const pem = key.privateKey.export({ type: 'pkcs8', format: 'pem' });
  writeFileSync(join(keyDirectory, 'signer.key'), pem);
  const count = watchConnections(t, [registry.port, notary.port]);
  const args = [
    ...[`--notary-url=${notary.url}`, `--key-dir=${keyDirectory}`],
    ...[`--tag=${gun}:1`, '--dry-run'],
  ];
  const receipt = await runSigner(parseSignerOptions(readFlags(SIGNER_FLAGS, args, {})), {
    ...{ now: () => NOW, log: createLog('text', (line) => t.comment(line)) },
    ...{ stop: new AbortController().signal, memory: UNBOUNDED.memory, environment: {} },
  });
  t.equal(receipt.result, 'dry-run', receipt.message ?? '');
  t.equal(count.most, 16, `${count.most} at once`);
});

t.test('tunnels through a proxy count as well', async (t) => {
  const hosts = ['one.test', 'two.test'];
  const server = await startServer(t, { authority, hosts });
  const proxy = await startForwardProxy({
    hosts: Object.fromEntries(hosts.map((host) => [`${host}:443`, server.port])),
  });
  t.teardown(() => proxy.stop());
  const http = clientOf(t, { proxy: readProxySettings({ HTTPS_PROXY: proxy.url }) });
  const count = watchConnections(t, [Number(new URL(proxy.url).port)]);
  for (let round = 0; round < 2; round++) {
    await Promise.all(
      Array.from({ length: 80 }, (_, i) =>
        http.send({ method: 'GET', url: new URL(`https://${hosts[i % 2] ?? ''}/`) }),
      ),
    );
  }
  t.ok(count.most <= 16, `${count.most} at once`);
});

t.test('requests that fail make room for others', async (t) => {
  const server = await startHandlerServer({
    authority,
    handle: ({ url, socket }, response) => {
      if (url === '/broken') socket.destroy();
      else response.end('here');
    },
  });
  t.teardown(() => server.stop());
  const http = clientOf(t);
  const get = (path: string) => http.send({ method: 'GET', url: new URL(server.url + path) });
  const broken = await Promise.allSettled(Array.from({ length: 50 }, () => get('/broken')));
  t.ok(broken.every(({ status }) => status === 'rejected'));
  t.equal((await Promise.all(Array.from({ length: 50 }, () => get('/')))).length, 50);
});

t.test('requests that wait for room end with the deadline', async (t) => {
  const server = await startHandlerServer({ authority, handle: () => undefined });
  t.teardown(() => server.stop());
  const deadline = new AbortController();
  const http = clientOf(t, { signal: deadline.signal });
  const url = new URL(server.url);
  const requests = Array.from({ length: 50 }, () => http.send({ method: 'GET', url }));
  const ended = Promise.allSettled(requests);
  deadline.abort(new SigningError('DEADLINE_EXCEEDED', 'too late'));
  for (const result of await ended) t.match(result, { reason: { code: 'DEADLINE_EXCEEDED' } });
});

t.test('where no more files can be opened, that is what is said', async (t) => {
  // By name, the resolver fails first, and blames the name.
  for (const url of ['https://127.0.0.1:1/', 'https://localhost:1/']) {
    const script = `
      import { openSync } from 'node:fs';
      const { createHttpClient } = await import('./dist/src/sidecar/http/http-client.js');
      const { readProxySettings } = await import('./dist/src/sidecar/http/proxy-settings.js');
      const { signal } = new AbortController();
      const http = createHttpClient({ ca: [], proxy: readProxySettings({}), signal });
      try { for (;;) openSync('/dev/null'); } catch {}
      await http.send({ method: 'GET', url: new URL('${url}') }).catch((error) => {
        process.stdout.write([error.code, error.message, error.fix].join('\\n'));
      });`;
    const { stdout } = await runCommand({
      program: 'sh',
      args: ['-c', 'ulimit -n 64; exec node --input-type=module -e "$0"', script],
      directory: projectDirectory(),
    });
    t.match(stdout, /^SERVER_UNREACHABLE\nno connection to \S+ can be opened: too many open files/);
    t.match(stdout, /Raise the limit of open files/);
  }
});
