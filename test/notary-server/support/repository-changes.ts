/** What owners of a repository do to it with their tools, after our signer published. */
import {
  delegationKey,
  publish,
  sign,
  type ShapedRepository,
} from '../../support/shaped-repository.ts';

/** One thing that an owner does. */
export interface Change {
  readonly what: string;
  /** Whether it makes sense where it is to be made; everywhere by default. */
  readonly fits?: (repository: ShapedRepository) => boolean;
  readonly make: (repository: ShapedRepository) => Promise<void>;
}

const RELEASES = 'targets/releases';
const isDelegated = ({ delegations }: ShapedRepository) => delegations.length > 0;
/** Where docker finds what we sign. */
const isReleased = ({ delegations }: ShapedRepository) =>
  delegations.length === 0 || delegations.includes(RELEASES);
const ours = ({ delegations }: ShapedRepository) =>
  delegations.length === 0 ? ['targets'] : delegations;
const rotation = (role: 'root' | 'targets' | 'snapshot' | 'timestamp'): Change => ({
  what: `notary key rotate ${role}`,
  make: ({ notary, gun }) => notary.rotateKey(gun, role),
});

/** In an order in which each can be made. */
export const CHANGES: readonly Change[] = [
  {
    what: 'notary publish, in targets',
    make: (repository) => publish(repository, 'by-the-owner'),
  },
  {
    what: 'notary publish, in what we sign',
    fits: isDelegated,
    make: async (repository) => {
      for (const role of ours(repository)) {
        await publish(repository, `${repository.prefix}beside-ours`, role);
      }
    },
  },
  {
    what: 'notary remove, of a tag that we signed',
    make: async (repository) => {
      const { notary, gun, contents, prefix } = repository;
      await notary.remove(gun, `${prefix}0`, ours(repository));
      await notary.publish(gun);
      contents.delete(`${prefix}0`);
    },
  },
  {
    what: 'notary witness, of what we sign',
    make: async (repository) => {
      const { notary, gun } = repository;
      await notary.witness(gun, ours(repository));
      await notary.publish(gun);
    },
  },
  rotation('timestamp'),
  rotation('snapshot'),
  rotation('targets'),
  rotation('root'),
  {
    what: 'notary delegation add, for somebody else who publishes',
    fits: isDelegated,
    make: async (repository) => {
      const { notary, gun } = repository;
      const { publicFile } = await delegationKey(repository, 'somebody');
      await notary.delegationAdd(gun, 'targets/somebody', publicFile);
      await notary.publish(gun);
      await publish(repository, 'by-somebody', 'targets/somebody');
    },
  },
  {
    what: 'notary delegation remove, of somebody else',
    fits: isDelegated,
    make: async ({ notary, gun, contents }) => {
      await notary.delegationRemove(gun, 'targets/somebody');
      await notary.publish(gun);
      contents.delete('by-somebody');
    },
  },
  {
    what: 'notary delegation add and remove, of another key of what we sign',
    fits: isDelegated,
    make: async (repository) => {
      const { notary, gun, delegations, prefix } = repository;
      const { publicFile, keyFile } = await delegationKey(repository, 'colleague');
      const [id = ''] = Object.keys(keyFile);
      const [role = ''] = delegations;
      await notary.delegationAdd(gun, role, publicFile, prefix === '' ? undefined : [prefix]);
      await notary.publish(gun);
      const both = await sign(repository, `${prefix}between`);
      if (both.code !== 0) throw new Error(both.stdout);
      await notary.delegationRemove(gun, role, id.replace('.key', ''));
      await notary.publish(gun);
    },
  },
  {
    what: 'notary delegation add, where there was none, and its removal',
    fits: (repository) => !isDelegated(repository),
    make: async (repository) => {
      const { notary, gun } = repository;
      const { publicFile } = await delegationKey(repository, 'somebody');
      await notary.delegationAdd(gun, RELEASES, publicFile);
      await notary.publish(gun);
      const refused = await sign(repository, 'not-ours');
      if (refused.receipt.code !== 'KEY_NOT_IN_ROLE') throw new Error(refused.stdout);
      await notary.delegationRemove(gun, RELEASES);
      await notary.publish(gun);
    },
  },
  {
    what: 'docker trust sign, of a tag that we released',
    fits: isReleased,
    make: ({ docker, gun, prefix }) => docker.sign(`${gun}:${prefix}1`),
  },
  {
    what: 'docker trust signer add and remove, and what the signer signed too',
    fits: (repository) => isDelegated(repository) && isReleased(repository),
    make: async ({ docker, gun, prefix }) => {
      const { publicKeyFile } = await docker.keyGenerate('carol');
      await docker.signerAdd('carol', publicKeyFile, gun);
      await docker.sign(`${gun}:${prefix}1`);
      await docker.signerRemove('carol', gun);
    },
  },
  {
    what: 'docker trust revoke, of a tag that we released',
    fits: isReleased,
    make: async ({ docker, gun, prefix, contents }) => {
      await docker.revoke(`${gun}:${prefix}1`);
      contents.delete(`${prefix}1`);
    },
  },
];
