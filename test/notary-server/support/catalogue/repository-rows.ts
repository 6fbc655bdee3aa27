/** Rows: keys and metadata that do not fit, and repositories that are not in order. */
import {
  forge,
  forger,
  inMilliseconds,
  makeDelegationKey,
  ownersKey,
  passed,
} from '../../../support/catalogue/forgery.ts';
import type { SigningKey } from '../../../../src/sidecar/tuf/publication.ts';
import {
  delegate,
  reportOf,
  type Row,
  type TestRepository,
} from '../../../support/catalogue/test-repository.ts';
import { secretOf } from '../../../bed/notary-repository.ts';
import { FORWARD, type ProxiedRequest, type ProxyAction } from '../../../bed/proxy.ts';

const RELEASES = 'targets/releases';
const WRONG_PIN = 'f'.repeat(64);

/** How long a role that is to expire lives: long enough for the server to take it. */
const SHORT_LIFE_MS = 2500;
/** Fractions of a second that Go writes in another way: the server stores bytes that it does not hash. */
const brickingExpiry = (signed: { [name: string]: unknown }) => {
  signed['expires'] = '2029-01-01T00:00:00.500Z';
};

export const REPOSITORY_ROWS: readonly Row[] = [
  {
    what: 'a wrong password',
    arrange: ({ secret }) => ({
      run: { secret: { ...secret, 'notary-password.txt': 'canary-wrong-password' } },
    }),
    code: 'KEY_PASSWORD_WRONG',
    attempts: 0,
    then: 'not signed',
  },
  {
    what: 'a key that fits no role',
    arrange: async (repository) => ({
      run: { secret: { ...(await strangersSecret(repository)) } },
    }),
    code: 'KEY_NOT_IN_ROLE',
    says: /no role lets the keys of the signing Secret \([0-9a-f]{64}\) sign 1; targets \(threshold 1\) lists [0-9a-f]{64}/,
    fix: /`notary -s <url> delegation add/,
    attempts: 0,
    then: 'not signed',
  },
  {
    what: 'a tag outside the paths of our delegation',
    changes: true,
    arrange: async (repository) => {
      const key = makeDelegationKey(repository, 'paths');
      return { run: { secret: await delegate(repository, RELEASES, key, ['v', 'rc']) } };
    },
    code: 'KEY_NOT_IN_ROLE',
    says: /targets\/releases \(threshold 1\) lists [0-9a-f]{64} for tags that begin with (?:v or rc|rc or v)/,
    attempts: 0,
    then: 'not signed',
  },
  {
    what: 'a snapshot key that is not on the server',
    changes: true,
    arrange: async ({ bed, gun }) => {
      const local = `${gun}-local`;
      const owner = bed.cli('local-snapshot');
      await owner.init(local);
      await owner.publish(local);
      return { run: { secret: await secretOf(bed, owner, local), report: reportOf(local) } };
    },
    code: 'SNAPSHOT_KEY_NOT_ON_SERVER',
    fix: /notary -s https:\S+ key rotate \S+-local snapshot -r/,
    attempts: 1,
    then: 'not signed',
  },
  {
    what: 'a root that is not the pinned one',
    arrange: () => ({ run: { args: [`--root-pin=${WRONG_PIN}`] } }),
    code: 'ROOT_PIN_MISMATCH',
    says: /the root keys of \S+ are [0-9a-f]{64}; pinned: f{64}/,
    attempts: 0,
    then: 'not signed',
  },
  {
    what: 'the root of another repository',
    arrange: ({ gun }) => ({
      run: { report: reportOf(`${gun}-mirror`) },
      rule: ({ path }: ProxiedRequest): ProxyAction => ({
        kind: 'forward',
        path: path.replace(`${gun}-mirror`, gun),
      }),
    }),
    code: 'ROOT_NAME_MISMATCH',
    attempts: 0,
    then: 'not signed',
  },
  {
    what: 'a delegation of ours that has expired: it is signed again',
    changes: true,
    arrange: async (repository) => {
      const key = makeDelegationKey(repository, 'expired');
      const secret = await delegate(repository, RELEASES, key);
      await expire(repository, RELEASES, forger(key.pem));
      return { run: { secret } };
    },
    says: /targets\/releases\.json expired at .*; targets\/releases is signed again/,
    attempts: 1,
    then: 'signed',
  },
  {
    what: 'targets of ours that have expired: they are signed again',
    changes: true,
    arrange: async (repository) => {
      await expire(repository, 'targets', await ownersKey(repository, 'targets'));
      return {};
    },
    says: /targets\.json expired at .*; targets is signed again/,
    attempts: 1,
    then: 'signed',
  },
  {
    what: 'targets of the owner that have expired above our delegation',
    changes: true,
    arrange: async (repository) => {
      const secret = await delegate(repository, RELEASES, makeDelegationKey(repository, 'below'));
      await expire(repository, 'targets', await ownersKey(repository, 'targets'));
      return { run: { secret } };
    },
    code: 'METADATA_EXPIRED',
    says: /targets\.json expired at/,
    fix: /No notary command renews expired targets.* then build again/,
    attempts: 0,
    then: 'nothing: the repository is unreadable',
  },
  {
    what: 'targets that have expired above our delegation, with the key of targets beside its own',
    changes: true,
    arrange: async (repository) => {
      const secret = await delegate(repository, RELEASES, makeDelegationKey(repository, 'both'));
      await expire(repository, 'targets', await ownersKey(repository, 'targets'));
      return { run: { secret: { ...repository.secret, ...secret } } };
    },
    says: /targets\.json expired at .*; targets is signed again/,
    attempts: 1,
    then: 'signed',
  },
  {
    what: 'a root that has expired',
    changes: true,
    arrange: async (repository) => {
      await expire(repository, 'root', await ownersKey(repository, 'root'));
      return {};
    },
    code: 'METADATA_EXPIRED',
    says: /root\.json expired at/,
    fix: /^No command renews an expired root/,
    attempts: 0,
    then: 'nothing: the repository is unreadable',
  },
  {
    what: 'a role that was published with bytes that the server writes differently',
    changes: true,
    arrange: async (repository) => {
      const key = await ownersKey(repository, 'targets');
      await forge(repository, 'targets', key, { content: brickingExpiry });
      return {};
    },
    code: 'METADATA_INCONSISTENT',
    says: /the server lists targets\.json with SHA-256 [0-9a-f]{64}, and does not have it/,
    fix: /No client can read this repository: targets was published/,
    attempts: 0,
    then: 'nothing: the repository is unreadable',
  },
  {
    what: "somebody else's delegation that was published so",
    changes: true,
    arrange: async (repository) => {
      const ours = await delegate(repository, RELEASES, makeDelegationKey(repository, 'ours'));
      const theirs = makeDelegationKey(repository, 'theirs');
      await delegate(repository, 'targets/theirs', theirs);
      await forge(repository, 'targets/theirs', forger(theirs.pem), { content: brickingExpiry });
      return { run: { secret: ours } };
    },
    code: 'METADATA_INCONSISTENT',
    says: /targets\/theirs\.json/,
    attempts: 0,
    then: 'nothing: the repository is unreadable',
  },
  {
    what: 'a delegation whose keys were replaced after it was signed',
    changes: true,
    arrange: async (repository) => {
      const { owner, gun } = repository;
      const before = makeDelegationKey(repository, 'before');
      await delegate(repository, RELEASES, before);
      await forge(repository, RELEASES, forger(before.pem), {});
      const secret = await delegate(repository, RELEASES, makeDelegationKey(repository, 'after'));
      await owner.run(['delegation', 'remove', gun, RELEASES, forger(before.pem).canonicalId]);
      await owner.publish(gun);
      return { run: { secret } };
    },
    code: 'METADATA_INVALID',
    says: /targets\/releases\.json has 0 valid signatures by its keys, and needs 1/,
    fix: /`notary -s https:\S+ witness \S+ targets\/releases && /,
    attempts: 0,
    then: 'not signed',
  },
  {
    what: 'a delegation that the snapshot lost, and the server did not',
    changes: true,
    arrange: async (repository) => {
      const { owner, gun } = repository;
      const key = makeDelegationKey(repository, 'again');
      const local = `${gun}-removed`;
      await owner.init(local);
      await owner.publish(local);
      const own = { ...repository, gun: local };
      const secret = await delegate(own, 'targets/again', key);
      await owner.keyImport(key.file, 'again');
      await owner.addHash(local, 'earlier', 3, 'b'.repeat(64), ['targets/again']);
      await owner.publish(local);
      await owner.run(['delegation', 'remove', local, 'targets/again', '--yes']);
      await owner.publish(local);
      await delegate(own, 'targets/again', key);
      await owner.rotateSnapshotToServer(local);
      return { run: { secret, report: reportOf(local) } };
    },
    says: /snapshot\.json does not list targets\/again; targets\/again is signed again/,
    attempts: 2,
    then: 'signed',
  },
  {
    what: 'a role with data of others beside its targets',
    changes: true,
    arrange: async (repository) => {
      const key = makeDelegationKey(repository, 'unknown');
      const secret = await delegate(repository, RELEASES, key);
      await forge(repository, RELEASES, forger(key.pem), {
        content: (signed) => {
          signed['targets'] = { v9: { hashes: { sha256: 'qg==' }, length: 1, custom: { a: 1 } } };
        },
      });
      return { run: { secret } };
    },
    attempts: 1,
    then: 'signed',
  },
  {
    what: 'a key that is taken from its role between reading and publishing',
    changes: true,
    arrange: async (repository) => {
      const { owner, gun } = repository;
      const key = makeDelegationKey(repository, 'taken');
      const secret = await delegate(repository, RELEASES, key);
      let isFirst = true;
      const rule = async ({ method }: ProxiedRequest): Promise<ProxyAction> => {
        if (method === 'POST' && isFirst) {
          isFirst = false;
          const other = makeDelegationKey(repository, 'successor');
          await owner.delegationAdd(gun, RELEASES, other.publicFile);
          await owner.publish(gun);
          await owner.run(['delegation', 'remove', gun, RELEASES, forger(key.pem).canonicalId]);
          await owner.publish(gun);
        }
        return FORWARD;
      };
      return { run: { secret }, rule };
    },
    code: 'KEY_NOT_IN_ROLE',
    says: /publishing again, since the repository changed meanwhile/,
    attempts: 1,
    then: 'not signed',
  },
  {
    what: 'a delegation that is removed between reading and publishing',
    changes: true,
    arrange: async (repository) => {
      const { owner, gun } = repository;
      const secret = await delegate(repository, RELEASES, makeDelegationKey(repository, 'removed'));
      let isFirst = true;
      const rule = async ({ method }: ProxiedRequest): Promise<ProxyAction> => {
        if (method === 'POST' && isFirst) {
          isFirst = false;
          await owner.run(['delegation', 'remove', gun, RELEASES, '--yes']);
          await owner.publish(gun);
        }
        return FORWARD;
      };
      return { run: { secret }, rule };
    },
    code: 'KEY_NOT_IN_ROLE',
    attempts: 1,
    then: 'not signed',
  },
];

