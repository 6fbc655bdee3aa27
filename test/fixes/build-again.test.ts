import t from 'tap';
import { SIGNER_ERRORS, type SignerErrorCode } from '../../src/shared/error-code.ts';
import { SigningError } from '../../src/shared/signing-error.ts';
import { ask, unreadable, memoryCluster, mutate } from '../support/asking.ts';
import { buildFixture, manifestsOf, setSection } from '../support/build-fixture.ts';

t.test(
  'every failure of a build ends with the step that kpack does not do by itself',
  async (t) => {
    for (const code of Object.keys(SIGNER_ERRORS) as SignerErrorCode[]) {
      t.match(new SigningError(code, 'why').fix, /\bbuild again\b/i, code);
      t.match(new SigningError(code, 'why', { fix: 'Do it.' }).fix, 'Do it. Then build again.');
    }
  },
);

t.test(
  'a build pod that is refused for good says so; one that kpack posts again does not',
  async (t) => {
    const malformed = buildFixture();
    setSection(malformed, { v1: { url: 'x' } });
    const refused = await mutate(malformed);
    t.match(refused, { allowed: false, status: { code: 422, message: /build again\.$/ } });
    const posted = await mutate(buildFixture(), { username: 'somebody' });
    t.match(posted, { allowed: false, status: { code: 422, message: /Then build again\.$/ } });

    const unread = buildFixture();
    const cluster = unreadable(memoryCluster(manifestsOf(unread)), 'Build');
    const waits = await ask('mutate', unread.pod, cluster);
    t.match(waits, { allowed: false, status: { code: 503 } });
    t.notMatch(waits.status?.message, /build again/);
  },
);
