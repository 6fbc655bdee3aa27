/** One connection to the webhook, and what goes over it, byte by byte. */
import { once } from 'node:events';
import { connect } from 'node:tls';
import { admissionReview } from '../bed/webhook.ts';

/** What was answered to a request. */
export interface ConnectionAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

export interface Connection {
  send(text: string): void;
  /**
   * The next answer, whole.
   *
   * @throws Error when the connection is closed before that
   */
  answer(): Promise<ConnectionAnswer>;
  /** Sends, and waits for the answer. */
  ask(text: string): Promise<ConnectionAnswer>;
  /** Resolves when the server has closed it. */
  readonly closed: Promise<unknown>;
}

/** Connects to a port of loopback; whose certificate is shown does not matter. */
export async function openConnection(port: number): Promise<Connection> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  let text = '';
  let isClosed = false;
  socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  socket.on('error', () => undefined);
  const closed = once(socket, 'close').then(() => (isClosed = true));
  const answer = async (): Promise<ConnectionAnswer> => {
    for (;;) {
      const [, head, rest] = /^(.*?)\r\n\r\n(.*)$/s.exec(text) ?? [];
      const parsed = head === undefined ? undefined : parseHead(head);
      const length = Number(parsed?.headers['content-length'] ?? 0);
      if (parsed && rest !== undefined && Buffer.byteLength(rest) >= length) {
        text = '';
        return { ...parsed, body: JSON.parse(rest) };
      }
      if (isClosed) throw new Error(`the connection was closed after ${JSON.stringify(text)}`);
      await Promise.race([once(socket, 'data'), closed]);
    }
  };
  const send = (words: string) => void socket.write(words);
  return {
    send,
    answer,
    ask: (words) => {
      send(words);
      return answer();
    },
    closed,
  };
}

function parseHead(head: string): Omit<ConnectionAnswer, 'body'> {
  const [start = '', ...lines] = head.split('\r\n');
  const headers = lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return {
    status: Number(start.split(' ')[1]),
    headers: Object.fromEntries(headers) as Record<string, string>,
  };
}

/** A GET, as it is written. */
export function getting(path: string): string {
  return `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`;
}

/** The review of a new object, as it is written. */
export function asking(question: 'mutate' | 'validate', object: object): string {
  const body = JSON.stringify(admissionReview({ object }));
  return [
    `POST /${question} HTTP/1.1`,
    'host: localhost',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n');
}
