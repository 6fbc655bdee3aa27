import t from 'tap';
import { startBed } from '../bed/bed.ts';
import { goTools } from '../bed/go-tools.ts';
import { pushImage } from '../bed/image.ts';
import { startOlareg } from '../bed/olareg.ts';
import { reportToml, runSigner } from '../support/signer-run.ts';
import { makeV2Secret } from '../support/v2-secret.ts';
import { inWaves } from '../support/waves.ts';

const bed = await startBed();
t.teardown(() => bed.stop());
const { directory, authority } = bed;

/** What a run asks a registry, where the empty configuration is there already. */
const PUSH = [
  ['GET referrers/sha256:*', 'HEAD manifests/sha256:*'],
  ['HEAD blobs/sha256:*', 'POST blobs/uploads/'],
  ['PUT blobs/uploads/*'],
  ['GET blobs/sha256:*', 'PUT manifests/sha256:*'],
  ['GET manifests/sha256:*', 'GET referrers/sha256:*'],
];

t.test('a Notary Project signature takes five requests one after the other', async (t) => {
  const tools = await goTools();
  if ('missing' in tools) return t.plan(0, tools.missing);
  const olareg = await startOlareg({ program: tools.olareg, directory });
  t.teardown(() => olareg.stop());
  const repository = 'demo/app';
  const { v2Secret } = makeV2Secret();
  const sign = async (host: string, content: string) => {
    const image = await pushImage({ registryUrl: olareg.url, repository, tags: ['1'], content });
    return runSigner({
      ...{ directory, v2Secret },
      report: reportToml([`${host}/${repository}:1`], image.digest.slice(7), image.size),
      args: ['--deadline=10'],
      env: { SSL_CERT_FILE: authority.certificateFile },
    });
  };
  t.equal((await sign(olareg.host, 'first')).code, 0);
  const { result, waves, requests } = await inWaves(
    {
      ...{ authority, target: olareg.url, sizes: PUSH.map(({ length }) => length) },
      nameOf: ({ method, path }) => {
        const place = path.replace(/\?.*/, '').replace(`/v2/${repository}/`, '');
        return `${method} ${place.replace(/[0-9a-f]{64}|(?<=^blobs\/uploads\/).+/, '*')}`;
      },
    },
    (url) => sign(new URL(url).host, 'second'),
  );
  t.equal(result.code, 0, result.stdout);
  t.same(waves, PUSH);
  t.equal(requests, waves.flat().length, 'nothing is asked beside the waves');
});
