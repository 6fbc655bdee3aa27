/** A bed whose Notary server wants tokens, and is as far away as its token server. */
import { startBed } from '../test/bed/bed.ts';
import { startRelay, type Relay } from '../test/bed/relay.ts';
import { createSigningRepository, type SigningRepository } from './signing-repository.ts';

/** A repository behind the way. */
export interface TokenSetup {
  /** Of the server, at its distance. */
  readonly url: string;
  readonly repository: SigningRepository;
  stop(): Promise<void>;
}

const ROBOT = { username: 'robot', password: 'robot-password' };

/** @param roundTrip to either server, in milliseconds */
export async function startTokenSetup(roundTrip: number): Promise<TokenSetup> {
  const relays: Relay[] = [];
  const before = async (target: string): Promise<string> => {
    const relay = await startRelay({ target, roundTrip });
    relays.push(relay);
    return relay.url;
  };
  const bed = await startBed({
    auth: {
      accounts: { [ROBOT.username]: { password: ROBOT.password, actions: ['pull', 'push', '*'] } },
      anonymous: ['pull'],
      realm: before,
    },
  });
  const stop = async (): Promise<void> => {
    await Promise.all(relays.map((relay) => relay.stop()));
    await bed.stop();
  };
  try {
    const repository = await createSigningRepository(bed, 'registry.example.com/far/app', ROBOT);
    return { url: await before(bed.notary.url), repository, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
