/** What goes over the network to sign: bytes, and requests. */
import type { Bed } from '../test/bed/bed.ts';
import { FORWARD, startProxy } from '../test/bed/proxy.ts';
import { startRelay, type Traffic } from '../test/bed/relay.ts';
import {
  coldNotaryCli,
  forTags,
  NOTARY_CLI,
  signer,
  SIGNER,
  type Contestant,
} from './contestants.ts';
import { interleave } from './interleaving.ts';
import { createSigningRepository } from './signing-repository.ts';
import type { Measurement } from './table.ts';

const COUNTS = [1, 3, 20];

/** What one signing took. */
interface Traversal extends Readonly<Traffic> {
  readonly requests: number;
}

/** Signing 1, 3 and 20 tags, against the notary CLI without a cache. */
export async function measureTraffic(bed: Bed, rounds: number): Promise<readonly Measurement[]> {
  const contestants = await Promise.all(
    COUNTS.map(async (count) => {
      const gun = `registry.example.com/traffic/app-${count}`;
      return { count, repository: await createSigningRepository(bed, gun) };
    }),
  );
  const ways = contestants.flatMap(({ count, repository }) => [
    { name: forTags('signer', count), what: SIGNER, count, who: signer(repository) },
    { name: forTags('notary CLI', count), what: NOTARY_CLI, count, who: coldNotaryCli(repository) },
  ]);
  const probes = ways.map(
    ({ name, count, who }) => [name, () => traverse(bed, who, count)] as const,
  );
  const values: Readonly<Record<string, readonly Traversal[]>> = await interleave(
    rounds,
    Object.fromEntries(probes),
    0,
  );
  const table = (title: string, unit: string, figure: keyof Traversal): Measurement => ({
    title,
    unit,
    better: 'lower',
    subjects: ways.map(({ name, what }) => ({
      name,
      what,
      values: (values[name] ?? []).map((traversal) => traversal[figure]),
    })),
    ratios: COUNTS.map((count) => [forTags('signer', count), forTags('notary CLI', count)]),
  });
  return [
    table('Bytes sent to sign, TLS included', 'bytes', 'bytesToServer'),
    table('Bytes received to sign, TLS included', 'bytes', 'bytesToClient'),
    table('Connections opened to sign', 'connections', 'connections'),
    table('Requests sent to sign', 'requests', 'requests'),
  ];
}

/** Signs through a relay, which counts bytes, and again through a proxy, which counts requests. */
async function traverse({ authority, notary }: Bed, who: Contestant, count: number) {
  const relay = await startRelay({ target: notary.url });
  const proxy = await startProxy({ authority, target: notary.url, rule: () => FORWARD });
  try {
    await who.sign(count, relay.url);
    await who.sign(count, proxy.url);
    return { ...relay.traffic, requests: proxy.requests.length };
  } finally {
    await Promise.all([relay.stop(), proxy.stop()]);
  }
}
