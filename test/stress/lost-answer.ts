/** The ways in which the answer of a publish is lost. */
import type { ProxyAction } from '../bed/proxy.ts';

/** What loses an answer tells, and can do. */
export interface LossPorts {
  /** The server has answered the publish. */
  readonly stored: (status: number) => void;
  /** What is to happen next is there. */
  readonly done: () => void;
  /** Resolves when a request that is on its way arrives; then `arrived` is to be called. */
  readonly delayed: () => { readonly when: Promise<void>; readonly arrived: () => void };
  /** Ends the signer. */
  readonly kill: () => void;
  /** The signer will hear nothing. */
  readonly silence: () => void;
}

const never = (): Promise<void> => new Promise(() => undefined);

const refused =
  (status: number, headers: Readonly<Record<string, string>> = {}) =>
  ({ done }: LossPorts): ProxyAction => {
    done();
    return { kind: 'answer', status, body: 'sorry', headers };
  };

/** The server takes it; what then becomes of its answer. */
const taken =
  (lost: Partial<Extract<ProxyAction, { kind: 'forward' }>>) =>
  ({ stored, done }: LossPorts): ProxyAction => ({
    kind: 'forward',
    answered: (status) => {
      stored(status);
      done();
    },
    ...lost,
  });

/** By name, what the proxy does with the publish. */
export const LOSSES = {
  none: taken({}),
  '504, not stored': refused(504),
  '429, not stored': refused(429, { 'retry-after': '0' }),
  '504, stored': taken({ becomes: { status: 504, body: 'sorry' } }),
  '504, stored later': ({ stored, done, delayed }: LossPorts): ProxyAction => {
    const { when, arrived } = delayed();
    done();
    const answered = (status: number): void => {
      stored(status);
      arrived();
    };
    return { kind: 'answer', status: 504, body: 'sorry', late: { when, answered } };
  },
  // A proxy that posts again by itself, and passes on what the server says to that.
  'sent twice, stored': taken({
    becomes: {
      status: 400,
      body: '{"errors":[{"code":"VERSION","message":"A newer version of metadata is already available."}]}',
    },
  }),
  'reset, not stored': ({ done }: LossPorts): ProxyAction => {
    done();
    return { kind: 'reset' };
  },
  'reset, stored': taken({ loses: 'answer' }),
  'half an answer, stored': taken({ loses: 'half-answer' }),
  'silence, not stored': ({ done, silence }: LossPorts): ProxyAction => {
    silence();
    done();
    return { kind: 'hang' };
  },
  'silence, stored': ({ stored, done, silence }: LossPorts): ProxyAction => ({
    kind: 'forward',
    answered: (status) => {
      stored(status);
      silence();
      done();
      return never();
    },
  }),
  'killed, not stored': ({ done, kill }: LossPorts): ProxyAction => {
    kill();
    done();
    return { kind: 'hang' };
  },
  'killed, stored': ({ stored, done, kill }: LossPorts): ProxyAction => ({
    kind: 'forward',
    answered: (status) => {
      stored(status);
      kill();
      done();
      return never();
    },
  }),
} as const satisfies Record<string, (ports: LossPorts) => ProxyAction>;

export type Loss = keyof typeof LOSSES;
export const ALL_LOSSES = Object.keys(LOSSES) as [Loss, ...Loss[]];
