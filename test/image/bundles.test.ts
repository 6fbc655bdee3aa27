import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { projectDirectory } from '../bed/project-directory.ts';

interface LockFile {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>;
}

t.test('no program holds a package that development alone needs', async (t) => {
  const read = (file: string): unknown =>
    JSON.parse(readFileSync(join(projectDirectory(), file), 'utf8'));
  const programs = read('dist/packages.json') as Record<string, readonly string[]>;
  const { packages } = read('package-lock.json') as LockFile;
  for (const [program, names] of Object.entries(programs)) {
    t.ok(names.length > 0, program);
    const strays = names.filter((name) => {
      // A version of its own may stand below the package that needs it.
      const copies = Object.entries(packages).filter(([path]) =>
        path.endsWith(`node_modules/${name}`),
      );
      return copies.length === 0 || copies.every(([, { dev }]) => dev === true);
    });
    t.same(strays, [], program);
  }
});
