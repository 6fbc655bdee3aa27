/** Signers of the same tag, whose requests go one by one in an order that is random or given. */
import type { Gun } from '../../src/shared/image-reference.ts';
import type { NotaryUrl } from '../../src/shared/notary-url.ts';
import { SigningError } from '../../src/shared/signing-error.ts';
import type { SigningKey } from '../../src/sidecar/tuf/publication.ts';
import { createHttpClient } from '../../src/sidecar/http/http-client.ts';
import { createNotaryClient } from '../../src/sidecar/notary/notary-client.ts';
import { readProxySettings } from '../../src/sidecar/http/proxy-settings.ts';
import { signRepository } from '../../src/sidecar/notary/sign-repository.ts';
import { startBed, type Bed } from '../bed/bed.ts';
import { FORWARD, startProxy, type ProxiedRequest, type ProxyAction } from '../bed/proxy.ts';
import { initRepository, keyFile } from '../bed/notary-repository.ts';
import { asPassword, openKeys } from '../support/private-key.ts';
import { LOSSES, type Loss, type LossPorts } from './lost-answer.ts';
import { Turns } from './turns.ts';
import { UNBOUNDED } from '../support/unbounded.ts';

/** What is to be played. */
export interface Play {
  /** Names of the signers, each of which signs an image of its own. */
  readonly signers: readonly string[];
  /** What becomes of the answer to each publish of a signer, in order; nothing more where it ends. */
  readonly losses: Readonly<Record<string, readonly Loss[]>>;
  /** What becomes of a request that reads; passed on by default. */
  readonly read?: () => ProxyAction;
  /** A tag of an earlier play; a new one by default. */
  readonly tag?: string;
  /** Who goes on. */
  readonly choose: (actors: readonly string[], stage: Stage) => string;
}

/** What was seen so far. */
export interface Stage {
  readonly events: readonly Event[];
  /** Whether a request or a pause of the signer waits. */
  isWaiting(actor: string): boolean;
}

/** What happened at the server, in order. */
export interface Event {
  /**
   * `posting`: a publish waits before the server; `posted`: it went on; `stored`: the server took it;
   * `read`: the server gave its timestamp; `ended`: the signer did.
   */
  readonly kind: 'posting' | 'posted' | 'stored' | 'read' | 'ended';
  readonly signer: string;
}

/** How it came out. */
export interface Played {
  readonly tag: string;
  readonly events: readonly Event[];
  /** What each signer says: `signed`, or the code of its failure; `killed` for one that was. */
  readonly said: ReadonlyMap<string, string>;
  readonly log: readonly string[];
}

/** A repository at a server in which many plays are played, each with a tag of its own. */
export interface Theatre {
  play(play: Play): Promise<Played>;
  /** What the notary CLI finds of all plays so far: the signer whose image a tag names. */
  judge(): Promise<ReadonlyMap<string, string>>;
  stop(): Promise<void>;
}

/** Requests that are still on their way when their sender has given up. */
export const LATE = 'late';
const SIGNERS = ['a', 'b', 'c'] as const;
/** Milliseconds after which a signer takes silence for a broken connection: others go on meanwhile. */
const SILENCE_LIMIT = 4_000;
/** Plays in one repository: longer metadata would only be slower. */
const PLAYS_IN_A_REPOSITORY = 50;

type Rule = (request: ProxiedRequest, over: Promise<void>) => Promise<ProxyAction>;

/** Opens a theatre; it is to be stopped. */
export async function openTheatre(storage: 'memory' | 'postgres'): Promise<Theatre> {
  const bed = await startBed({ storage });
  const rules = new Map<string, Rule>();
  const proxies = await Promise.all(
    SIGNERS.map(async (name) => {
      const rule: Rule = (request, over) =>
        rules.get(name)?.(request, over) ?? Promise.resolve(FORWARD);
      const options = { authority: bed.authority, target: bed.notary.url, rule };
      return [name, await startProxy(options)] as const;
    }),
  );
  const urls = new Map(proxies.map(([name, { url }]) => [name, url as NotaryUrl]));
  let repository = await openRepository(bed, 0);
  let plays = 0;
  const guns = new Set<Gun>([repository.gun]);
  return {
    play: async (play) => {
      if (plays > 0 && plays % PLAYS_IN_A_REPOSITORY === 0) {
        repository = await openRepository(bed, plays);
        guns.add(repository.gun);
      }
      return perform(play, { tag: play.tag ?? `t${plays++}`, ...repository, bed, urls, rules });
    },
    judge: async () => {
      const found = new Map<string, string>();
      for (const gun of guns) {
        for (const { tag, sha256 } of await bed.cli('judge').list(gun)) {
          found.set(tag, SIGNERS.find((name) => imageOf(name) === sha256) ?? sha256);
        }
      }
      return found;
    },
    stop: async () => {
      await Promise.all(proxies.map(([, proxy]) => proxy.stop()));
      await bed.stop();
    },
  };
}

interface Scenery {
  readonly tag: string;
  readonly gun: Gun;
  readonly keys: readonly SigningKey[];
  readonly bed: Bed;
  readonly urls: ReadonlyMap<string, NotaryUrl>;
  readonly rules: Map<string, Rule>;
}

async function openRepository(bed: Bed, number: number) {
  const gun = `registry.example.test/demo/theatre-${number}` as Gun;
  const owner = await initRepository(bed, gun);
  const files = Object.entries(await keyFile(owner, 'targets', gun));
  const { keys } = openKeys(
    files.map(([name, pem]) => ({ name, pem })),
    asPassword(owner.passphrase),
  );
  return { gun, keys };
}

