import t from 'tap';
import { parseTargets } from '../../../../src/sidecar/tuf/parse.ts';
import { editRoles } from '../../../../src/sidecar/tuf/publication.ts';
import { finish } from '../../../../src/sidecar/tuf/work.ts';
import { choose, publish, releaseRepository } from '../support/trust/publication.ts';
import { entry, NOW, RELEASES } from '../../../support/trust/repository.ts';
import { failure, verifyBuilt } from '../support/trust/verification.ts';

const A = 'a1'.repeat(32);
const v1 = { tag: 'v1', sha256: A, length: 528 };
const v2 = { ...v1, tag: 'v2' };

t.test('an image that was signed already keeps what others wrote beside it', async (t) => {
  const sha512 = Buffer.alloc(64, 1).toString('base64');
  const approved = {
    custom: { approved: true },
    hashes: { ...(entry(A, 528)['hashes'] as object), sha512 },
    length: 528,
  };
  const { key, built, repository } = releaseRepository({ entries: { v1: approved } });
  const publication = await publish(repository, [v1, v2], [key]);
  const { signed } = JSON.parse(Buffer.from(publication.get(RELEASES) ?? '').toString()) as {
    signed: { targets: unknown };
  };
  t.same(signed.targets, { v1: approved, v2: entry(A, 528) });
  verifyBuilt(built.publish(publication));
});

t.test('versions of a role end where a reader can no longer tell them apart', async (t) => {
  const last = (version: number) =>
    releaseRepository({ entries: { v0: entry(A, 1) }, versions: { [RELEASES]: version } });
  const { key, repository } = last(Number.MAX_SAFE_INTEGER);
  const roles = choose(repository, ['v1'], [key]);
  const error = failure(() => editRoles(repository, roles, [v1], NOW));
  t.equal(error.code, 'METADATA_INVALID');
  t.match(error.message, /targets\/releases.json has version 9007199254740991, the last one/);
  t.match(error.fix, /delegate to another name/);

  const before = last(Number.MAX_SAFE_INTEGER - 1);
  const publication = await publish(before.repository, [v1], [before.key]);
  const bytes = publication.get(RELEASES) ?? new Uint8Array();
  const { content } = finish(parseTargets(RELEASES, bytes));
  t.equal(content.version, Number.MAX_SAFE_INTEGER);
});
