/**
 * Hostile servers of every kind, one for each name, reached through a proxy that alone can resolve
 * names: whatever they answer, no secret comes to a server that it is not for.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, createServer, type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import type { Gun } from '../../../../src/shared/image-reference.ts';
import type { NotaryUrl } from '../../../../src/shared/notary-url.ts';
import { SigningError } from '../../../../src/shared/signing-error.ts';
import { RELEASES, ROOT, type Root } from '../../../../src/sidecar/tuf/metadata.ts';
import { notaryCredentials } from '../../../../src/sidecar/auth/credentials.ts';
import { createHttpClient } from '../../../../src/sidecar/http/http-client.ts';
import { createNotaryClient } from '../../../../src/sidecar/notary/notary-client.ts';
import { readProxySettings } from '../../../../src/sidecar/http/proxy-settings.ts';
import { createRegistryClient } from '../../../../src/sidecar/image/registry-client.ts';
import { createSignatureRegistry } from '../../../../src/sidecar/notation/signature-registry.ts';
import {
  notaryLookup,
  registryCredentials,
} from '../../../../src/sidecar/auth/registry-credentials.ts';
import { createAuthority } from '../../../bed/authority.ts';
import { startForwardProxy } from '../../../bed/forward-proxy.ts';
import { startHandlerServer } from '../../../bed/handler-server.ts';
import { UNBOUNDED } from '../../../support/unbounded.ts';
import { temporaryDirectory } from '../../../bed/temporary-directory.ts';

const REGISTRY = 'r.example.test';
const GUN = `${REGISTRY}/demo/app` as Gun;
const SCOPES = {
  registry: 'repository:demo/app:pull',
  signatures: 'repository:demo/app:pull,push',
  notary: `repository:${GUN}:push,pull`,
} as const;
type Phase = keyof typeof SCOPES;
const SUBJECT = { mediaType: 'm', digest: `sha256:${'a'.repeat(64)}`, size: 7 };
/** The end of an upload. */
const UPLOAD = /^\/upload\?.*digest=/;

/** Every server there is, as URLs have it. */
const PLACES = [
  REGISTRY,
  `${REGISTRY}:4443`,
  'notary.r.example.test',
  'core.example.test',
  'other.test',
  'auth.test',
  'auth.test:8443',
  'evil.test',
  // The proxy for http, which answers in the place of all servers.
  'proxy.test',
] as const;
type Place = (typeof PLACES)[number];
const NOTARIES: readonly Place[] = [
  'notary.r.example.test',
  REGISTRY,
  `${REGISTRY}:4443`,
  'core.example.test',
  'evil.test',
];
/** Where docker credentials of the registry may be lent to. */
const OF_THE_REGISTRY: readonly Place[] = ['notary.r.example.test', REGISTRY];

/** What a server does with requests for data, for `/v2/`, and for tokens; and where it lets uploads go. */
interface Behaviour {
  readonly data: Answer;
  readonly ping: Answer;
  readonly token: Answer;
  readonly upload: string;
}
type Answer =
  /** To whoever shows nothing; `always` to everybody. */
  | { readonly kind: 'challenge'; readonly header: string; readonly always: boolean }
  | { readonly kind: 'redirect'; readonly status: number; readonly to: string }
  | { readonly kind: 'welcome' };

/** What one server does, by its place. */
type Servers = Readonly<Record<Place, Behaviour>>;

const place = fc.constantFrom(...PLACES);
const usually = <T>(usual: T, others: fc.Arbitrary<T>) =>
  fc.oneof({ arbitrary: fc.constant(usual), weight: 3 }, { arbitrary: others, weight: 2 });
const realm = usually(
  'https://auth.test/token',
  fc
    .tuple(
      fc.constantFrom('https://', 'https://', 'https://', 'http://', 'https://user:pass@'),
      place,
      fc.constantFrom(
        '/token',
        '/token',
        '/token?scope=repository:other/app:push,pull',
        '/token?service=r&scope=registry:catalog:*&account=x',
        '/v2/',
      ),
    )
    .map((parts) => parts.join('')),
);
const scope = fc.constantFrom(
  ...Object.values(SCOPES),
  'repository:other/app:push,pull registry:catalog:*',
  'repository:demo/app:*',
);
const challenge = fc.oneof(
  {
    arbitrary: fc
      .tuple(fc.constantFrom('Bearer', 'bearer', 'BEARER'), realm, place, scope)
      .map(([scheme, realm, service, scope]) => {
        return `${scheme} realm="${realm}",service="${service}",scope="${scope}"`;
      }),
    weight: 4,
  },
  { arbitrary: fc.constantFrom('Basic realm="x"', 'Basic', 'Negotiate'), weight: 3 },
);
const challenges: fc.Arbitrary<Answer> = fc
  .tuple(fc.array(challenge, { minLength: 1, maxLength: 2 }), fc.boolean())
  .map(([all, always]) => ({ kind: 'challenge', header: all.join(', '), always }));
