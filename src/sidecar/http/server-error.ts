import { parseObject } from '../../shared/json.ts';
import type { HttpResponse } from './http-message.ts';

/** Of what a server says, for people; characters. */
const LONGEST_TEXT = 300;

/** What an authorization header holds: a server may repeat that of the request in what it says. */
const AUTHORIZATION = /\b(basic|bearer)\s+\S+/gi;

function member(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}

/**
 * The first error of `{"errors":[{"code","message","detail"}]}`, as a Notary server or registry answers:
 * its code, a text for people, and the role whose file the server misses. Undefined when the answer is
 * something else.
 */
export function serverAnswer({ body }: HttpResponse) {
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
