/** One request to an API server over TLS. */
import { request, type RequestOptions } from 'node:https';

/** The answer to a request, whatever it is. */
export interface Exchange {
  readonly status: number;
  readonly body: string;
  /** Texts of the Warning headers. */
  readonly warnings: readonly string[];
}

/** Sends a request and reads the answer to its end. */
export function exchange(
  url: string,
  options: RequestOptions,
  body: string | undefined,
): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    const sent = request(url, options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.once('error', reject).once('end', () => {
        const warnings = (response.headersDistinct['warning'] ?? []).map(warningText);
        resolve({ status: response.statusCode ?? 0, body: text, warnings });
      });
    });
    sent.once('error', reject).end(body);
  });
}

/** The text of `299 - "text"`, in which quotes and backslashes are escaped. */
function warningText(header: string): string {
  const utf8 = Buffer.from(header, 'latin1').toString();
  const [, quoted] = /^\d{3} \S+ "((?:[^"\\]|\\.)*)"/s.exec(utf8) ?? [];
  return quoted === undefined ? utf8 : quoted.replaceAll(/\\(.)/gs, '$1');
}
