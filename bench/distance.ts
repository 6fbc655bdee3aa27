/**
 * Signing at a server that is far away: how long it takes, and how many round trips it waits for one
 * after the other. A relay makes the way longer; the same at two distances tells what of the time is
 * the way.
 */
import type { Bed } from '../test/bed/bed.ts';
import { startRelay, type Relay } from '../test/bed/relay.ts';
import {
  coldNotaryCli,
  forTags,
  NOTARY_CLI,
  signer,
  SIGNER,
  type Contestant,
} from './contestants.ts';
import { interleave } from './interleaving.ts';
import {
  createDelegatedRepository,
  createSigningRepository,
  type SigningRepository,
} from './signing-repository.ts';
import type { Measurement, Subject } from './table.ts';
import { startTokenSetup } from './token-setup.ts';

/** Times of a round trip, in milliseconds. */
const NEAR = 20;
const FAR = 120;
/** What the round trips of the signer may be. */
const PROMISED = 5;

/** What to measure. */
export interface DistanceOptions {
  readonly rounds: number;
  /** Numbers of tags that are signed at once. */
  readonly counts: readonly number[];
}

/** A way to sign, and the server's URL at either distance. */
interface Way {
  readonly name: string;
  readonly what: string;
  readonly count: number;
  /** Sequential round trips that are promised. */
  readonly promised?: number;
  readonly near: Place;
  readonly far: Place;
}

interface Place {
  readonly url: string;
  readonly who: Contestant;
}

/** Wall time near and far, and the round trips between them; against the notary CLI. */
export async function measureDistance(
  bed: Bed,
  { rounds, counts }: DistanceOptions,
): Promise<readonly Measurement[]> {
  const parts: { stop(): Promise<void> }[] = [];
  const keep = <T extends { stop(): Promise<void> }>(part: T): T => {
    parts.push(part);
    return part;
  };
  try {
    const relays = {
      near: keep(await startRelay({ target: bed.notary.url, roundTrip: NEAR })),
      far: keep(await startRelay({ target: bed.notary.url, roundTrip: FAR })),
    };
    const ways = [
      ...plainWays(
        await createSigningRepository(bed, 'registry.example.com/far/app'),
        relays,
        counts,
      ),
      delegatedWay(
        await createDelegatedRepository(bed, 'registry.example.com/far/many', ['alice', 'bob']),
        relays,
      ),
      tokenWay(keep(await startTokenSetup(NEAR)), keep(await startTokenSetup(FAR))),
    ];
    return tables(ways, counts, await run(ways, rounds));
  } finally {
    await Promise.all(parts.map((part) => part.stop()));
  }
}

function plainWays(
  repository: SigningRepository,
  { near, far }: { readonly near: Relay; readonly far: Relay },
  counts: readonly number[],
): Way[] {
  const at = (who: Contestant) => ({ near: { url: near.url, who }, far: { url: far.url, who } });
  const [ours, theirs] = [at(signer(repository)), at(coldNotaryCli(repository))];
  return counts.flatMap((count) => [
    { name: forTags('signer', count), what: SIGNER, count, promised: PROMISED, ...ours },
    { name: forTags('notary CLI', count), what: NOTARY_CLI, count, ...theirs },
  ]);
}

function delegatedWay(
  repository: SigningRepository,
  { near, far }: { readonly near: Relay; readonly far: Relay },
): Way {
  const who = signer(repository);
  return {
    name: 'signer, delegations',
    what: 'the same, one tag, in targets/releases and the first of two more delegations',
    count: 1,
    promised: PROMISED + 1,
    near: { url: near.url, who },
    far: { url: far.url, who },
  };
}

function tokenWay(
  near: { readonly url: string; readonly repository: SigningRepository },
  far: { readonly url: string; readonly repository: SigningRepository },
): Way {
  return {
    name: 'signer, tokens',
    what: 'the same, one tag, and a token from a server that is as far away',
    count: 1,
    near: { url: near.url, who: signer(near.repository) },
    far: { url: far.url, who: signer(far.repository) },
  };
}

/** What a way took in every round. */
type Times = Readonly<
  Record<string, readonly { readonly whole: number; readonly network: number }[]>
>;

async function run(ways: readonly Way[], rounds: number): Promise<Times> {
  const probes = ways.flatMap(({ name, count, near, far }) => [
    [`${name}, near`, () => near.who.sign(count, near.url)] as const,
    [`${name}, far`, () => far.who.sign(count, far.url)] as const,
  ]);
  const times = await interleave(rounds, Object.fromEntries(probes), rounds > 1 ? 1 : 0);
  for (const { near, far } of ways) {
    await near.who.demandSigned();
    await far.who.demandSigned();
  }
  return times;
}

function tables(ways: readonly Way[], counts: readonly number[], times: Times): Measurement[] {
  const ratios = counts.map(
    (count) => [forTags('signer', count), forTags('notary CLI', count)] as const,
  );
  const subjects = (value: (name: string) => readonly number[]): Subject[] =>
    ways.map(({ name, what }) => ({ name, what, values: value(name) }));
  const at = (distance: 'near' | 'far') => (name: string) =>
    (times[`${name}, ${distance}`] ?? []).map(({ whole }) => whole);
  const slope = (name: string) => {
    const near = times[`${name}, near`] ?? [];
    const far = times[`${name}, far`] ?? [];
    return far.map(({ network }, i) => (network - (near[i]?.network ?? NaN)) / (FAR - NEAR));
  };
  const promising = ({ name, what, promised }: Way): Subject => ({
    name,
    what: promised === undefined ? what : `promised: ${promised}; ${what}`,
    values: slope(name),
  });
  return [
    {
      title: `Sequential round trips, TCP and TLS included: what a millisecond more of each costs`,
      unit: `ms (${FAR} against ${NEAR} ms)`,
      better: 'lower',
      subjects: ways.map(promising),
      ratios,
    },
    ...(['near', 'far'] as const).map((distance) => ({
      title: `Signing at ${distance === 'near' ? NEAR : FAR} ms of round-trip time, whole processes`,
      unit: 'ms',
      better: 'lower' as const,
      subjects: subjects(at(distance)),
      ratios,
    })),
  ];
}