const redirect: fc.Arbitrary<Answer> = fc
  .tuple(
    fc.constantFrom(301, 302, 307, 308),
    fc.constantFrom('https://', 'https://', 'http://', 'https://user:pass@'),
    place,
    fc.constantFrom('/data', '/v2/', '/token'),
  )
  .map(([status, scheme, host, path]) => ({
    kind: 'redirect',
    status,
    to: `${scheme}${host}${path}`,
  }));
const welcome: fc.Arbitrary<Answer> = fc.constant({ kind: 'welcome' });
const asking = fc.oneof(
  { arbitrary: challenges, weight: 6 },
  { arbitrary: redirect, weight: 2 },
  { arbitrary: welcome, weight: 1 },
);
const giving = fc.oneof(
  { arbitrary: welcome, weight: 6 },
  { arbitrary: redirect, weight: 2 },
  { arbitrary: challenges, weight: 1 },
);
const upload = usually(
  '/upload?state=x',
  fc
    .tuple(fc.constantFrom('https://', 'https://', 'http://', 'https://user:pass@'), place)
    .map(([scheme, host]) => `${scheme}${host}/upload`),
);
const behaviour = fc.record({ data: asking, ping: asking, token: giving, upload });
const hostile = fc.record(
  Object.fromEntries(PLACES.map((place) => [place, behaviour])),
) as fc.Arbitrary<Servers>;
/** A registry and a token server that do what they should. */
const honest: Answer = {
  kind: 'challenge',
  header: 'Bearer realm="https://auth.test/token",service="r"',
  always: false,
};
const gives: Answer = { kind: 'welcome' };
const anyServers = fc.tuple(hostile, fc.boolean()).map(([servers, isHonest]): Servers => {
  if (!isHonest) return servers;
  const registry = { ...servers[REGISTRY], data: honest, ping: honest, token: gives };
  return { ...servers, [REGISTRY]: registry, 'auth.test': registry };
});

/** Which Secrets there are; each holds a canary of its own. */
const DOCKER = [
  `${REGISTRY}/demo`,
  REGISTRY,
  '*.example.test',
  `${REGISTRY}/other`,
  `${REGISTRY}:4443`,
  'auth.test',
  'evil.test',
  'other.test',
] as const;
const secrets = fc.record({
  docker: fc.subarray([...DOCKER]),
  /** Beside that of the Notary server, where it has one. */
  notary: fc.subarray([...PLACES], { maxLength: 2 }),
  hasOwn: fc.boolean(),
  isIdentity: fc.boolean(),
});

/** What servers got. */
const got = new Map<Place, string[]>();
const hear = (place: Place, words: string) => got.set(place, [...(got.get(place) ?? []), words]);
let now: Servers | undefined;
let phase: Phase = 'registry';
let tokens: { value: string; phase: Phase; request: string }[] = [];
let asked: string[] = [];

/** What proves who asks is in a header, a query or a form, plain or in base64. */
function holds(heard: readonly string[], secret: string): boolean {
  return heard.some((words) => {
    const encoded = /basic ([\w+/=]+)/gi;
    const pairs = [...words.matchAll(encoded)].map(([, pair = '']) =>
      Buffer.from(pair, 'base64').toString(),
    );
    return [words, ...pairs].some((text) => text.includes(secret));
  });
}

