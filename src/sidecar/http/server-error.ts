import { parseObject } from '../../shared/json.ts';
import type { HttpResponse } from './http-message.ts';

/** The first error of a Notary server's answer. */
export interface ServerAnswer {
  readonly code: string;
  /** What the server says, for people: at most a few hundred characters. */
  readonly text: string;
  /** The role whose file the server misses. */
  readonly missing: unknown;
}

const LONGEST_TEXT = 300;

/** What an authorization header holds: a server may repeat that of the request in what it says. */
const AUTHORIZATION = /\b(basic|bearer)\s+\S+/gi;

function member(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}

/** Reads `{"errors":[{"code","message","detail"}]}`; undefined when it is something else. */
export function serverAnswer({ body }: HttpResponse): ServerAnswer | undefined {
  const error = member(parseObject(body)?.['errors'], '0');
  const code = member(error, 'code');
  if (typeof code !== 'string') return undefined;
  const detail = member(error, 'detail');
  const reason = member(detail, 'Error');
  const words = [member(error, 'message'), member(reason, 'Msg') ?? detail].filter(
    (word) => typeof word === 'string' && word !== '',
  );
  return {
    code,
    text: `${code}: ${words.join(': ')}`.replace(AUTHORIZATION, '$1 …').slice(0, LONGEST_TEXT),
    missing: member(reason, 'Missing'),
  };
}
