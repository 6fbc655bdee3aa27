import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import t from 'tap';
import { createAuthority } from './authority.ts';
import { startBed } from './bed.ts';
import { startTokenServer } from './token-server.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const GUN = 'registry.example.test/demo/app';
const directory = temporaryDirectory();

t.test('with a token server, those who may push publish and others are refused', async (t) => {
  const bed = await startBed({
    auth: {
      accounts: {
        owner: { password: 'o:wner', actions: ['pull', 'push'] },
        reader: { password: 'reader', actions: ['pull'] },
      },
      anonymous: ['pull'],
    },
  });
  t.teardown(() => bed.stop());
  const owner = bed.cli('owner', { username: 'owner', password: 'o:wner' });
  await owner.init(GUN);
  await owner.publish(GUN);
  await owner.addHash(GUN, 'v1', 1, 'ab'.repeat(32));
  await owner.publish(GUN);

  const { tokens } = bed;
  t.match(
    tokens?.requests.find(({ scopes }) => /:(push,pull|pull,push)$/.test(scopes.join())),
    { account: 'owner', scopes: [`repository:${GUN}:`] },
    'the right to push is asked for by name',
  );
  const signed = await bed.cli('reader').list(GUN);
  t.equal(signed.length, 1, 'the CLI reads as nobody');
  // The owner's home, so that rights alone are missing.
  for (const [username, password] of [
    ['reader', 'reader'],
    ['owner', 'guess'],
  ] as const) {
    const intruder = bed.cli('owner', { username, password });
    await intruder.addHash(GUN, 'v2', 1, 'cd'.repeat(32));
    await t.rejects(intruder.publish(GUN), /not authorized|unauthorized/);
    t.equal(tokens?.requests.at(-1)?.account, username);
  }
  t.same(await bed.cli('reader').list(GUN), signed);
});

t.test('with a token server, strangers may not even read by default', async (t) => {
  const bed = await startBed({
    auth: {
      accounts: {
        owner: { password: 'owner', actions: ['pull', 'push'] },
        reader: { password: 'reader', actions: ['pull'] },
      },
    },
  });
  t.teardown(() => bed.stop());
  const owner = bed.cli('owner', { username: 'owner', password: 'owner' });
  await owner.init(GUN);
  await owner.publish(GUN);
  const reader = { username: 'reader', password: 'reader' };
  t.same(await bed.docker('reader', reader).trustInspect(GUN), []);
  t.equal(bed.tokens?.requests.at(-1)?.account, 'reader');
  await t.rejects(bed.docker('nobody').trustInspect(GUN), /docker trust inspect/);
  await t.rejects(bed.cli('nobody').list(GUN), /unauthorized/);
  t.same(Object.keys(bed.tokens?.requests.at(-1) ?? {}), ['scopes']);
});

t.test('tokens grant what is asked and allowed, and nothing else', async (t) => {
  const authority = await createAuthority(directory);
  const tokens = await startTokenServer({
    authority,
    accounts: { ann: { password: 'a:b', actions: ['pull', '*'] } },
    anonymous: ['pull'],
    service: 'a-service',
    issuer: 'an-issuer',
  });
  t.teardown(() => tokens.stop());
  const ask = (query: string, credentials?: string): Promise<Answer> =>
    get(`${tokens.realm}?service=a-service&${query}`, authority.certificatePem, credentials);
  const access = (answer: Answer): unknown => claimsOf(answer)['access'];

  const both = await ask('scope=repository:h:5000/a:push,pull&scope=repository:b:*', 'ann:a:b');
  t.equal(both.status, 200);
  t.match(claimsOf(both), { iss: 'an-issuer', aud: 'a-service', sub: 'ann' });
  t.same(access(both), [
    { type: 'repository', name: 'h:5000/a', actions: ['pull'] },
    { type: 'repository', name: 'b', actions: ['*'] },
  ]);
  t.same(access(await ask('scope=repository:a:pull%20repository:b:push')), [
    { type: 'repository', name: 'a', actions: ['pull'] },
    { type: 'repository', name: 'b', actions: [] },
  ]);
  for (const wrong of ['ann:x', 'bob:a:b', 'constructor:', ':']) {
    t.equal((await ask('scope=repository:a:pull', wrong)).status, 401, wrong);
  }
  const other = `${tokens.realm}?service=other&scope=repository:a:pull`;
  t.equal((await get(other, authority.certificatePem)).status, 400);
  t.equal((await get(`${tokens.realm}s`, authority.certificatePem)).status, 404);
  t.same(tokens.requests.slice(0, 2), [
    { account: 'ann', scopes: ['repository:h:5000/a:push,pull', 'repository:b:*'] },
    { scopes: ['repository:a:pull', 'repository:b:push'] },
  ]);
});

interface Answer {
  readonly status: number | undefined;
  readonly body: string;
}

async function get(url: string, ca: string, credentials?: string): Promise<Answer> {
  const auth = credentials === undefined ? {} : { auth: credentials };
  const sent = request(url, { ca, ...auth }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  let body = '';
  for await (const chunk of response.setEncoding('utf8')) body += String(chunk);
  return { status: response.statusCode, body };
}

function claimsOf(answer: Answer): Readonly<Record<string, unknown>> {
  const { token } = JSON.parse(answer.body) as { readonly token: string };
  const claims = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();
  return JSON.parse(claims) as Readonly<Record<string, unknown>>;
}
