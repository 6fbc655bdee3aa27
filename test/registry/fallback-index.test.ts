import t from 'tap';
import { SIGNATURE_TYPE, type Descriptor } from '../../src/sidecar/notation/descriptor.ts';
import { pushImage, pushIndex } from '../bed/image.ts';
import { FORWARD } from '../bed/proxy.ts';
import {
  atTag,
  hexOf,
  names,
  putTag,
  startRegistries,
  subjectAt,
  tagOf,
} from './support/registries.ts';
import { push, REPOSITORY, signatureOf, signatureRegistry } from './support/signing.ts';

const at = await startRegistries(t);
const { docker } = at;

t.test('20 signers at once lose no signature, and none of others', async (t) => {
  const subject = await subjectAt(docker, 'twenty');
  const other = signatureOf(subject, 'other');
  const setup = signatureRegistry(t, { host: docker.host });
  await push(setup, other);
  const foreign = { ...other.entry, artifactType: 'application/other', 'x-unknown': [{ a: 1 }] };
  await putTag(docker, subject, { manifests: [foreign], annotations: { a: 'b' }, 'x-more': 7 });
  const signers = Array.from({ length: 20 }, (_, i) => `signer ${i}`);
  await Promise.all(
    signers.map(async (name) => {
      const client = signatureRegistry(t, { host: docker.host });
      const signature = signatureOf(subject, name);
      await push(client, signature);
      await client.addToIndex(subject, signature.entry);
    }),
  );
  const index = await atTag(docker, subject);
  t.same(new Set(names(index?.manifests ?? [])), new Set([...signers, 'other']));
  t.equal(index?.manifests.length, 21);
  const kept = index?.manifests.find(({ digest }) => digest === foreign.digest);
  t.same(kept, foreign, 'with all its members');
  t.match(index, { annotations: { a: 'b' }, 'x-more': 7 });
  const { signatures } = await setup.list(subject);
  t.equal(signatures.length, 20, 'what is no signature is not listed');
});

t.test('signers lose nothing to programs that read, append and write once', async (t) => {
  const subject = await subjectAt(docker, 'plain writers');
  const own = ['a', 'b', 'c', 'd', 'e'];
  const sign = async (name: string) => {
    const client = signatureRegistry(t, { host: docker.host });
    const signature = signatureOf(subject, name);
    await push(client, signature);
    await client.addToIndex(subject, signature.entry);
  };
  const append = async (name: string) => {
    const signature = signatureOf(subject, name);
    await push(signatureRegistry(t, { host: docker.host }), signature);
    const manifests = (await atTag(docker, subject))?.manifests ?? [];
    await putTag(docker, subject, { manifests: [...manifests, signature.entry] });
  };
  await Promise.all([...own.map(sign), ...own.map((name) => append(`plain ${name}`))]);
  const listed = names((await atTag(docker, subject))?.manifests ?? []);
  t.same(
    own.filter((name) => !listed.includes(name)),
    [],
  );
});

