// Makes one self-contained file of each program: those that the images carry, into dist/, or the one
// named by two arguments, ENTRY and OUTFILE.
import { build } from 'esbuild';

const [entry, outfile] = process.argv.slice(2);
const programs =
  entry === undefined
    ? {
        entryPoints: { webhook: 'src/webhook/main.ts', signer: 'src/sidecar/main.ts' },
        outdir: 'dist',
        outExtension: { '.js': '.cjs' },
      }
    : { entryPoints: [entry], outfile };

await build({
  ...programs,
  bundle: true,
  platform: 'node',
  target: 'node20.20',
  format: 'cjs',
  minify: true,
  keepNames: true,
  legalComments: 'external',
  // Maps stack traces back to the sources; the programs run without it.
  sourcemap: 'linked',
  sourcesContent: false,
  logLevel: 'warning',
});
