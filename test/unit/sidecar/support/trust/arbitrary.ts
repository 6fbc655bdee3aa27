/** Values for properties. */
import fc from 'fast-check';
import type { Json } from '../../../../../src/sidecar/tuf/canonical-json.ts';

/** Text without control characters, which canonical JSON cannot carry. */
export const anyText = fc
  .string({ unit: 'binary', maxLength: 12 })
  .map((text) => text.replace(/\p{Cc}/gu, '&'));

/** Values that canonical JSON can hold. */
export const anyJson = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    anyText,
    fc.constantFrom('<&>', '\u2028"\\', '\u{10000}', '\uff21'),
    fc.array(tie('json'), { maxLength: 4 }),
    fc.dictionary(anyText, tie('json'), { maxKeys: 4, noNullPrototype: true }),
  ),
})).json;
