// Makes the two programs that the images carry: one self-contained file each.
import { build } from 'esbuild';

await build({
  entryPoints: {
    webhook: 'src/webhook/main.ts',
    signer: 'src/sidecar/main.ts',
  },
  outdir: 'dist',
  outExtension: { '.js': '.cjs' },
  bundle: true,
  platform: 'node',
  target: 'node20.20',
  format: 'cjs',
  minify: true,
  keepNames: true,
  legalComments: 'external',
  // Maps coverage and stack traces back to the sources; the programs run without it.
  sourcemap: 'linked',
  sourcesContent: false,
  logLevel: 'warning',
});
