import { createHash } from 'node:crypto';
import t from 'tap';
import { freePort } from '../bed/port.ts';
import { FORWARD, startProxy, type ProxyAction } from '../bed/proxy.ts';
import { PASSWORD, startRegistrySetup } from './support/registry-setup.ts';
import { CANARIES, failsWith } from '../support/signer-failure.ts';
import { reportToml, type SignerRunOptions } from '../support/signer-run.ts';

t.test('what the registry does not tell is not signed', async (t) => {
  const setup = await startRegistrySetup();
  t.teardown(() => setup.stop());
  const { bed, images } = setup;
  const manifest = `{"schemaVersion":2,"layers":[],"of":"somebody else"}`;
  const sha256 = createHash('sha256').update(manifest).digest('hex');
  const lie = (body: string, digest: string) => ({
    kind: 'answer' as const,
    status: 200,
    body,
    headers: { 'docker-content-digest': digest },
  });
  let action: ProxyAction = FORWARD;
  const proxy = await startProxy({
    authority: bed.authority,
    target: setup.open.url,
    rule: () => action,
  });
  t.teardown(() => proxy.stop());
  const behindProxy = await setup.gun(new URL(proxy.url).host);
  const guarded = await setup.gun(setup.guarded.host);
  const basic = await setup.gun(setup.basic.host);
  const plain = await setup.gun(bed.registry.host);
  const nowhere = await setup.gun(`127.0.0.1:${await freePort()}`);

  const secretFor = (gun: string, username: string, password: string = PASSWORD) => [
    { host: gun.split('/')[0] ?? '', files: { username, password } },
  ];
  const sizeless = (gun: string, digest: string) =>
    reportToml([`${gun}:1`], digest.replace('sha256:', ''), 0);
  interface Case {
    readonly code: string;
    readonly says: RegExp;
    readonly options: Partial<SignerRunOptions>;
    /** What the proxy does. */
    readonly action?: ProxyAction;
  }
  const cases: Record<string, Case> = {
    'a digest that the registry does not have': {
      code: 'MANIFEST_NOT_FOUND',
      says: /answered HTTP 404 to the look-up of 127\.0\.0\.1:\d+\/demo\/app@sha256:c{64} \(MANIFEST_UNKNOWN: /,
      options: { report: sizeless(plain, 'c'.repeat(64)) },
    },
    'a tag that the registry does not have': {
      code: 'MANIFEST_NOT_FOUND',
      says: /look-up of 127\.0\.0\.1:\d+\/demo\/app:none/,
      options: { tags: [`${plain}:none`] },
    },
    'tags that name different images': {
      code: 'TAG_MOVED',
      says: new RegExp(
        `app:1 is ${images.one.digest}, and 127.0.0.1:\\d+/demo/app:2 is ${images.two.digest}`,
      ),
      options: { tags: [`${plain}:1`, `${plain}:stable`, `${plain}:2`] },
    },
    'a digest with the bytes of another': {
      code: 'MANIFEST_MISMATCH',
      says: new RegExp(`with 52 bytes that have the digest sha256:${sha256}`),
      options: { report: sizeless(behindProxy, images.one.digest) },
      action: lie(manifest, images.one.digest),
    },
    'a tag with the bytes of another': {
      code: 'MANIFEST_MISMATCH',
      says: new RegExp(`digest sha256:${sha256}, and says that it is ${images.one.digest}`),
      options: { tags: [`${behindProxy}:1`] },
      action: lie(manifest, images.one.digest),
    },
    'a tag with a page for people': {
      code: 'MANIFEST_MISMATCH',
      says: /that are no image manifest of schema 2, and no index/,
      options: { tags: [`${behindProxy}:1`] },
      action: { kind: 'answer', status: 200, body: '<html>Log in</html>' },
    },
    'a manifest without end': {
      code: 'SERVER_FAILED',
      says: /with more than 4194304 bytes/,
      options: { tags: [`${behindProxy}:1`] },
      action: { kind: 'answer', status: 200, body: ' '.repeat(4 * 1024 * 1024 + 1) },
    },
    'a registry that fails': {
      code: 'SERVER_FAILED',
      says: /answered HTTP 503 .* Fix: Look at the log of the registry/,
      options: { tags: [`${behindProxy}:1`] },
      action: { kind: 'answer', status: 503 },
    },
    'what is no registry': {
      code: 'SERVER_FAILED',
      says: /answered HTTP 405 .* Fix: Check that 127\.0\.0\.1:\d+ is a registry/,
      options: { tags: [`${behindProxy}:1`] },
      action: { kind: 'answer', status: 405 },
    },
    'a registry that says no': {
      code: 'CREDENTIALS_REFUSED',
      says: /answered HTTP 403 .*\(DENIED: not yours\).* Fix: Correct the docker Secret for 127/,
      options: { tags: [`${behindProxy}:1`] },
      action: {
        kind: 'answer',
        status: 403,
        body: '{"errors":[{"code":"DENIED","message":"not yours"}]}',
      },
    },
    'a registry that is down': {
      code: 'SERVER_UNREACHABLE',
      says: /demo\/app:1 cannot be looked up: .*ECONNREFUSED.* Fix: Check the name 127\.0\.0\.1:\d+, DNS/,
      options: { tags: [`${nowhere}:1`] },
    },
    'a certificate that nobody trusts': {
      code: 'SERVER_UNTRUSTED',
      says: /Fix: Give the signing container the CA of the registry, in the file that SSL_CERT_FILE/,
      options: { tags: [`${behindProxy}:1`], env: {} },
    },
    'no credentials': {
      code: 'CREDENTIALS_MISSING',
      says: /Fix: Add a docker Secret for 127\.0\.0\.1:\d+ to the service account of the build/,
      options: { tags: [`${guarded}:1`] },
    },
    'credentials for another host': {
      code: 'CREDENTIALS_MISSING',
      says: /none are for/,
      options: { tags: [`${basic}:1`], registrySecrets: secretFor(guarded, 'robot') },
    },
    'a docker Secret that cannot be read': {
      code: 'CREDENTIALS_INVALID',
      says: /credentials.*\.dockerconfigjson is not a JSON object\. Fix: Correct the docker Secret/,
      options: {
        tags: [`${guarded}:1`],
        registrySecrets: [{ files: { '.dockerconfigjson': CANARIES.userPassword } }],
      },
    },
    'a wrong password': {
      code: 'CREDENTIALS_REFUSED',
      says: /gives no token to robot .* Fix: Correct the docker Secret for 127\.0\.0\.1:\d+ that/,
      options: {
        tags: [`${guarded}:1`],
        registrySecrets: secretFor(guarded, 'robot', CANARIES.wrongPassword),
      },
    },
    'a wrong password, without tokens': {
      code: 'CREDENTIALS_REFUSED',
      says: /refused robot .* Fix: Correct the docker Secret for 127\.0\.0\.1:\d+ that/,
      options: {
        tags: [`${basic}:1`],
        registrySecrets: secretFor(basic, 'robot', CANARIES.wrongPassword),
      },
    },
    'an account that may not pull': {
      code: 'CREDENTIALS_REFUSED',
      says: /does not let stranger .* read demo\/app.* Fix: Give the account the pull permission/,
      options: { tags: [`${guarded}:1`], registrySecrets: secretFor(guarded, 'stranger') },
    },
    'a host that cannot be': {
      code: 'IMAGE_REFERENCE_INVALID',
      says: /h\.test:99999 of h\.test:99999\/app is no host/,
      options: { tags: ['h.test:99999/app:1'] },
    },
  };
  for (const [what, { code, says, options, action: does }] of Object.entries(cases)) {
    t.test(what, async (t) => {
      action = does ?? FORWARD;
      const result = await setup.sign(options);
      failsWith(t, result, code);
      t.match(result.lastLine, says);
      t.equal(result.receipt.source, options.tags ? 'registry' : 'report');
    });
  }

  t.test('a tag that is not one of the Build: no registry hears of it', async (t) => {
    action = FORWARD;
    const before = proxy.requests.length;
    const args = [`--allow-tag=${plain}:1`];
    failsWith(t, await setup.sign({ tags: [`${behindProxy}:1`], args }), 'TAG_NOT_ALLOWED');
    const report = sizeless(behindProxy, images.one.digest);
    failsWith(t, await setup.sign({ report, args }), 'TAG_NOT_ALLOWED');
    t.equal(proxy.requests.length, before);
  });

  t.test('a registry that says nothing: the deadline ends it', async (t) => {
    action = { kind: 'hang' };
    const args = ['--deadline=1'];
    failsWith(t, await setup.sign({ tags: [`${behindProxy}:1`], args }), 'DEADLINE_EXCEEDED');
    const report = reportToml([`${behindProxy}:1`, `${plain}:1`], 'c'.repeat(64), 0);
    const result = await setup.sign({ report, args });
    failsWith(t, result, 'DEADLINE_EXCEEDED');
    t.notMatch(result.stdout, '; asking ', 'then nobody else is asked');
  });

  t.test('and nothing is signed', async (t) => {
    for (const gun of [behindProxy, guarded, basic, plain, nowhere]) {
      t.same(await bed.cli('judge').list(gun), [], gun);
    }
  });
});
