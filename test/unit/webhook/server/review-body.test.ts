import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import t from 'tap';
import { BodyReader } from '../../../../src/webhook/server/review-body.ts';

const LONGEST = 8 * 1024 * 1024;
const never = () => new AbortController().signal;
const asIs = (error: unknown) => error;

/** A request. Without a length, it counts as the longest; without a text, no body comes. */
function incoming({ length, text }: { length?: number; text?: string } = {}): IncomingMessage {
  const headers = length === undefined ? {} : { 'content-length': String(length) };
  const request = Object.assign(new Readable({ read: () => undefined }), { headers });
  if (text !== undefined) for (const chunk of [text, null]) request.push(chunk);
  return request as unknown as IncomingMessage;
}

for (const [what, length, most] of [
  ['long', undefined, { held: 2, waiting: 64 }],
  ['short', 2, { held: 256, waiting: 256 }],
] as const) {
  t.test(`${what} bodies wait for room, and are refused where too many wait`, async (t) => {
    const reader = new BodyReader();
    const reads = Array.from({ length: most.held + most.waiting + 1 }, () =>
      reader.read(incoming({ text: '{}', ...(length && { length }) }), never()),
    );
    t.match(await Promise.race(reads.slice(most.held)).catch(asIs), {
      httpStatus: 503,
      verdict: { code: 'WEBHOOK_BUSY' },
    });
    for (const { value } of await Promise.all(reads.slice(0, most.held))) t.same(value, {});
  });
}

t.test('who announces a long body and sends none makes room when others wait', async (t) => {
  // The reader's own timer keeps no program running.
  const running = setInterval(() => undefined, 1_000);
  t.teardown(() => clearInterval(running));
  const reader = new BodyReader();
  const silent = [incoming(), incoming()].map((request) => reader.read(request, never()));
  const refused = Promise.all(silent.map((read) => read.catch(asIs)));
  t.same((await reader.read(incoming({ text: '{}' }), never())).value, {});
  t.match(await refused, [{ httpStatus: 503 }, { httpStatus: 503 }]);
});

t.test('room is given back, whatever becomes of a body', async (t) => {
  const reader = new BodyReader();
  const ways: Record<string, () => Promise<unknown>> = {
    'it is answered': async () => (await reader.read(incoming({ text: '{}' }), never())).release(),
    'it is no JSON': () => reader.read(incoming({ text: '{' }), never()),
    'its connection ends': () => reader.read(incoming().destroy(), never()),
    'its caller has gone': () => reader.read(incoming(), AbortSignal.abort(new Error('gone'))),
  };
  for (const [what, read] of Object.entries(ways)) {
    for (let i = 0; i < 3; i++) await read().catch(asIs);
    t.pass(what);
  }
});

t.test('a body that is longer than any may be is not read to its end', async (t) => {
  const text = 'x'.repeat(LONGEST + 1);
  const refused = await new BodyReader().read(incoming({ text }), never()).catch(asIs);
  t.match(refused, { httpStatus: 413 });
});

t.test('of bodies that have arrived the smallest are parsed first', async (t) => {
  const reader = new BodyReader();
  const order: number[] = [];
  const bodies = [3, 2, 1].map((size) => ({ size, request: incoming({ length: 100_000 }) }));
  const reads = bodies.map(async ({ size, request }) => {
    await reader.read(request, never());
    order.push(size);
  });
  await new Promise(setImmediate);
  for (const { size, request } of bodies) {
    request.emit('data', Buffer.from('1'.repeat(size)));
    request.emit('end');
  }
  await Promise.all(reads);
  t.same(order, [3, 1, 2], 'the first begins at once');
});