/** Rows of a notary-signer behind the server. */
export const SIGNER_ROWS: readonly Row[] = [
  {
    what: 'a notary-signer that is down',
    changes: true,
    arrange: async ({ bed }) => {
      await bed.signer?.kill();
      return {};
    },
    code: 'SERVER_FAILED',
    says: /Unavailable/,
    fix: /notary-server cannot reach its notary-signer/,
    attempts: 5,
    then: 'not signed',
  },
  {
    what: 'a notary-signer that came back without its keys',
    changes: true,
    arrange: async ({ bed }) => {
      await bed.signer?.restart();
      return {};
    },
    code: 'SNAPSHOT_KEY_NOT_ON_SERVER',
    fix: /key rotate \S+ snapshot -r/,
    // The server notices only after a while that its signer is back.
    attempts: [1, 5],
    then: 'not signed',
  },
  {
    what: 'a notary-signer that hangs',
    changes: true,
    arrange: ({ bed }) => {
      bed.signer?.freeze();
      return { run: { args: ['--deadline=3'] }, mend: () => bed.signer?.thaw() };
    },
    code: 'READ_BACK_FAILED',
    says: /it is not known whether/,
    attempts: 1,
    then: 'not signed',
  },
];

async function strangersSecret({ bed }: TestRepository): Promise<Record<string, string>> {
  const stranger = bed.cli('stranger');
  const gun = 'registry.example.test/catalogue/strangers';
  await stranger.init(gun);
  return secretOf(bed, stranger, gun);
}

/** Has a role signed for a short life, and waits until that is over. */
async function expire(repository: TestRepository, role: string, by: SigningKey): Promise<void> {
  const end = inMilliseconds(SHORT_LIFE_MS);
  await forge(repository, role, by, {
    content: (signed) => (signed['expires'] = `${end.toISOString().slice(0, 19)}Z`),
  });
  await passed(end);
}
