import { cp, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { succeed } from '../bed/command.ts';
import { projectDirectory } from '../bed/project-directory.ts';
import { temporaryDirectory } from '../bed/temporary-directory.ts';

t.test('what the Containerfile copies makes the bundles that npm run build makes', async (t) => {
  const project = projectDirectory();
  const containerfile = await readFile(join(project, 'Containerfile'), 'utf8');
  const [stage = ''] = /^FROM .* AS from-source$[^]*?(?=^FROM )/m.exec(containerfile) ?? [];
  const copies = [...stage.matchAll(/^COPY (.*) \S+$/gm)].flatMap(([, files = '']) =>
    files.split(' '),
  );
  t.ok(copies.includes('package-lock.json') && copies.includes('src'));
  const allowed = await readFile(join(project, '.dockerignore'), 'utf8');
  // Not below the project, where what is missing would be found.
  const directory = temporaryDirectory();
  for (const file of copies) {
    t.match(allowed, `\n!${file}\n`);
    await cp(join(project, file), join(directory, file), { recursive: true });
  }
  // In place of its `npm ci`, which takes minutes and a registry.
  await symlink(join(project, 'node_modules'), join(directory, 'node_modules'));
  await succeed({ program: process.execPath, args: ['bundle.mjs'], directory, timeLimit: 120_000 });
  for (const name of ['webhook.cjs', 'signer.cjs']) {
    const [ours, theirs] = await Promise.all(
      [project, directory].map((place) => readFile(join(place, 'dist', name))),
    );
    t.ok(ours?.equals(theirs ?? Buffer.of()), name);
  }
});
