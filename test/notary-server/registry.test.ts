import t from 'tap';
import { startProxy } from '../bed/proxy.ts';
import { reportToml } from '../support/signer-run.ts';
import { IDENTITY_TOKEN, PASSWORD, startRegistrySetup } from './support/registry-setup.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
/** A report of a lifecycle that tells no size. */
const sizeless = (tags: readonly string[], digest: string) =>
  reportToml(tags, digest.replace('sha256:', ''), 0);

t.test('what the report leaves out is looked up at the registry', async (t) => {
  const setup = await startRegistrySetup();
  t.teardown(() => setup.stop());
  const { bed, images } = setup;
  const judge = bed.cli('judge');
  /** As the registry has it, the notary CLI finds it. */
  const hashAndLength = ({ digest, size }: { digest: string; size: number }) => ({
    sha256: digest.replace('sha256:', ''),
    length: size,
  });

  t.test('over plain http, since the registry is on this machine', async (t) => {
    const gun = await setup.gun(bed.registry.host);
    const { one, two, index } = images;
    t.test('the size of a digest', async (t) => {
      const report = sizeless([`${gun}:1`, `${gun}:stable`], one.digest);
      const { code, receipt, stdout } = await setup.sign({ report });
      t.equal(code, 0, stdout);
      t.equal(receipt.source, 'report');
      t.same(await judge.lookup(gun, '1'), hashAndLength(one));
      t.same(await judge.lookup(gun, 'stable'), hashAndLength(one));
    });
    t.test('the image of a tag', async (t) => {
      const { code, receipt, stdout } = await setup.sign({ tags: [`${gun}:2`] });
      t.equal(code, 0, stdout);
      t.equal(receipt.source, 'registry');
      t.match(receipt.repositories[0]?.targets, [{ tag: '2', ...hashAndLength(two) }]);
      t.same(await judge.lookup(gun, '2'), hashAndLength(two));
      t.equal((await setup.sign({ tags: [`${gun}:2`] })).receipt.result, 'already-signed');
    });
    t.test('the image of all tags of a build', async (t) => {
      const tags = [`${gun}:1`, `${gun}:stable`];
      const { code, receipt, stdout } = await setup.sign({
        tags,
        args: [`--allow-tag=${gun}:1`, `--allow-tag=${gun}:stable`],
      });
      t.equal(code, 0, stdout);
      t.equal(receipt.result, 'already-signed', 'the same digest and size as with the report');
    });
    t.test('an index, which counts as itself', async (t) => {
      t.equal((await setup.sign({ report: sizeless([`${gun}:multi`], index.digest) })).code, 0);
      t.same(await judge.lookup(gun, 'multi'), hashAndLength(index));
      t.equal((await setup.sign({ tags: [`${gun}:multi`] })).receipt.result, 'already-signed');
    });
  });

  t.test('over TLS, of every media type', async (t) => {
    const gun = await setup.gun(setup.open.host);
    const { code, stdout } = await setup.sign({ tags: [`${gun}:1`] });
    t.equal(code, 0, stdout);
    for (const [tag, image] of [
      ['oci', images.oci],
      ['oci-multi', images.ociIndex],
    ] as const) {
      t.equal((await setup.sign({ tags: [`${gun}:${tag}`] })).code, 0);
      t.same(await judge.lookup(gun, tag), hashAndLength(image));
    }
  });

  t.test('over TLS, with the CA that SSL_CERT_FILE names and a docker Secret', async (t) => {
    const host = setup.guarded.host;
    const gun = await setup.gun(host);
    const secrets = {
      dockerconfigjson: {
        files: {
          '.dockerconfigjson': JSON.stringify({
            auths: { [`https://${host}/v1/`]: { auth: base64(`robot:${PASSWORD}`) } },
          }),
        },
      },
      dockercfg: {
        files: {
          '.dockercfg': JSON.stringify({ [host]: { username: 'robot', password: PASSWORD } }),
        },
      },
      'dockerconfigjson with an identity token': {
        files: {
          '.dockerconfigjson': JSON.stringify({
            auths: { [host]: { auth: base64('0000:'), identitytoken: IDENTITY_TOKEN } },
          }),
        },
      },
      'basic-auth': { host, files: { username: 'robot', password: `${PASSWORD}\n` } },
    };
    for (const [kind, secret] of Object.entries(secrets)) {
      t.test(`of the kind ${kind}`, async (t) => {
        const before = setup.tokens.requests.length;
        const { code, stdout } = await setup.sign({
          tags: [`${gun}:1`],
          registrySecrets: [secret],
        });
        t.equal(code, 0, stdout);
        t.same(await judge.lookup(gun, '1'), hashAndLength(images.one));
        t.same(setup.tokens.requests.slice(before), [
          { account: 'robot', scopes: ['repository:demo/app:pull'] },
        ]);
      });
    }
    t.test('the first of several that has something for the registry', async (t) => {
      const other = { files: { '.dockercfg': '{"other.test":{"username":"x","password":"y"}}' } };
      const helper = { files: { '.dockerconfigjson': '{"credsStore":"desktop"}' } };
      const registrySecrets = [other, helper, ...Object.values(secrets)];
      const report = sizeless([`${gun}:2`], images.two.digest);
      const { code, stdout } = await setup.sign({ report, registrySecrets });
      t.equal(code, 0, stdout);
      t.match(stdout, /^warning: .*dockerconfigjson leaves credentials to a credsStore/m);
      t.same(await judge.lookup(gun, '2'), hashAndLength(images.two));
    });
  });

  t.test('with user name and password, where the registry wants those', async (t) => {
    const { host } = setup.basic;
    const gun = await setup.gun(host);
    const registrySecrets = [{ host, files: { username: 'robot', password: PASSWORD } }];
    const { code, stdout } = await setup.sign({ tags: [`${gun}:1`], registrySecrets });
    t.equal(code, 0, stdout);
    t.same(await judge.lookup(gun, '1'), hashAndLength(images.one));
  });

  t.test(
    'again, where the registry was away for a moment; and where it redirects to',
    async (t) => {
      let left = 2;
      const proxy = await startProxy({
        authority: bed.authority,
        target: setup.open.url,
        rule: ({ path }) => {
          left--;
          if (left >= 0) return { kind: 'answer', status: 503 };
          return { kind: 'answer', status: 307, headers: { location: setup.open.url + path } };
        },
      });
      t.teardown(() => proxy.stop());
      const gun = await setup.gun(new URL(proxy.url).host);
      const { code, stdout } = await setup.sign({ tags: [`${gun}:1`] });
      t.equal(code, 0, stdout);
      t.equal(proxy.requests.length, 3);
      t.same(await judge.lookup(gun, '1'), hashAndLength(images.one));
    },
  );

  t.test('at the next repository of the image, where the first does not tell', async (t) => {
    const proxy = await startProxy({
      authority: bed.authority,
      target: setup.open.url,
      rule: () => ({ kind: 'answer', status: 404 }),
    });
    t.teardown(() => proxy.stop());
    const first = await setup.gun(new URL(proxy.url).host);
    const second = await setup.gun(setup.open.host);
    const report = sizeless([`${first}:1`, `${second}:1`], images.one.digest);
    const { code, stdout } = await setup.sign({ report });
    t.equal(code, 0, stdout);
    t.match(stdout, new RegExp(`^warning: .*HTTP 404.*; asking ${second}$`, 'm'));
    t.same(await judge.lookup(first, '1'), hashAndLength(images.one));
    t.same(await judge.lookup(second, '1'), hashAndLength(images.one));
  });

  t.test('and not at all, where the report has it', async (t) => {
    const proxy = await startProxy({
      authority: bed.authority,
      target: setup.open.url,
      rule: () => ({ kind: 'reset' }),
    });
    t.teardown(() => proxy.stop());
    const gun = await setup.gun(new URL(proxy.url).host);
    const broken = [{ files: { '.dockerconfigjson': 'broken' } }];
    const report = reportToml([`${gun}:1`], 'c'.repeat(64), 7);
    const { code, stdout } = await setup.sign({ report, registrySecrets: broken });
    t.equal(code, 0, stdout);
    t.same(proxy.requests, []);
    t.notMatch(stdout, /warning: .*broken|not a JSON/, 'and no Secret is read');
  });
});
