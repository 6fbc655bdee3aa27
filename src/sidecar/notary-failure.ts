import type { Gun } from '../shared/image-reference.ts';
import type { NotaryUrl } from '../shared/notary-url.ts';
import { SigningError } from '../shared/signing-error.ts';
import type { HttpResponse } from './http-client.ts';

/** The first error of a Notary server's answer. */
export interface ServerAnswer {
  readonly code: string;
  /** What the server says, for people: at most a few hundred characters. */
  readonly text: string;
  /** The role whose file the server misses. */
  readonly missing: unknown;
}

const LONGEST_TEXT = 300;

/** Reads `{"errors":[{"code","message","detail"}]}`; undefined when it is something else. */
export function serverAnswer({ body }: HttpResponse): ServerAnswer | undefined {
  const error = member(member(parseJson(body), 'errors'), '0');
  const code = member(error, 'code');
  if (typeof code !== 'string') return undefined;
  const detail = member(error, 'detail');
  const reason = member(detail, 'Error');
  const words = [member(error, 'message'), member(reason, 'Msg') ?? detail].filter(
    (word) => typeof word === 'string' && word !== '',
  );
  return {
    code,
    text: `${code}: ${words.join(': ')}`.slice(0, LONGEST_TEXT),
    missing: member(reason, 'Missing'),
  };
}

/** What a refused publish means. */
export function publishFailure(url: NotaryUrl, gun: Gun, answer: HttpResponse): SigningError {
  const { status } = answer;
  const said = serverAnswer(answer);
  const where = `${url} did not take the metadata of ${gun}`;
  const message = `${where} (HTTP ${status}${said ? `, ${said.text}` : ''})`;
  if (status === 401) return new SigningError('PUSH_DENIED', message);
  if (said?.code === 'VERSION' || said?.code === 'UPDATING') {
    return new SigningError('PUBLISH_CONFLICT', message);
  }
  if (said?.missing === 'snapshot') {
    return new SigningError('SNAPSHOT_KEY_NOT_ON_SERVER', message, {
      fix: `Run: notary -s ${url} key rotate ${gun} snapshot -r`,
    });
  }
  if (said?.code === 'INVALID_ROLE') {
    return new SigningError('PUBLISH_REJECTED', message, {
      fix: 'This notary-server cannot accept delegations (a known fault of some builds): update it.',
    });
  }
  if (said?.code === 'INVALID_GUN') {
    return new SigningError('PUBLISH_REJECTED', message, {
      fix: 'Use a repository name that the server allows (its repositories.gun_prefixes).',
    });
  }
  if (status >= 500) return new SigningError('SERVER_FAILED', message);
  return new SigningError('PUBLISH_REJECTED', message);
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString());
  } catch {
    return undefined;
  }
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}
