import { contentOf, encodeDer, OCTET_STRING, readDer } from '../../shared/der.ts';

/** An octet of this value or more gives the number of length octets that follow; alone, none is known. */
const LONG_FORM = 0x80;
const CONSTRUCTED = 0x20;
/** A token has about a dozen levels, and each certificate in it a few more. */
const MOST_LEVELS = 40;

interface Converted {
  readonly der: Buffer;
  /** The index of the first octet after it. */
  readonly end: number;
}

/**
 * Converts BER to DER as far as timestamp servers use it (CMS is BER): lengths that are not known in
 * advance, and octet strings in parts.
 *
 * @returns the values in these bytes, each in DER
 * @throws RangeError when the bytes are no BER, or nested too deeply
 */
export function berToDer(bytes: Buffer): Buffer {
  const { der, end } = convertAll(bytes, 0, bytes.length, 0);
  if (end < bytes.length) throw new RangeError('an end without a beginning');
  return der;
}

/** Converts values up to `limit`, or up to two octets of zero, which end a value of unknown length. */
function convertAll(bytes: Buffer, start: number, limit: number, level: number): Converted {
  if (level > MOST_LEVELS) throw new RangeError('nested too deeply');
  const values: Buffer[] = [];
  let at = start;
  while (at < limit && bytes.readUInt16BE(at) !== 0) {
    const { der, end } = convertOne(bytes, at, limit, level);
    values.push(der);
    at = end;
  }
  return { der: Buffer.concat(values), end: at };
}

function convertOne(bytes: Buffer, start: number, limit: number, level: number): Converted {
  const tag = bytes.readUInt8(start);
  const first = bytes.readUInt8(start + 1);
  const isConstructed = (tag & CONSTRUCTED) !== 0;
  if (first === LONG_FORM && isConstructed) {
    const { der, end } = convertAll(bytes, start + 2, limit, level + 1);
    if (end + 2 > limit) throw new RangeError('a value without end');
    return { der: encode(tag, der), end: end + 2 };
  }
  const octets = first < LONG_FORM ? 0 : first - LONG_FORM;
  const begin = start + 2 + octets;
  // readUIntBE throws RangeError for no octets and for too many.
  const end = begin + (first < LONG_FORM ? first : bytes.readUIntBE(start + 2, octets));
  if (end > limit) throw new RangeError('a value is longer than what holds it');
  if (!isConstructed) return { der: encodeDer(tag, bytes.subarray(begin, end)), end };
  const inner = convertAll(bytes, begin, end, level + 1);
  if (inner.end < end) throw new RangeError('an end within a value');
  return { der: encode(tag, inner.der), end };
}

/** @param parts the values within; those of an octet string are joined */
function encode(tag: number, parts: Buffer): Buffer {
  if (tag !== (OCTET_STRING | CONSTRUCTED)) return encodeDer(tag, parts);
  return encodeDer(OCTET_STRING, ...readDer(parts).map((part) => contentOf(part, OCTET_STRING)));
}