async function answer(place: Place, request: IncomingMessage, response: ServerResponse) {
  const { url = '/', rawHeaders, headers } = request;
  const body = await text(request);
  const words = [url, ...rawHeaders, body].join('\n');
  hear(place, words);
  const { pathname, searchParams } = new URL(url, 'https://x');
  const isToken = pathname === '/token';
  const does = now?.[place][isToken ? 'token' : pathname === '/v2/' ? 'ping' : 'data'];
  if (does?.kind === 'redirect') response.writeHead(does.status, { location: does.to }).end();
  else if (does?.kind === 'challenge' && (does.always || headers.authorization === undefined)) {
    response.writeHead(401, { 'www-authenticate': does.header }).end();
  } else if (isToken) {
    const form = new URLSearchParams(body);
    asked.push(...searchParams.getAll('scope'), ...form.getAll('scope'));
    const value = `canary-token-${tokens.length}-end`;
    tokens.push({ value, phase, request: words });
    response.end(JSON.stringify({ token: value }));
  } else if (request.method === 'HEAD') response.writeHead(404).end();
  else if (pathname.endsWith('/blobs/uploads/')) {
    response.writeHead(202, { location: now?.[place].upload ?? '' }).end();
  } else response.writeHead(request.method === 'PUT' ? 201 : 200).end('{}');
}

/** Which places a server may send the credentials for it to; the first challenge of the kind counts. */
function realmsOf(answers: readonly Answer[]): readonly string[] {
  return answers.flatMap((answer) => {
    if (answer.kind !== 'challenge') return [];
    const named = /bearer realm="https:\/\/([^"/@]+)\//i.exec(answer.header)?.[1];
    return named === undefined ? [] : [named];
  });
}

