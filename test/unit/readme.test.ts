import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import type { FlagTable } from '../../src/shared/flags.ts';
import { written } from '../../src/shared/help.ts';
import { ANNOTATION } from '../../src/shared/names.ts';
import { VERSION } from '../../src/shared/version.ts';
import { SIGNER_ERRORS, WEBHOOK_ERRORS } from '../../src/shared/error-code.ts';
import { SIGNER_FLAGS } from '../../src/shared/signer-flags.ts';
import { EXPLAIN_FLAGS, WEBHOOK_FLAGS } from '../../src/webhook/settings/webhook-flags.ts';
import { errorPage, makeErrorPage } from '../support/error-page.ts';
import { projectDirectory } from '../bed/project-directory.ts';

const pageOf = (name: string) => readFileSync(join(projectDirectory(), 'docs', name), 'utf8');

t.test('docs/reference/errors.md has every code, as `npm run docs` writes it', async (t) => {
  t.equal(errorPage(), makeErrorPage());
  for (const code of [...Object.keys(SIGNER_ERRORS), ...Object.keys(WEBHOOK_ERRORS)]) {
    t.match(errorPage(), new RegExp(`^### ${code}$`, 'm'));
  }
});

t.test('the reference says of every flag what --help says, and of no other', async (t) => {
  const rowsOf = (page: string) =>
    [...page.matchAll(/^\| `--.*$/gm)].map(([row]) =>
      row.replace(/[`\\]/g, '').replace(/ {2,}/g, ' '),
    );
  const rows = (flags: FlagTable) =>
    Object.entries(flags).map(([name, flag]) => `| ${written(name, flag)} | ${flag.text} |`);
  t.same(rowsOf(pageOf('reference/webhook.md')), [...rows(WEBHOOK_FLAGS), ...rows(EXPLAIN_FLAGS)]);
  t.same(rowsOf(pageOf('reference/signer.md')), rows(SIGNER_FLAGS));
});

t.test('the reference names every annotation', async (t) => {
  for (const name of Object.values(ANNOTATION)) {
    t.match(pageOf('reference/configuration.md'), `\`${name}\``);
  }
});

t.test('docs/explanation/security.md shows each claim by a test that is there', async (t) => {
  const named = [...pageOf('explanation/security.md').matchAll(/`([\w/-]+\.test\.ts)`/g)].map(
    ([, file = '']) => file,
  );
  t.ok(named.length > 30);
  for (const file of new Set(named)) t.ok(existsSync(join(projectDirectory(), 'test', file)), file);
});

t.test('links between the pages lead to files and headings that are there', async (t) => {
  const root = projectDirectory();
  const pages = readdirSync(root, { encoding: 'utf8' })
    .concat(
      readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map((file) =>
        join('docs', file),
      ),
      'certs/README.md',
    )
    .filter((file) => file.endsWith('.md'));
  // As GitHub makes anchors of headings.
  const anchors = (page: string) =>
    [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    );
  let links = 0;
  for (const page of pages) {
    const text = readFileSync(join(root, page), 'utf8');
    for (const [, target = ''] of text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? join(root, page) : join(root, dirname(page), path);
      links += 1;
      if (!t.ok(existsSync(file), `${page}: ${target}`) || anchor === undefined) continue;
      t.ok(anchors(readFileSync(file, 'utf8')).includes(anchor), `${page}: ${target}`);
    }
  }
  t.ok(links > 40);
});

t.test('the version in code is that of package.json and of the images', async (t) => {
  const text = readFileSync(join(projectDirectory(), 'package.json'), 'utf8');
  t.equal(VERSION, (JSON.parse(text) as { version: string }).version);
  const containerfile = readFileSync(join(projectDirectory(), 'Containerfile'), 'utf8');
  const defaults = [...containerfile.matchAll(/^ARG VERSION=(.*)$/gm)].map(
    ([, version]) => version,
  );
  t.same(defaults, [VERSION, VERSION]);
});
