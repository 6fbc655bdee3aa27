/** Signatures that look like the signer's, pushed by others, stand for nothing. */
import { join } from 'node:path';
import t from 'tap';
import type { Registry } from '../bed/docker-registry.ts';
import { goTools } from '../bed/go-tools.ts';
import { notationCli } from '../bed/notation-cli.ts';
import { makeEnvelope } from '../../src/sidecar/notation/envelope.ts';
import {
  EMPTY_CONFIG,
  formatSignatureManifest,
} from '../../src/sidecar/notation/signature-manifest.ts';
import { makeSigner } from '../support/signature-fixture.ts';
import { reportToml, runSigner } from '../support/signer-run.ts';
import { hexOf, startRegistries, subjectAt } from './support/registries.ts';
import { REPOSITORY, signatureRegistry } from './support/signing.ts';

const { directory, docker, olareg } = await startRegistries(t);
const tools = await goTools();
const registries: readonly (readonly ['tag' | 'api', Registry])[] = [
  ['tag', docker],
  ...(olareg ? [['api', olareg] as const] : []),
];

for (const [listed, registry] of registries) {
  t.test(`an image gets its signature behind planted ones, listed by ${listed}`, async (t) => {
    const [own, stranger] = [makeSigner(), makeSigner()];
    const client = signatureRegistry(t, { host: registry.host });
    const subject = await subjectAt(registry, 'planted');
    const other = await subjectAt(registry, 'signed before');
    const options = { signingTime: new Date(), agent: 'test' };
    const planted = [
      await makeEnvelope(other, own.signer, options),
      await makeEnvelope(subject, stranger.signer, options),
      await makeEnvelope(subject, { ...own.signer, sign: stranger.signer.sign }, options),
      Buffer.from('{"payload":"","protected":"","header":{},"signature":""}'),
    ];
    for (const envelope of planted) {
      // The annotation names the certificates of the signer.
      const { bytes, descriptor } = formatSignatureManifest(
        'config-type',
        subject,
        envelope,
        own.signer.chain,
        new Date(),
      );
      for (const blob of [EMPTY_CONFIG, envelope]) await client.pushBlob(blob);
      await client.pushManifest(bytes, descriptor.mediaType);
      if (listed === 'tag') await client.addToIndex(subject, descriptor);
    }

    const { certificatePem, keyPem, caPem } = own.secret;
    const v2Secret = { 'tls.crt': certificatePem, 'tls.key': keyPem, 'ca.crt': caPem };
    const tags = [`${registry.host}/${REPOSITORY}:1`];
    const report = reportToml(tags, hexOf(subject), subject.size);
    const [first, again] = [
      await runSigner({ directory, report, v2Secret }),
      await runSigner({ directory, report, v2Secret }),
    ].map(({ receipt }) => receipt.repositories[0]);
    const count = planted.length + 1;
    t.match(first, { result: 'signed', v2: { listed, count } });
    t.match(again, { result: 'already-signed', v2: { digest: first?.v2?.digest, count } });
    if ('missing' in tools) return;
    const judge = await notationCli({
      program: tools.notation,
      home: join(directory, `judge-${listed}`),
      roots: [own.root.pem],
    });
    const { code, stderr } = await judge.verify(`${registry.host}/${REPOSITORY}@${subject.digest}`);
    t.equal(code, 0, stderr);
  });
}