t.test('no server sees a credential or token that is not for it', async (t) => {
  const directory = temporaryDirectory();
  const authority = await createAuthority(directory);
  const hosts: Record<string, number> = {};
  for (const place of PLACES) {
    const [name = '', port = '443'] = place.split(':');
    const server = await startHandlerServer({
      ...(place !== 'proxy.test' && { authority }),
      hosts: [name],
      handle: (request, response) => void answer(place, request, response),
    });
    t.teardown(() => server.stop());
    hosts[`${name}:${port}`] = server.port;
  }
  const proxy = await startForwardProxy({ hosts });
  t.teardown(() => proxy.stop());
  // What the proxy can read of all that goes through it.
  const overheard: Buffer[] = [];
  const before = createServer((client) => {
    const onward = connect(Number(new URL(proxy.url).port), '127.0.0.1');
    client.on('data', (bytes) => overheard.push(bytes));
    client.on('error', () => onward.destroy()).pipe(onward);
    onward.on('error', () => client.destroy()).pipe(client);
  });
  before.listen(0, '127.0.0.1');
  await once(before, 'listening');
  t.teardown(() => before.close());
  const http = createHttpClient({
    ca: [authority.certificatePem],
    proxy: readProxySettings({
      HTTPS_PROXY: `http://127.0.0.1:${(before.address() as AddressInfo).port}`,
      HTTP_PROXY: `http://127.0.0.1:${hosts['proxy.test:443']}`,
    }),
    signal: new AbortController().signal,
  });
  t.teardown(() => http.close());

  /** Directories with a user and password each, by what they are for and how they are shown. */
  const secretDirectory = async (kind: string, name: string, isIdentity: boolean) => {
    const canary = `canary-${kind}-${name.replace(/\W/g, '-')}-end`;
    const path = join(directory, `${canary}-${isIdentity}`);
    await mkdir(path, { recursive: true });
    await writeFile(join(path, 'username'), isIdentity ? '<token>' : `user-${kind}`);
    await writeFile(join(path, 'password'), canary);
    return { host: name, directory: path, canary };
  };
  const log = { step: () => undefined, warn: () => undefined };
  const attempt = (work: Promise<unknown>) =>
    work.then(
      () => true,
      (error: unknown) => {
        assert(error instanceof SigningError, String(error));
        assert(!/canary/.test(error.message + error.fix), error.message);
        assert.notEqual(error.code, 'INTERNAL');
        return false;
      },
    );
  const seen = { lent: 0, own: 0, registry: 0, anonymous: 0, basic: 0, upload: 0, elsewhere: 0 };

  await fc.assert(
    fc.asyncProperty(
      anyServers,
      usually<Place>('notary.r.example.test', fc.constantFrom(...NOTARIES)),
      usually('https', fc.constantFrom('http', 'https')),
      secrets,
      async (drawn, notary, scheme, { docker, notary: others, hasOwn, isIdentity }) => {
        now = drawn;
        got.clear();
        tokens = [];
        asked = [];
        overheard.length = 0;
        const make = (kind: string) => (name: string) => secretDirectory(kind, name, isIdentity);
        const dockerSecrets = await Promise.all(docker.map(make('docker')));
        const annotated = others.filter((place) => place !== notary);
        if (hasOwn) annotated.push(notary);
        const notarySecrets = await Promise.all(annotated.map(make('notary')));
        const registry = registryCredentials(dockerSecrets, log);
        const access = {
          http: () => http,
          credentials: registry,
          signal: new AbortController().signal,
          pause: () => Promise.resolve(true),
          log,
        };
        phase = 'registry';
        await attempt(createRegistryClient(GUN, access).manifest({ tag: '1' }));
        phase = 'signatures';
        const signatures = createSignatureRegistry(GUN, access);
        await attempt(signatures.pushBlob(Buffer.from('{}')));
        await attempt(signatures.pushManifest(Buffer.from('{}'), 'text/plain'));
        await attempt(signatures.list(SUBJECT));
        await attempt(signatures.addToIndex(SUBJECT, SUBJECT));
        phase = 'notary';
        const url = `${scheme}://${notary}` as NotaryUrl;
        const credentials = notaryLookup({
          url,
          gun: GUN,
          notary: notaryCredentials(notarySecrets, log),
          registry,
          registryHttp: () => http,
        });
        const client = createNotaryClient({ http, url, gun: GUN, credentials, ...UNBOUNDED });
        await Promise.all([attempt(client.fetchRole(ROOT)), attempt(client.fetchRole(RELEASES))]);
        const publication = new Map([[RELEASES, Buffer.from('{}')]]);
        await attempt(client.publish(publication, {} as Root));

        // For whom each secret is, from the docker rules and the answers that were drawn.
        const mayBeSeen = new Map<string, readonly string[]>();
        const closest = [`${REGISTRY}/demo`, REGISTRY, '*.example.test'].find((key) =>
          (docker as readonly string[]).includes(key),
        );
        for (const { host, canary } of dockerSecrets) {
          const isTheirs = host === closest;
          const realms = realmsOf([drawn[REGISTRY].ping]);
          mayBeSeen.set(canary, isTheirs ? [REGISTRY, ...realms] : []);
        }
        for (const { host, canary } of notarySecrets) {
          const { data, ping, token } = drawn[notary];
          const realms = realmsOf([data, ping, token]);
          const isTheirs = host === notary && scheme === 'https';
          mayBeSeen.set(canary, isTheirs ? [notary, ...realms] : []);
        }
        const ofDocker = dockerSecrets.find(({ host }) => host === closest)?.canary ?? 'none';
        for (const { value, phase, request } of tokens) {
          const isForeign = holds([request], ofDocker) && !OF_THE_REGISTRY.includes(notary);
          if (phase !== 'notary') mayBeSeen.set(value, [REGISTRY]);
          else mayBeSeen.set(value, isForeign || scheme === 'http' ? [] : [notary]);
        }
        for (const [secret, places] of mayBeSeen) {
          for (const [place, heard] of got) {
            if (places.includes(place)) continue;
            assert(!holds(heard, secret), `${place} saw ${secret}, which is for ${places.join()}`);
          }
          const ears = Buffer.concat(overheard).toString('latin1');
          assert(!holds([ears, ...proxy.requests], secret), `the proxy saw ${secret}`);
        }
        const own = new Set<string>(Object.values(SCOPES));
        for (const scope of asked) assert(own.has(scope), `a token was asked for ${scope}`);

        // That the property is about something.
        const wasSeen = (place: string, secret: string) =>
          holds(got.get(place as Place) ?? [], secret);
        const ofNotary = notarySecrets.find(({ host }) => host === notary)?.canary;
        const isIn = (canary = 'none') => PLACES.some((place) => wasSeen(place, canary));
        const shown = tokens.filter(({ value, phase }) => {
          return phase === 'notary' && wasSeen(notary, value);
        });
        if (isIn(ofDocker)) seen.registry++;
        const uploads = PLACES.filter((place) =>
          got.get(place)?.some((words) => UPLOAD.test(words)),
        );
        if (uploads.includes(REGISTRY)) seen.upload++;
        if (uploads.some((place) => place !== REGISTRY)) seen.elsewhere++;
        if (isIn(ofNotary)) seen.own++;
        if (ofNotary !== undefined && wasSeen(notary, ofNotary) && !isIdentity) seen.basic++;
        if (shown.length > 0 && ofNotary === undefined) {
          if (isIn(ofDocker) && OF_THE_REGISTRY.includes(notary)) seen.lent++;
          else seen.anonymous++;
        }
      },
    ),
    { numRuns: 500 },
  );
  for (const [what, times] of Object.entries(seen)) t.ok(times > 0, `${what}: ${times}`);
});
