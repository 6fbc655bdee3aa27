import { mkdir, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { SigningError } from '../../src/shared/signing-error.ts';
import { sha256Hex } from '../../src/shared/sha256.ts';
import type { Descriptor } from '../../src/sidecar/notation/descriptor.ts';
import { startRegistry, type RegistryOptions } from '../bed/docker-registry.ts';
import { startHandlerServer } from '../bed/handler-server.ts';
import { FORWARD, type ProxyAction } from '../bed/proxy.ts';
import { startTokenServer } from '../bed/token-server.ts';
import { CANARIES } from '../support/signer-failure.ts';
import { hexOf, startRegistries, subjectAt } from './support/registries.ts';
import {
  MANIFEST_TYPE,
  push,
  REPOSITORY,
  signatureOf,
  signatureRegistry,
} from './support/signing.ts';

const PASSWORD = CANARIES.userPassword;
const at = await startRegistries(t);
const { authority, directory, docker } = at;
const atOnce = { pause: async () => true };

/** Another registry over the images of the first, over TLS. */
async function guarded(t: Test, auth: NonNullable<RegistryOptions['auth']>) {
  const registry = await startRegistry({ directory: join(directory, 'docker'), authority, auth });
  t.teardown(() => registry.stop());
  return registry;
}

/** A mounted docker Secret. */
async function secretFor(host: string, username: string, password: string = PASSWORD) {
  const mounted = join(directory, `secret-${sha256Hex(host + username + password)}`);
  await mkdir(mounted, { recursive: true });
  const config = { auths: { [host]: { username, password } } };
  await writeFile(join(mounted, '.dockerconfigjson'), JSON.stringify(config));
  return [{ host: undefined, directory: mounted }];
}

t.test('a registry that wants tokens', async (t) => {
  const tokens = await startTokenServer({
    authority,
    service: 'bed-registry',
    accounts: {
      robot: { password: PASSWORD, actions: ['pull', 'push'] },
      reader: { password: PASSWORD, actions: ['pull'] },
    },
  });
  t.teardown(() => tokens.stop());
  const { host } = await guarded(t, { tokens });
  const subject = await subjectAt(docker, 'tokens');
  const signature = signatureOf(subject, 'tokens');
  const client = async (account: string | undefined, password?: string) =>
    signatureRegistry(t, {
      host,
      authority,
      secrets: account === undefined ? [] : await secretFor(host, account, password),
    });

  t.test('gives one for pull and push, which does for all', async (t) => {
    const robot = await client('robot');
    t.same(await robot.describe(hexOf(subject), subject.size), subject);
    await push(robot, signature);
    await robot.addToIndex(subject, signature.entry);
    t.same((await robot.list(subject)).signatures, [signature.entry]);
    const scopes = [`repository:${REPOSITORY}:pull,push`];
    t.same(tokens.requests, [{ account: 'robot', scopes }]);
    t.same(robot.said, []);
  });
  for (const [what, account, password, code, message, fix] of [
    [
      'an account that may not push',
      'reader',
      PASSWORD,
      'PUSH_DENIED',
      new RegExp(
        `^the blob sha256:[0-9a-f]{64} of ${host}/${REPOSITORY} cannot be pushed: ` +
          `${host} does not let reader .* publish to ${REPOSITORY}$`,
      ),
      `Let the account of the docker Secret for ${host} push to the repository`,
    ],
    [
      'a wrong password',
      'robot',
      CANARIES.wrongPassword,
      'CREDENTIALS_REFUSED',
      /gives no token to robot/,
      `Correct the docker Secret for ${host}`,
    ],
    [
      'no credentials',
      undefined,
      undefined,
      'CREDENTIALS_MISSING',
      /none are for 127/,
      `Add a docker Secret for ${host}`,
    ],
  ] as const) {
    t.test(`${what}: ${code}`, async (t) => {
      const denied = await client(account, password);
      const blob = Buffer.from(`${what} of its own`);
      const error = await denied.pushBlob(blob).then(
        () => undefined,
        (error: unknown) => error as Error & { fix: string },
      );
      t.match(error, { code, message, isTransient: false });
      t.match(error?.fix, fix);
      t.notMatch(JSON.stringify([error?.message, error?.fix, denied.said]), /canary/i);
    });
  }
});

t.test('a registry that wants a password', async (t) => {
  const { host } = await guarded(t, { accounts: { robot: PASSWORD } });
  const subject = await subjectAt(docker, 'basic');
  const signature = signatureOf(subject, 'basic');
  const client = signatureRegistry(t, {
    host,
    authority,
    secrets: await secretFor(host, 'robot'),
  });
  await push(client, signature);
  await client.addToIndex(subject, signature.entry);
  t.same((await client.list(subject)).signatures, [signature.entry]);
});

t.test('where an upload is to go', async (t) => {
  const blob = Buffer.from('a blob');
  const query = `digest=${encodeURIComponent(`sha256:${sha256Hex(blob)}`)}`;
  /** A registry that lets uploads go to a place, and another host: what both see. */
  const started = async (
    t: Test,
    location: (registry: string, other: string) => string,
    otherAnswer = 201,
  ) => {
    const seen: string[] = [];
    const record =
      (name: string, answer: RequestListener): RequestListener =>
      (request, response) => {
        const { method = '', url = '', headers } = request;
        const login = headers.authorization === undefined ? '' : ' with authorization';
        seen.push(`${name} ${method} ${url}${login}`);
        request.resume();
        answer(request, response);
      };
    const other = await startHandlerServer({
      authority,
      handle: record('other', (_, response) => response.writeHead(otherAnswer).end()),
    });
    const registry = await startHandlerServer({
      authority,
      handle: record('registry', ({ method, headers }, response) => {
        if (headers.authorization === undefined) {
          response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
        } else if (method === 'HEAD') response.writeHead(404).end();
        else if (method === 'PUT') response.writeHead(201).end();
        else response.writeHead(202, { location: location(registry.host, other.host) }).end();
      }),
    });
    t.teardown(() => Promise.all([registry.stop(), other.stop()]));
    const { host } = registry;
    const secrets = await secretFor(host, 'robot');
    const client = signatureRegistry(t, { host, authority, secrets, ...atOnce });
    return { client, seen, registry, other };
  };
  for (const [what, location, put] of [
    ['a path', () => '/u/1', `registry PUT /u/1?${query} with authorization`],
    [
      'a path with a query, which stays as it is',
      () => '/u/1?_state=a%2Bb%3D&x=1+2',
      `registry PUT /u/1?_state=a%2Bb%3D&x=1+2&${query} with authorization`,
    ],
    [
      'a path below',
      () => 'one?a=b',
      `registry PUT /v2/${REPOSITORY}/blobs/uploads/one?a=b&${query} with authorization`,
    ],
    [
      'a URL',
      (registry: string) => `https://${registry}/u/1#there`,
      `registry PUT /u/1?${query} with authorization`,
    ],
    [
      'a URL of a registry that takes itself for plain http',
      (registry: string) => `http://${registry}/u/1`,
      `registry PUT /u/1?${query} with authorization`,
    ],
    [
      'another host, which sees no authorization',
      (_: string, other: string) => `https://${other}/u/1?signed=a%2Bb`,
      `other PUT /u/1?signed=a%2Bb&${query}`,
    ],
    [
      'another host with a user name, which it does not see',
      (_: string, other: string) => `https://user:pass@${other}/u/1`,
      `other PUT /u/1?${query}`,
    ],
  ] as const) {
    t.test(what, async (t) => {
      const { client, seen } = await started(t, location);
      await client.pushBlob(blob);
      t.equal(seen.at(-1), put);
      t.equal(seen.filter((request) => request.includes(' PUT ')).length, 1);
      t.same(client.said, []);
    });
  }
  for (const [what, location] of [
    ['plain http elsewhere', () => 'http://elsewhere.test/u'],
    ['another scheme', () => 'ftp://elsewhere.test/u'],
    ['nowhere', () => 'https://'],
  ] as const) {
    t.test(`${what}: nothing is sent there`, async (t) => {
      const { client, seen } = await started(t, location);
      await t.rejects(client.pushBlob(blob), {
        code: 'SERVER_FAILED',
        message: /names no https URL to which the blob sha256:[0-9a-f]{64} of \S+ could be pushed/,
      });
      t.notOk(seen.some((request) => request.includes(' PUT ')));
    });
  }
  t.test('another host that is not there', async (t) => {
    const { client, registry } = await started(t, () => `https://127.0.0.1:1/u?token=canary`);
    const error = await client.pushBlob(blob).catch((error: unknown) => error as SigningError);
    t.match(error, {
      code: 'SERVER_UNREACHABLE',
      message: /^the blob \S+ of \S+ cannot be pushed: https:\/\/127.0.0.1:1 cannot be reached: /,
      fix: `Check the name ${registry.host}, DNS`,
    });
    t.notMatch(`${error?.message} ${error?.fix}`, /canary/);
  });
  t.test('another host that refuses it', async (t) => {
    const { client, other, registry } = await started(
      t,
      (_, other) => `https://${other}/u?token=canary`,
      403,
    );
    const error = await client.pushBlob(blob).catch((error: unknown) => error as Error);
    t.match(error, {
      code: 'SERVER_FAILED',
      message: `${other.host}, to which ${registry.host} sends uploads, answered HTTP 403`,
    });
    t.notMatch(String(error), /canary/);
  });
});

t.test('what a registry answers while it is pushed to', async (t) => {
  const subject = await subjectAt(docker, 'answers');
  /** Harms the first requests of a kind. */
  const harmed = (
    t: Test,
    harm: (method: string, path: string) => boolean,
    action: ProxyAction,
    times = 1,
    silenceLimit = 2000,
  ) => {
    let left = times;
    const waits: number[] = [];
    const pause = async (milliseconds: number) => {
      waits.push(milliseconds);
      return true;
    };
    const rule = ({ method, path }: { method: string; path: string }): ProxyAction => {
      if (left === 0 || !harm(method, path)) return FORWARD;
      left--;
      return action;
    };
    return at
      .behind(t, docker, rule, { pause, silenceLimit })
      .then((behind) => ({ ...behind, waits }));
  };
  const isUpload = (method: string) => method === 'POST';
  const isBlob = (method: string, path: string) => method === 'PUT' && path.includes('/blobs/');
  const isManifest = (method: string, path: string) =>
    method === 'PUT' && path.includes('/manifests/');
  const BUSY: ProxyAction = { kind: 'answer', status: 429, headers: { 'retry-after': '7' } };
  for (const [what, harm] of [
    ['the opening of an upload', isUpload],
    ['a blob', isBlob],
    ['a manifest', isManifest],
  ] as const) {
    t.test(`429 to ${what}: it waits as long as it is told to`, async (t) => {
      const { client, waits } = await harmed(t, harm, BUSY, 2);
      const signature = signatureOf(subject, `429 ${what}`);
      await push(client, signature);
      t.equal(waits.length, 2);
      for (const wait of waits) t.ok(wait >= 7000);
      t.match(client.said, [/^trying again: .* answered HTTP 429 to the push of /, /429/]);
      t.same(Buffer.from(await client.manifest(signature.entry)), signature.manifest);
    });
    for (const [harmName, action] of Object.entries({
      'a reset': { kind: 'reset' },
      'a lost answer': { kind: 'forward', loses: 'answer' },
      'half a request': { kind: 'forward', loses: 'request' },
      'HTTP 503': { kind: 'answer', status: 503 },
    } as const)) {
      t.test(`${harmName} to ${what}: it tries again`, async (t) => {
        const { client } = await harmed(t, harm, action);
        const signature = signatureOf(subject, `${harmName} ${what}`);
        await push(client, signature);
        t.equal(client.said.length, 1);
        t.same(Buffer.from(await client.manifest(signature.entry)), signature.manifest);
      });
    }
  }
  t.test('an upload that another replica opened: it opens a new one', async (t) => {
    const { client, proxy } = await harmed(t, isBlob, { kind: 'answer', status: 404 });
    await push(client, signatureOf(subject, 'lost upload'));
    t.match(client.said, [/lost the upload of the blob sha256:[0-9a-f]{64} of .* \(HTTP 404\)/]);
    t.equal(proxy.requests.filter(({ method }) => method === 'POST').length, 2);
  });
  t.test('silence: it gives up, and says so', async (t) => {
    const { client } = await harmed(t, isUpload, { kind: 'hang' }, 9, 500);
    await t.rejects(client.pushBlob(Buffer.from('silence')), {
      code: 'SERVER_UNREACHABLE',
      message: /cannot be pushed: .*nothing came for 0.5 seconds/,
    });
    t.ok(client.said.length >= 4);
  });
  for (const [status, code, message] of [
    [403, 'PUSH_DENIED', /answered HTTP 403 to the push of .*\(DENIED: read-only\)$/],
    [405, 'SERVER_FAILED', /answered HTTP 405 to the push of/],
    [413, 'SERVER_FAILED', /answered HTTP 413/],
    [200, 'SERVER_FAILED', /answered HTTP 200 to the push of/],
    [307, 'SERVER_FAILED', /HTTP 307 .*, and points to https:\/\/elsewhere\.test\/there$/],
  ] as const) {
    for (const [what, harm] of [
      ['the opening of an upload', isUpload],
      ['a blob', isBlob],
      ['a manifest', isManifest],
    ] as const) {
      t.test(`HTTP ${status} to ${what}`, async (t) => {
        const body = status === 403 ? '{"errors":[{"code":"DENIED","message":"read-only"}]}' : '';
        const headers = { location: 'https://elsewhere.test/there?token=canary' };
        const { client, proxy } = await harmed(t, harm, { kind: 'answer', status, body, headers });
        await t.rejects(push(client, signatureOf(subject, `${status} ${what}`)), { code, message });
        t.same(client.said, []);
        t.ok(harm(proxy.requests.at(-1)?.method ?? '', proxy.requests.at(-1)?.path ?? ''));
      });
    }
  }
  t.test('a blob that is at another place is pushed, and not asked for there', async (t) => {
    const isHead = (method: string) => method === 'HEAD';
    const headers = { location: 'https://elsewhere.test/blob' };
    const { client } = await harmed(t, isHead, { kind: 'answer', status: 307, headers });
    const signature = signatureOf(subject, 'elsewhere');
    await push(client, signature);
    t.same(client.said, []);
  });
  t.test('a blob that is said to be there and is not: it is pushed the next time', async (t) => {
    const isHead = (method: string) => method === 'HEAD';
    const { client } = await harmed(t, isHead, { kind: 'answer', status: 200 }, 9);
    const { manifest, blobs, entry } = signatureOf(subject, 'cached');
    const pushAll = async () => {
      for (const blob of blobs) await client.pushBlob(blob);
      return client.pushManifest(manifest, MANIFEST_TYPE);
    };
    t.equal(await pushAll(), 'blobs-missing');
    t.equal(await pushAll(), 'stored');
    t.same(Buffer.from(await client.manifest(entry)), manifest);
  });
  t.test('a manifest whose blobs are gone: they have to be pushed again', async (t) => {
    const { client } = await harmed(t, () => false, FORWARD);
    const { manifest, blobs } = signatureOf(subject, 'no blobs');
    t.equal(await client.pushManifest(manifest, MANIFEST_TYPE), 'blobs-missing');
    for (const blob of blobs) await client.pushBlob(blob);
    t.equal(await client.pushManifest(manifest, MANIFEST_TYPE), 'stored');
  });
});

t.test('bytes that are read are those that were described', async (t) => {
  const subject = await subjectAt(docker, 'bytes');
  const { entry } = signatureOf(subject, 'bytes');
  const read = async (t: Test, what: 'manifest' | 'blob', descriptor: Descriptor, body: string) => {
    const answer = { kind: 'answer', status: 200, body } as const;
    const { client } = await at.behind(t, docker, () => answer, atOnce);
    return client[what](descriptor);
  };
  const described = (body: string) => ({
    ...entry,
    digest: `sha256:${sha256Hex(body)}`,
    size: Buffer.byteLength(body),
  });
  for (const what of ['manifest', 'blob'] as const) {
    t.test(what, async (t) => {
      t.equal(Buffer.from(await read(t, what, described('right'), 'right')).toString(), 'right');
      for (const [wrong, descriptor, body] of [
        ['other bytes', described('right'), 'wrong'],
        ['another size', { ...described('right'), size: 6 }, 'right'],
        ['too many', { ...described('right'), size: 5 * 1024 * 1024 }, 'right'],
      ] as const) {
        await t.rejects(read(t, what, descriptor, body), { code: 'MANIFEST_MISMATCH' }, wrong);
      }
      const long = 'x'.repeat(5 * 1024 * 1024);
      await t.rejects(read(t, what, described('right'), long), { code: 'SERVER_FAILED' });
    });
  }
  const client = signatureRegistry(t, { host: docker.host });
  for (const what of ['manifest', 'blob'] as const) {
    await t.rejects(client[what](described('nobody has it')), { code: 'MANIFEST_NOT_FOUND' });
  }
});
