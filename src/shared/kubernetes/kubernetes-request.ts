import type { Dispatcher } from 'undici';
import { ClusterError } from './cluster.ts';
import type { Access, AccessSource } from './kubernetes-access.ts';

/** An object in etcd is at most 1.5 MiB. */
const BODY_LIMIT_BYTES = 4 * 1024 * 1024;
/** What is asked for, and sent. */
export const JSON_TYPE = 'application/json';
const BROKEN = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

export interface Answer {
  readonly status: number;
  readonly body: string;
  /** The time by the clock of who answered, in milliseconds since 1970; a whole second. */
  readonly date: number | undefined;
}

/** What is asked of the API. */
export interface Request {
  readonly path: string;
  readonly accept: string;
  /** Gives up; its reason says why. */
  readonly signal: AbortSignal;
  /** What is to be written; without it, the path is read. */
  readonly write?: Write;
}

export interface Write {
  readonly method: 'POST' | 'PUT' | 'PATCH';
  readonly contentType: string;
  readonly body: string;
}

/**
 * Asks, and once more where a first failure says nothing about the second.
 *
 * @throws ClusterError when there is no answer
 */
export async function request(source: AccessSource, what: Request): Promise<Answer> {
  try {
    const answer = await requestOnce(await source.current(), what).catch(async (error: unknown) => {
      // A kept connection may break just as it is used; a read may be sent again.
      const isBroken = BROKEN.has((error as NodeJS.ErrnoException).code ?? '');
      if (!isBroken || what.write !== undefined) throw error;
      return requestOnce(await source.current(), what);
    });
    if (answer.status !== 401) return answer;
    // The token may have been replaced since it was read.
    source.forget();
    return await requestOnce(await source.current(), what);
  } catch (cause) {
    // Where several addresses were tried, there is a code alone.
    const { message, code = 'unknown' } = cause as NodeJS.ErrnoException;
    const failure = what.signal.aborted ? 'timeout' : 'error';
    const asked = `${what.write?.method ?? 'GET'} ${what.path}`;
    throw new ClusterError(`${asked} failed: ${message || code}`, { cause, failure });
  }
}

function requestOnce(
  { agent, origin, basePath, headers }: Access,
  { path, accept, signal, write }: Request,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let connection: Dispatcher.DispatchController | undefined;
    const giveUp = () => {
      const reason = signal.reason as Error;
      connection?.abort(reason);
      reject(reason);
    };
    const end = (error: Error) => {
      signal.removeEventListener('abort', giveUp);
      reject(error);
    };
    if (signal.aborted) return giveUp();
    signal.addEventListener('abort', giveUp, { once: true });
    const chunks: Buffer[] = [];
    let size = 0;
    let status = 0;
    let date: number | undefined;
    agent.dispatch(
      {
        origin,
        path: basePath + path,
        method: write?.method ?? 'GET',
        headers: {
          ...headers,
          accept,
          ...(write !== undefined && { 'content-type': write.contentType }),
        },
        ...(write !== undefined && { body: write.body }),
      },
      {
        onRequestStart: (controller) => {
          connection = controller;
          if (signal.aborted) controller.abort(signal.reason as Error);
        },
        onResponseStart: (_, statusCode, answered) => {
          status = statusCode;
          const time = Date.parse(String(answered['date']));
          date = Number.isNaN(time) ? undefined : time;
        },
        onResponseData: (controller, chunk) => {
          size += chunk.length;
          if (size > BODY_LIMIT_BYTES) controller.abort(new Error('the answer is too long'));
          else chunks.push(chunk);
        },
        onResponseEnd: () => {
          signal.removeEventListener('abort', giveUp);
          resolve({ status, body: Buffer.concat(chunks).toString(), date });
        },
        onResponseError: (_, error) => end(error),
      },
    );
  });
}

/**
 * @param where namespace of a Role that is enough
 * @throws ClusterError where it is no success, with the fix, and without the answer's own words: they
 *   may quote what was written
 */
export function demandOk(
  { status }: Answer,
  asked: string,
  verb: 'get' | 'list' | 'create' | 'update' | 'patch',
  group: string,
  resource: string,
  where?: string,
): void {
  if (status >= 200 && status < 300) return;
  const role = where === undefined ? 'a ClusterRole' : `a Role in the namespace ${where}`;
  const fixes = new Map([
    [
      401,
      "The API server does not know the webhook: check the token of the webhook's service account, or the user of the kubeconfig.",
    ],
    [
      403,
      `Allow it by ${role} with the rule apiGroups: ["${group}"], resources: ["${resource}"], verbs: ["${verb}"].`,
    ],
  ]);
  const fix = fixes.get(status);
  throw new ClusterError(
    `${asked} was answered with HTTP ${status}`,
    fix === undefined ? {} : { fix, failure: 'forbidden' },
  );
}

/** Whether it is the API server's word that an object is not there, and not that of something before it. */
export function isNotFound({ status, body }: Answer): boolean {
  if (status !== 404) return false;
  const said = parseJson(body) as { kind?: unknown; reason?: unknown } | null | undefined;
  return said?.kind === 'Status' && said.reason === 'NotFound';
}

/** Undefined where it is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
