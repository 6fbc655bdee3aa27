import type { Dispatcher } from 'undici';
import { ClusterError } from './cluster.ts';
import type { Access, AccessSource } from './kubernetes-access.ts';

/** An object in etcd is at most 1.5 MiB. */
const BODY_LIMIT_BYTES = 4 * 1024 * 1024;
const BROKEN = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** What is to be read. */
export interface Read {
  readonly path: string;
  readonly accept: string;
  /** Gives up; its reason says why. */
  readonly signal: AbortSignal;
}

/**
 * Reads, and once more where a first failure says nothing about the second.
 *
 * @throws ClusterError when there is no answer
 */
export async function read(source: AccessSource, what: Read): Promise<Answer> {
  try {
    const answer = await readOnce(await source.current(), what).catch(async (error: unknown) => {
      // A kept connection may break just as it is used; a read may be sent again.
      if (!BROKEN.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
      return readOnce(await source.current(), what);
    });
    if (answer.status !== 401) return answer;
    // The token may have been replaced since we looked.
    source.forget();
    return await readOnce(await source.current(), what);
  } catch (cause) {
    // Where several addresses were tried, there is a code alone.
    const { message, code = 'unknown' } = cause as NodeJS.ErrnoException;
    const failure = what.signal.aborted ? 'timeout' : 'error';
    throw new ClusterError(`GET ${what.path} failed: ${message || code}`, { cause, failure });
  }
}

function readOnce(
  { agent, origin, basePath, headers }: Access,
  { path, accept, signal }: Read,
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
    agent.dispatch(
      {
        origin,
        path: basePath + path,
        method: 'GET',
        headers: { ...headers, accept },
      },
      {
        onRequestStart: (controller) => {
          connection = controller;
          if (signal.aborted) controller.abort(signal.reason as Error);
        },
        onResponseStart: (_, statusCode) => {
          status = statusCode;
        },
        onResponseData: (controller, chunk) => {
          size += chunk.length;
          if (size > BODY_LIMIT_BYTES) controller.abort(new Error('the answer is too long'));
          else chunks.push(chunk);
        },
        onResponseEnd: () => {
          signal.removeEventListener('abort', giveUp);
          resolve({ status, body: Buffer.concat(chunks).toString() });
        },
        onResponseError: (_, error) => end(error),
      },
    );
  });
}

/** What to do when the API server does not let us. */
export function refusalOf(
  status: number,
  verb: 'get' | 'list',
  group: string,
  resource: string,
): { readonly fix?: string; readonly failure: 'forbidden' | 'error' } {
  switch (status) {
    case 401:
      return {
        failure: 'forbidden',
        fix: "The API server does not know us: check the token of the webhook's service account, or the user of the kubeconfig.",
      };
    case 403:
      return {
        failure: 'forbidden',
        fix: `Allow it by a ClusterRole with the rule apiGroups: ["${group}"], resources: ["${resource}"], verbs: ["${verb}"].`,
      };
    default:
      return { failure: 'error' };
  }
}

/** Undefined where it is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
