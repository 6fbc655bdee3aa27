// Makes one self-contained file of each program: those that the images carry, into dist/, or the one
// named by two arguments, ENTRY and OUTFILE. dist/packages.json says what they are made of.
import { writeFile } from 'node:fs/promises';
import { build } from 'esbuild';

const COMMON = {
  bundle: true,
  platform: 'node',
  target: 'node20.20',
  format: 'cjs',
  minifySyntax: true,
  minifyWhitespace: true,
  // An import() cannot be run from a code cache (see image/start.cjs): it becomes a require().
  supported: { 'dynamic-import': false },
  // Paths are part of a bundle: the same bytes, wherever node_modules really is.
  preserveSymlinks: true,
  // `debug` takes it where it is installed, for colours: here it is a dependency of development alone.
  external: ['supports-color'],
  logLevel: 'warning',
  metafile: true,
};

/** The npm packages of a build's inputs. */
function packagesOf({ inputs }) {
  const names = Object.keys(inputs).map(
    (file) => /^.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1],
  );
  return names.filter((name) => name !== undefined);
}

/**
 * Puts packages into the bundle as text, which is compiled when it is first imported: V8 parses
 * every function of a script before it runs the first, and what is seldom needed, or late, would
 * hold up every start.
 *
 * @param names of packages that are imported dynamically
 * @param packages gets the names of the packages that these are made of
 */
function compiledWhenImported(names, packages) {
  return {
    name: 'compiled-when-imported',
    setup(outer) {
      outer.onResolve({ filter: new RegExp(`^(${names.join('|')})$`) }, ({ path }) => ({
        path,
        namespace: 'text',
      }));
      outer.onLoad({ filter: /./, namespace: 'text' }, async ({ path }) => {
        const { outputFiles, metafile } = await build({
          ...COMMON,
          minifyIdentifiers: true,
          stdin: { contents: `module.exports = require('${path}')`, resolveDir: '.' },
          legalComments: 'eof',
          write: false,
        });
        for (const name of packagesOf(metafile)) packages.add(name);
        return {
          contents: `
            const { compileFunction } = require('node:vm');
            compileFunction(
              ${JSON.stringify(outputFiles[0].text)},
              ['module', 'require'],
              { filename: '${path}.cjs' },
            )(module, require);
          `,
        };
      });
    },
  };
}

/**
 * What functions and classes are called stays: the log tells the class of an error. Where identifiers
 * are shortened, the name has to be given back to each function whenever it is made. The file is the
 * smaller one, for a program that starts often; of one that serves, it would be a tenth of the work.
 */
const SHORT = { minifyIdentifiers: true, keepNames: true };
const WHOLE = { minifyIdentifiers: false };

async function bundle(entry, outfile, identifiers = SHORT) {
  const packages = new Set();
  const { metafile } = await build({
    ...COMMON,
    entryPoints: [entry],
    outfile,
    ...identifiers,
    legalComments: 'external',
    // Maps stack traces back to the sources; the programs run without it.
    sourcemap: 'linked',
    sourcesContent: false,
    plugins: [compiledWhenImported(['@peculiar/x509'], packages)],
  });
  return [...new Set([...packagesOf(metafile), ...packages])].sort();
}

const [entry, outfile] = process.argv.slice(2);
if (entry === undefined) {
  const [webhook, signer] = await Promise.all([
    bundle('src/webhook/main.ts', 'dist/webhook.cjs', WHOLE),
    bundle('src/sidecar/main.ts', 'dist/signer.cjs'),
  ]);
  await writeFile('dist/packages.json', `${JSON.stringify({ webhook, signer }, undefined, 2)}\n`);
} else {
  await bundle(entry, outfile);
}
