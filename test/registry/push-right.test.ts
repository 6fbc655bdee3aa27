/** What the signer does with the right to push to the repository of a build. */
import t from 'tap';
import { goTools } from '../bed/go-tools.ts';
import { startBed } from '../bed/bed.ts';
import { pushImage } from '../bed/image.ts';
import { initRepository, secretOf } from '../bed/notary-repository.ts';
import { startOlareg } from '../bed/olareg.ts';
import { FORWARD, startProxy } from '../bed/proxy.ts';
import { reportToml, runSigner } from '../support/signer-run.ts';
import { makeV2Secret } from '../support/v2-secret.ts';

const READS = ['GET', 'HEAD'];

t.test(
  'a run pushes two blobs, one manifest by digest and the tag of its image, at most',
  async (t) => {
    const tools = await goTools();
    if ('missing' in tools) return t.plan(0, tools.missing);
    const bed = await startBed();
    const { directory, authority } = bed;
    const olareg = await startOlareg({ program: tools.olareg, directory });
    t.teardown(() => Promise.all([olareg.stop(), bed.stop()]));
    for (const [listed, registry] of Object.entries({ tag: bed.registry, api: olareg })) {
      const proxy = await startProxy({ authority, target: registry.url, rule: () => FORWARD });
      t.teardown(() => proxy.stop());
      const gun = `${new URL(proxy.url).host}/demo/app`;
      const secret = await secretOf(bed, await initRepository(bed, gun));
      const image = await pushImage({
        ...{ registryUrl: registry.url, repository: 'demo/app', tags: ['1', '2'], content: 'app' },
      });
      const run = () =>
        runSigner({
          ...{ directory, notaryUrl: bed.notary.url, secret, v2Secret },
          report: reportToml([`${gun}:1`, `${gun}:2`], image.digest.slice(7), image.size),
          env: { SSL_CERT_FILE: authority.certificateFile },
        });
      const { v2Secret } = makeV2Secret();
      const { receipt, stdout } = await run();
      t.equal(receipt.result, 'signed', stdout);
      const signature = receipt.repositories[0]?.v2?.digest ?? '';
      const writes = () =>
        proxy.requests
          .filter(({ method }) => !READS.includes(method))
          .map(({ method, path }) => `${method} ${path.replace(/\?.*/, '')}`);
      const allowed = [
        `PUT /v2/demo/app/manifests/${signature}`,
        ...(listed === 'tag'
          ? [`PUT /v2/demo/app/manifests/${image.digest.replace(':', '-')}`]
          : []),
      ];
      const uploads = writes().filter((write) =>
        /^(?:POST|PUT) \/v2\/demo\/app\/blobs\/uploads\//.test(write),
      );
      t.equal(uploads.length, 4, 'the envelope and the empty configuration');
      t.same(
        writes()
          .filter((write) => !uploads.includes(write))
          .sort(),
        allowed.sort(),
      );
      const tags = proxy.requests.flatMap(
        ({ path }) => /\/manifests\/(?!sha256[:-])(.*)$/.exec(path)?.[1] ?? [],
      );
      t.same(tags, [], 'no tag of an image is named, not even to read');
      const before = writes().length;
      t.equal((await run()).receipt.result, 'already-signed');
      t.equal(writes().length, before, 'what is signed is not written again');
    }
  },
);