t.test('the list at the tag', async (t) => {
  const client = signatureRegistry(t, { host: docker.host });
  const pushed = async (subject: Descriptor, name: string) => {
    const signature = signatureOf(subject, name);
    await push(client, signature);
    return signature.entry;
  };
  const remove = ({ digest }: Descriptor) =>
    fetch(`${docker.url}/v2/${REPOSITORY}/manifests/${digest}`, { method: 'DELETE' });

  t.test('has the newest entry first, each once', async (t) => {
    const subject = await subjectAt(docker, 'order');
    const [a, b] = [await pushed(subject, 'a'), await pushed(subject, 'b')];
    await client.addToIndex(subject, a);
    await client.addToIndex(subject, b);
    t.same(names((await client.list(subject)).signatures), ['b', 'a']);
    await client.addToIndex(subject, a);
    t.same(names((await client.list(subject)).signatures), ['a', 'b']);
  });
  t.test('is not written where it has the entry first', async (t) => {
    const subject = await subjectAt(docker, 'first');
    const entry = await pushed(subject, 'a');
    await client.addToIndex(subject, entry);
    const { proxy, client: again } = await at.behind(t, docker, () => FORWARD);
    await again.addToIndex(subject, entry);
    t.same(
      proxy.requests.map(({ method }) => method),
      ['GET'],
    );
  });
  t.test('is written again where the entry lacks its artifact type', async (t) => {
    const subject = await subjectAt(docker, 'untyped');
    const { artifactType: _, ...untyped } = await pushed(subject, 'a');
    await putTag(docker, subject, { manifests: [untyped] });
    await client.addToIndex(subject, { ...untyped, artifactType: SIGNATURE_TYPE });
    t.same(names((await client.list(subject)).signatures), ['a']);
    t.equal((await atTag(docker, subject))?.manifests.length, 1);
  });
  t.test(
    'loses an entry whose manifest is gone: with it, the registry takes no list',
    async (t) => {
      const subject = await subjectAt(docker, 'gone');
      const [a, b, c] = [
        await pushed(subject, 'a'),
        await pushed(subject, 'b'),
        await pushed(subject, 'c'),
      ];
      await putTag(docker, subject, { manifests: [a, b] });
      await remove(a);
      await client.addToIndex(subject, c);
      t.same(names((await client.list(subject)).signatures), ['c', 'b']);
    },
  );
  t.test('gets back what another writer lost, and not what somebody deleted', async (t) => {
    const subject = await subjectAt(docker, 'lost');
    const [a, b, c, own] = await Promise.all(
      ['a', 'b', 'c', 'own'].map((name) => pushed(subject, name)),
    );
    if (!a || !b || !c || !own) throw new Error('no entries');
    await putTag(docker, subject, { manifests: [a, b] });
    let looks = 0;
    const waits: number[] = [];
    const { client } = await at.behind(t, docker, () => FORWARD, {
      pause: async (milliseconds) => {
        waits.push(milliseconds);
        looks++;
        if (looks === 1) {
          await remove(b);
          await putTag(docker, subject, { manifests: [c] });
        }
        return true;
      },
    });
    await client.addToIndex(subject, own);
    t.same(names((await client.list(subject)).signatures), ['own', 'c', 'a']);
    t.equal(looks, 2);
    for (const wait of waits) t.ok(wait >= 200 && wait <= 600, `it looks again after ${wait} ms`);
  });
  t.test('that others overwrite all the time is given up, with the reason', async (t) => {
    const subject = await subjectAt(docker, 'overwritten');
    const [a, own] = [await pushed(subject, 'a'), await pushed(subject, 'own')];
    const { client } = await at.behind(t, docker, () => FORWARD, {
      pause: async () => {
        await putTag(docker, subject, { manifests: [a] });
        return true;
      },
    });
    await t.rejects(client.addToIndex(subject, own), {
      code: 'SIGNATURE_NOT_LISTED',
      message: new RegExp(
        `list of signatures at ${/127\S+/.source}:sha256-${hexOf(subject)} was written 31 times`,
      ),
      isTransient: false,
    });
  });
  t.test(
    'cannot be looked at again before the deadline: the signature is not listed',
    async (t) => {
      const subject = await subjectAt(docker, 'late');
      const own = await pushed(subject, 'own');
      const { client } = await at.behind(t, docker, () => FORWARD, { pause: async () => false });
      await t.rejects(client.addToIndex(subject, own), { code: 'SIGNATURE_NOT_LISTED' });
    },
  );
  t.test('is read again, where the answer to a write was lost', async (t) => {
    const subject = await subjectAt(docker, 'lost answer');
    const own = await pushed(subject, 'own');
    let isLost = false;
    const { client, proxy } = await at.behind(
      t,
      docker,
      ({ method }) => {
        if (method !== 'PUT' || isLost) return FORWARD;
        isLost = true;
        return { kind: 'forward', loses: 'answer' };
      },
      { pause: async () => true },
    );
    await client.addToIndex(subject, own);
    t.same(
      proxy.requests.map(({ method }) => method),
      ['GET', 'PUT', 'GET'],
    );
    t.match(client.said, [/^trying again: .*sha256-[0-9a-f]{64} cannot be pushed: /]);
  });
  t.test('may not grow over what registries take', async (t) => {
    const subject = await subjectAt(docker, 'large');
    const own = await pushed(subject, 'own');
    const annotations = { large: 'x'.repeat(4 * 1024 * 1024 - 300) };
    await putTag(docker, subject, { manifests: [], annotations });
    await t.rejects(client.addToIndex(subject, own), {
      code: 'SIGNATURE_NOT_LISTED',
      message: /would have \d+ bytes, and registries take 4194304/,
    });
  });
  for (const [what, put] of [
    [
      'an image',
      (subject: Descriptor) =>
        pushImage({
          registryUrl: docker.url,
          repository: REPOSITORY,
          tags: [tagOf(subject)],
          content: 'x',
        }),
    ],
    [
      'an OCI image',
      (subject: Descriptor) =>
        pushImage({
          ...{ registryUrl: docker.url, repository: REPOSITORY, tags: [tagOf(subject)] },
          ...{ content: 'x', format: 'oci' },
        }),
    ],
    [
      "docker's list of images",
      async (subject: Descriptor) => {
        const target = { registryUrl: docker.url, repository: REPOSITORY };
        const image = await pushImage({ ...target, tags: [], content: 'x' });
        await pushIndex({ ...target, tags: [tagOf(subject)], images: [image] });
      },
    ],
  ] as const) {
    t.test(`is ${what}: it is no list, and stays`, async (t) => {
      const subject = await subjectAt(docker, `under ${what}`);
      await put(subject);
      const own = await pushed(subject, 'own');
      const { client, proxy } = await at.behind(t, docker, () => FORWARD);
      for (const answer of [
        () => client.list(subject).then(() => undefined),
        () => client.addToIndex(subject, own),
      ]) {
        await t.rejects(answer(), {
          code: 'REFERRERS_TAG_FOREIGN',
          message: new RegExp(
            `:sha256-${hexOf(subject)}, where signatures would be listed, is something of the`,
          ),
        });
      }
      for (const { method } of proxy.requests) t.equal(method, 'GET');
    });
  }
});
