/** Requests to the bed's Notary server by hand, as no tool makes them. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import type { Bed } from '../../bed/bed.ts';

/** Posts the file of one role. */
export async function postRole(bed: Bed, gun: string, role: string, file: string): Promise<void> {
  await postRoles(bed, gun, { [role]: file });
}

/** Posts files by role, in one publish. */
export async function postRoles(
  bed: Bed,
  gun: string,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  const parts = Object.entries(files).map(
    ([role, file]) =>
      `--x\r\nContent-Disposition: form-data; name="files"; filename="${role}"\r\n\r\n${file}\r\n`,
  );
  await call(bed, `${gun}/_trust/tuf/`, `${parts.join('')}--x--\r\n`);
}

/** What the server answers with 200 to a GET, or to the POST of a form. */
export async function call(bed: Bed, path: string, body?: string): Promise<string> {
  const sent = request(`${bed.notary.url}/v2/${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { 'content-type': 'multipart/form-data; boundary=x' },
    ca: bed.authority.certificatePem,
  });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const answer = await text(response);
  if (response.statusCode !== 200) throw new Error(answer);
  return answer;
}
