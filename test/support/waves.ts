/** Round trips of a run, counted: answers are held until all that does not need them is asked. */
import type { Authority } from '../bed/authority.ts';
import { FORWARD, startProxy, type ProxiedRequest, type ProxyAction } from '../bed/proxy.ts';
import { startRelay, type ConnectionAction } from '../bed/relay.ts';

/** Connecting, and the handshake of TLS 1.3. */
const ROUND_TRIPS_TO_CONNECT = 2;

/** What came while answers were held. */
export interface Waves {
  /** The requests of each wave, sorted. */
  readonly waves: readonly (readonly string[])[];
  /** One for each wave, and those to connect for each that met no free connection. */
  readonly roundTrips: number;
  /** All of them; more than the waves have when something was asked beside them. */
  readonly requests: number;
}

/** A server to which a run is made behind a proxy. */
export interface WavesOptions {
  readonly authority: Authority;
  /** Base URL of the server. */
  readonly target: string;
  /** How many requests each wave has. */
  readonly sizes: readonly number[];
  readonly nameOf: (request: ProxiedRequest) => string;
}

/**
 * Does something behind a proxy that holds the answers of a wave until all of its requests are there,
 * and connections until all of the first wave are. Who waits for an answer before it sends the next
 * request of the wave waits for ever.
 *
 * @param run gets the URL of the proxy
 */
export async function inWaves<T>(
  { authority, target, sizes, nameOf }: WavesOptions,
  run: (url: string) => Promise<T>,
): Promise<Waves & { readonly result: T }> {
  const [connections = 0] = sizes;
  const waves: string[][] = [];
  let roundTrips = 0;
  let connected = 0;
  const ends = sizes.map((_, i) => sizes.slice(0, i + 1).reduce((sum, size) => sum + size));
  const requests: { readonly name: string; readonly pass: () => void }[] = [];
  const proxy = await startProxy({
    authority,
    target,
    rule: (request) =>
      new Promise<ProxyAction>((resolve) => {
        requests.push({ name: nameOf(request), pass: () => resolve(FORWARD) });
        if (!ends.includes(requests.length)) return;
        const wave = requests.slice(ends[waves.length - 1] ?? 0);
        waves.push(wave.map(({ name }) => name).sort());
        const isConnecting = relay.traffic.connections > connected;
        connected = relay.traffic.connections;
        roundTrips += 1 + (isConnecting ? ROUND_TRIPS_TO_CONNECT : 0);
        for (const { pass } of wave) pass();
      }),
  });
  const arrivals: (() => void)[] = [];
  const relay = await startRelay({
    target: proxy.url,
    rule: () =>
      new Promise<ConnectionAction>((resolve) => {
        arrivals.push(() => resolve('forward'));
        if (arrivals.length >= connections) for (const arrival of arrivals) arrival();
      }),
  });
  try {
    const result = await run(relay.url);
    return { result, waves, roundTrips, requests: requests.length };
  } finally {
    await Promise.all([relay.stop(), proxy.stop()]);
  }
}
