import t from 'tap';
import type { Gun } from '../../../src/shared/image-reference.ts';
import type { NotaryUrl } from '../../../src/shared/notary-url.ts';
import { failureOf, receiptOf, type RepositoryReceipt } from '../../../src/shared/receipt.ts';
import { SigningError } from '../../../src/shared/signing-error.ts';
import { signBoth, type Signing } from '../../../src/sidecar/signatures.ts';
import type { V1Signing } from '../../../src/sidecar/v1-signing.ts';
import type { V2Signing } from '../../../src/sidecar/v2-signing.ts';
import { failureSentence, lastLine } from '../../../src/sidecar/termination-message.ts';

const gun = 'registry.example.com/team/app' as Gun;
const plan = { gun, targets: [{ tag: '1', sha256: 'a'.repeat(64), length: 7 }] };
const role = { name: 'targets', version: 2, expires: '2029-01-01T00:00:00Z', keyId: 'k' };
const common = {
  gun,
  server: 'https://n.test' as NotaryUrl,
  rootKeyIds: [],
  targets: plan.targets,
};

/** What v1 does: publishes when it may. */
const publishes = async (
  _: unknown,
  beforePublish: () => Promise<void>,
): Promise<RepositoryReceipt> => {
  try {
    await beforePublish();
    events.push('v1 published');
    return { ...common, result: 'signed', roles: [role], attempts: 1 };
  } catch (error) {
    return {
      ...common,
      result: 'failed',
      roles: [],
      attempts: 0,
      ...failureOf(error as SigningError),
    };
  }
};
/** v1 has nothing to publish. */
const hasAll = (): Promise<RepositoryReceipt> =>
  Promise.resolve({ ...common, result: 'already-signed', roles: [role], attempts: 0 });
const lacksKey = (): Promise<RepositoryReceipt> => {
  const failure = failureOf(new SigningError('KEY_NOT_IN_ROLE', 'no role lists the key'));
  return Promise.resolve({ ...common, result: 'failed', roles: [], attempts: 0, ...failure });
};
const pushes = async () => {
  await Promise.resolve();
  events.push('v2 pushed');
  return { result: 'signed' as const, digest: 'sha256:d' };
};
const isDenied = () => Promise.reject(new SigningError('PUSH_DENIED', 'no push'));

const events: string[] = [];
const warnings: string[] = [];
const log = { step: () => undefined, warn: (line: string) => void warnings.push(line) };

/** What v2 is ready to do, or why it is not. */
type Ready = V2Signing | SigningError | undefined;

async function sign({
  v1,
  v2,
  isV2Optional = false,
}: {
  readonly v1: V1Signing | undefined;
  readonly v2: Ready;
  readonly isV2Optional?: boolean;
}) {
  events.length = warnings.length = 0;
  const prepared = v2 instanceof SigningError ? Promise.reject(v2) : v2 && Promise.resolve(v2);
  const signing = (v1 ? { v1, v2: prepared, isV2Optional } : { v1, v2: prepared }) as Signing;
  const repository = await signBoth(plan, signing, log);
  const receipt = receiptOf('report', [repository]);
  return { repository, sentence: failureSentence(receipt), last: lastLine(receipt, true) };
}

t.test('both signatures of a build', async (t) => {
  t.test('v1 is published when v2 is out', async (t) => {
    const { repository } = await sign({ v1: publishes, v2: pushes, isV2Optional: false });
    t.same(events, ['v2 pushed', 'v1 published']);
    t.match(repository, { result: 'signed', roles: [role], v2: { result: 'signed' } });
  });

  t.test('nothing of v1 is published where v2 fails', async (t) => {
    const { repository, sentence, last } = await sign({
      ...{ v1: publishes, v2: isDenied, isV2Optional: false },
    });
    t.same(events, []);
    t.match(repository, { result: 'failed', code: 'PUSH_DENIED', v2: { code: 'PUSH_DENIED' } });
    t.match(sentence, /^notary-sign failed \(PUSH_DENIED\): no push\. Fix: /);
    t.equal(last, 'nothing was signed');
  });

  t.test('the outcome is failed where v1 was signed before, and v2 fails', async (t) => {
    const { repository, sentence, last } = await sign({
      ...{ v1: hasAll, v2: isDenied, isV2Optional: false },
    });
    t.match(repository, { result: 'failed', code: 'PUSH_DENIED', roles: [role] });
    t.match(sentence, 'no push (v1 signed, v2 not). Fix: ');
    t.equal(last, 'nothing was signed completely (v1 signed, v2 not)');
  });

  t.test('v2 stays where v1 fails, and the message says so', async (t) => {
    const { repository, sentence, last } = await sign({
      ...{ v1: lacksKey, v2: pushes, isV2Optional: false },
    });
    t.match(repository, { result: 'failed', code: 'KEY_NOT_IN_ROLE', v2: { result: 'signed' } });
    t.match(sentence, 'no role lists the key (v2 signed, v1 not). Fix: ');
    t.equal(last, 'nothing was signed completely (v2 signed, v1 not)');
  });

  t.test('where v2 may fail, the outcome is that of v1, and the log says why', async (t) => {
    for (const v2 of [isDenied, new SigningError('CERTIFICATE_EXPIRED', 'too late')]) {
      const { repository } = await sign({ v1: publishes, v2, isV2Optional: true });
      t.same(events, ['v1 published']);
      t.match(repository, { result: 'signed', code: undefined, v2: { result: 'failed' } });
      t.match(warnings, [/^no Notary Project signature \((PUSH_DENIED|CERTIFICATE_EXPIRED)\): /]);
    }
  });

  t.test('v2 alone has no members of v1', async (t) => {
    const signed = await sign({ v1: undefined, v2: pushes });
    t.same(signed.repository, {
      ...{ gun, result: 'signed' },
      v2: { result: 'signed', digest: 'sha256:d' },
    });
    const { repository, last } = await sign({ v1: undefined, v2: isDenied });
    t.match(repository, { result: 'failed', code: 'PUSH_DENIED', v2: { result: 'failed' } });
    t.equal(last, 'nothing was signed');
  });
});