async function perform(play: Play, scenery: Scenery): Promise<Played> {
  const { tag, gun, keys, bed, urls, rules } = scenery;
  const turns = new Turns();
  const events: Event[] = [];
  const log: string[] = [];
  const said = new Map<string, string>();
  const stage: Stage = { events, isWaiting: (actor) => turns.isWaiting(actor) };

  const sign = async (name: string): Promise<void> => {
    const stop = new AbortController();
    let posts = 0;
    const portsOf = (done: () => void): LossPorts => ({
      done,
      stored: (status) => {
        if (status === 200) events.push({ kind: 'stored', signer: name });
      },
      delayed: () => {
        let arrive = (): void => undefined;
        let arrived = (): void => undefined;
        const when = new Promise<void>((resolve) => (arrive = resolve));
        const over = new Promise<void>((resolve) => (arrived = resolve));
        const release = (): Promise<void> => (arrive(), over);
        turns.arrive({ actor: LATE, release });
        return { when, arrived: () => arrived() };
      },
      kill: () => {
        stop.abort(new SigningError('TERMINATED', 'killed'));
      },
      silence: () => turns.ignore(name),
    });
    const act = ({ method, path }: ProxiedRequest, done: () => void): ProxyAction => {
      if (method === 'POST') {
        events.push({ kind: 'posted', signer: name });
        return LOSSES[play.losses[name]?.[posts++] ?? 'none'](portsOf(done));
      }
      const action = play.read?.() ?? FORWARD;
      if (action.kind !== 'forward') {
        done();
        return action;
      }
      const answered = (): void => {
        if (path.endsWith('/timestamp.json')) events.push({ kind: 'read', signer: name });
        done();
      };
      return { ...action, answered };
    };
    rules.set(
      name,
      (request, over) =>
        new Promise((take) => {
          if (request.method === 'POST') events.push({ kind: 'posting', signer: name });
          const acted = () => new Promise<void>((done) => take(act(request, done)));
          const release = () => Promise.race([acted(), over]);
          turns.arrive({ actor: name, release });
        }),
    );
    const pause = () =>
      new Promise<boolean>((resolve, reject) => {
        stop.signal.addEventListener('abort', () => reject(stop.signal.reason as Error));
        turns.arrive({ actor: name, release: () => Promise.resolve(resolve(true)) });
      });
    const tell = (message: string) => void log.push(`${name}: ${message}`);
    const http = createHttpClient({
      ca: [bed.authority.certificatePem],
      proxy: readProxySettings({}),
      signal: stop.signal,
      silenceLimit: SILENCE_LIMIT,
    });
    const url = urls.get(name) ?? ('' as NotaryUrl);
    const credentials = { find: () => Promise.resolve(undefined), absence: 'there are none' };
    const receipt = await signRepository(
      { gun, targets: [{ tag, sha256: imageOf(name), length: 7 }] },
      {
        url,
        client: createNotaryClient({ http, url, gun, credentials, ...UNBOUNDED }),
        keys,
        unopened: [],
        rootPins: [],
        now: () => new Date(),
        pause,
        log: { step: tell, warn: tell },
        dryRun: false,
        beforePublish: () => Promise.resolve(),
        ...UNBOUNDED,
      },
    );
    http.close();
    tell(`${receipt.result} ${receipt.code ?? ''} ${receipt.message ?? ''}`);
    said.set(name, stop.signal.aborted ? 'killed' : (receipt.code ?? receipt.result));
    events.push({ kind: 'ended', signer: name });
  };

  for (const name of play.signers) turns.join(name, () => sign(name));
  await turns.play((actors) => play.choose(actors, stage));
  return { tag, events, said, log };
}

/** The digest of a signer's image. */
function imageOf(name: string): string {
  return Buffer.from(name).toString('hex').padEnd(64, '0');
}

/**
 * What is wrong with how it came out; empty when all is well.
 *
 * @param found the signer whose image the tag names in the end
 */
export function complaints({ events, said }: Played, found: string | undefined): readonly string[] {
  const wrong: string[] = [];
  const stored = events.filter(({ kind }) => kind === 'stored').map(({ signer }) => signer);
  const last = stored.at(-1);
  if (found !== last) wrong.push(`${last ?? 'nobody'} published last, and the tag is of ${found}`);
  for (const [signer, word] of said) {
    const own = stored.filter((name) => name === signer).length;
    // An older build that publishes again over a newer signature.
    if (own > 1) wrong.push(`${signer} published ${own} times: ${stored.join(' ')}`);
    if (word === 'signed' && own === 0) wrong.push(`${signer} says signed, and published nothing`);
    if (word === 'killed' || own === 0) continue;
    const at = events.findIndex((event) => event.kind === 'stored' && event.signer === signer);
    const isAfterEnd = events.slice(0, at).some((e) => e.kind === 'ended' && e.signer === signer);
    if (isAfterEnd) continue;
    const rest = events.slice(at + 1);
    const next = rest.findIndex(({ kind }) => kind === 'stored');
    const before = next < 0 ? rest : rest.slice(0, next);
    const wasRead = before.some((event) => event.kind === 'read' && event.signer === signer);
    const allowed =
      next < 0 ? ['signed'] : wasRead ? ['signed', 'TAG_SUPERSEDED'] : ['TAG_SUPERSEDED'];
    if (!allowed.includes(word))
      wrong.push(`${signer} says ${word}, and not ${allowed.join(' or ')}`);
  }
  return wrong;
}
