import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ANNOTATION } from '../src/shared/names.ts';
import { VERSION } from '../src/shared/version.ts';
import { readme, withErrorTable } from './error-table.ts';
import { projectDirectory } from './fixture.ts';

t.test("README's error table is the one of the code; `npm run docs` writes it", (t) => {
  t.equal(readme(), withErrorTable(readme()));
  t.end();
});

t.test('README names every annotation', (t) => {
  for (const name of Object.values(ANNOTATION)) t.match(readme(), `\`${name}\``);
  t.end();
});

t.test('the version in code is that of package.json', (t) => {
  const text = readFileSync(join(projectDirectory(), 'package.json'), 'utf8');
  t.equal(VERSION, (JSON.parse(text) as { version: string }).version);
  t.end();
});
