import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { runContainer, volumeDirectory } from '../bed/container.ts';
import { pushImage } from '../bed/image.ts';
import { buildFixture, type BuildFixture, secretData } from '../support/build-fixture.ts';
import { projectDirectory } from '../bed/project-directory.ts';
import { PASSWORD, startRegistrySetup, trusting } from './support/registry-setup.ts';
import { reportToml } from '../support/signer-run.ts';
import { inject } from '../support/asking.ts';
import { withoutReport } from '../support/pod-changes.ts';
import { container, SIGNER } from '../support/pod.ts';

t.test('what the build does not report, the injected container looks up', async (t) => {
  const setup = await startRegistrySetup();
  t.teardown(() => setup.stop());
  const { bed } = setup;
  const gun = await setup.gun(setup.guarded.host);

  const here = (name: string): BuildFixture =>
    JSON.parse(
      JSON.stringify(buildFixture(name))
        .replaceAll('registry.example.com/team/app', gun)
        .replaceAll('registry.example.com', setup.guarded.host)
        .replaceAll('https://notary.example.com:4443', bed.notary.url),
    ) as BuildFixture;

  for (const [name, writes] of [
    ['v0.2.0/02b-notary-registry-secrets', 'a report without a size'],
    ['v0.2.0/05b-rebase-notary', 'a report without a size'],
    ['v0.5.4/02b-notary-registry-secrets', 'no report'],
    ['v0.17.2/02b-notary-registry-secrets', 'a report without a size'],
    ['v0.17.2/05b-rebase-notary', 'no report'],
  ] as const) {
    t.test(`${name}, whose lifecycle writes ${writes}`, async (t) => {
      const given = here(name);
      if (writes === 'no report') withoutReport(given.pod, undefined);
      const references = given.build.spec['tags'] as string[];
      const tags = references.map((tag) => (tag === gun ? 'latest' : tag.slice(gun.length + 1)));
      const image = await pushImage({
        registryUrl: bed.registry.url,
        repository: 'demo/app',
        tags,
        content: name,
      });
      const sha256 = image.digest.replace('sha256:', '');
      const pod = await inject(given);
      // As an admission plug-in gives it to all containers.
      container(pod, SIGNER).env = Object.entries(trusting(bed)).map(([name, value]) => ({
        name,
        value,
      }));
      const directory = join(bed.directory, name.replace('/', '-'));
      if (writes !== 'no report') {
        const place = volumeDirectory(directory, 'report-dir');
        await mkdir(place, { recursive: true });
        await writeFile(join(place, 'report.toml'), reportToml(references, sha256, 0));
      }
      const secrets = secretData(given.secrets)
        .set('registry-creds', { username: 'robot', password: PASSWORD })
        .set('notary-signing', setup.secret);
      const result = await runContainer({
        pod,
        name: SIGNER,
        secrets,
        directory,
        image: { '/app': join(projectDirectory(), 'dist') },
      });
      t.equal(result.code, 0, result.stdout);
      t.match(result.stdout, 'the registry says: ');
      for (const tag of tags) {
        t.same(await bed.cli('judge').lookup(gun, tag), { sha256, length: image.size });
      }
    });
  }
});
