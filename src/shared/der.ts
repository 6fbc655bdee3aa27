export interface DerValue {
  /** The identifier octet: class, form and number. */
  readonly tag: number;
  readonly content: Buffer;
}

export const BOOLEAN = 0x01;
export const INTEGER = 0x02;
export const BIT_STRING = 0x03;
export const OCTET_STRING = 0x04;
export const NULL = 0x05;
export const OBJECT_IDENTIFIER = 0x06;
const UTC_TIME = 0x17;
export const GENERALIZED_TIME = 0x18;
export const SEQUENCE = 0x30;
export const SET = 0x31;

/** An octet of this value or more gives the number of length octets that follow. */
const LONG_FORM = 0x80;
/** The most octets of an integer that fit into a number. */
const LONGEST_NUMBER = 6;
/** Keys and certificates have fewer values side by side; hostile files have half a million. */
const MOST_VALUES = 64;

/**
 * Reads the sequence of values in these bytes.
 *
 * @throws RangeError when the bytes are not DER, or hold too many values
 */
export function readDer(bytes: Buffer): DerValue[] {
  const values: DerValue[] = [];
  let at = 0;
  while (at < bytes.length) {
    const tag = bytes.readUInt8(at);
    const first = bytes.readUInt8(at + 1);
    const isLong = first >= LONG_FORM;
    // readUIntBE throws RangeError for no octets (the indefinite length of BER) and for too many.
    const length = isLong ? bytes.readUIntBE(at + 2, first - LONG_FORM) : first;
    const start = at + 2 + (isLong ? first - LONG_FORM : 0);
    at = start + length;
    if (at > bytes.length) throw new RangeError('a value is longer than what holds it');
    values.push({ tag, content: bytes.subarray(start, at) });
    if (values.length > MOST_VALUES) throw new RangeError('too many values');
  }
  return values;
}

/**
 * The content of a value that must have this tag.
 *
 * @throws RangeError when the value is absent or has another tag
 */
export function contentOf(value: DerValue | undefined, tag: number): Buffer {
  if (value?.tag !== tag) throw new RangeError(`no value of tag ${tag}`);
  return value.content;
}

/** The values of a SEQUENCE. @throws RangeError */
export function sequenceOf(value: DerValue | undefined): DerValue[] {
  return readDer(contentOf(value, SEQUENCE));
}

/** The hex of an OBJECT IDENTIFIER. @throws RangeError */
export function identifierOf(value: DerValue | undefined): string {
  return contentOf(value, OBJECT_IDENTIFIER).toString('hex');
}

/** Converts the hex of an object identifier to the dotted form: `1.2.840`. */
export function dottedIdentifier(hex: string): string {
  const numbers: bigint[] = [];
  let number = 0n;
  for (const octet of Buffer.from(hex, 'hex')) {
    number = number * 128n + BigInt(octet & 0x7f);
    if (octet < LONG_FORM) {
      numbers.push(number);
      number = 0n;
    }
  }
  const [both = 0n, ...others] = numbers;
  // DER encodes the first two numbers as one.
  const first = both < 80n ? both / 40n : 2n;
  return [first, both - first * 40n, ...others].join('.');
}

/** A non-negative INTEGER; Infinity when it does not fit into a number. @throws RangeError */
export function integerOf(value: DerValue | undefined): number {
  const content = contentOf(value, INTEGER);
  return content.length > LONGEST_NUMBER ? Infinity : content.readUIntBE(0, content.length);
}

/**
 * A BOOLEAN; `false` where the value is absent, which is the default of all that are read here.
 *
 * @throws RangeError when it is neither of the two that DER has
 */
export function booleanOf(value: DerValue | undefined): boolean {
  if (!value) return false;
  const content = contentOf(value, BOOLEAN);
  const [octet] = content;
  if (content.length !== 1 || (octet !== 0 && octet !== 0xff)) throw new RangeError('no BOOLEAN');
  return octet === 0xff;
}

/** `YYMMDDhhmmssZ` and `YYYYMMDDhhmmss.fZ`. */
const TIME = /^(\d{2,4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\.\d{1,9})?Z$/;

/** A UTCTime or GeneralizedTime, in UTC. @throws RangeError */
export function timeOf(value: DerValue | undefined): Date {
  const isUtcTime = value?.tag === UTC_TIME;
  const text = contentOf(value, isUtcTime ? UTC_TIME : GENERALIZED_TIME).toString('latin1');
  const [, written = '', month, day, hour, minute, second, fraction = ''] = TIME.exec(text) ?? [];
  // Of two digits, RFC 5280 takes 50 and more as years of the last century.
  const century = Number(written) < 50 ? '20' : '19';
  const year = isUtcTime ? `${century}${written}` : written;
  const whole = `${year}-${month}-${day}T${hour}:${minute}:${second}`;
  const time = new Date(`${whole}Z`);
  if (Number.isNaN(time.getTime()) || !time.toISOString().startsWith(whole)) {
    throw new RangeError('no time');
  }
  return new Date(time.getTime() + Math.floor(Number(`0${fraction}`) * 1000));
}

/** Encodes one value. */
export function encodeDer(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const length = content.reduce((sum, part) => sum + part.length, 0);
  if (length < LONG_FORM) return Buffer.concat([Buffer.from([tag, length]), ...content]);
  const hex = length.toString(16);
  const octets = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
  const header = Buffer.from([tag, LONG_FORM + octets.length]);
  return Buffer.concat([header, octets, ...content]);
}

/** Encodes an OBJECT IDENTIFIER, given the hex of its content. */
export function encodeIdentifier(hex: string): Buffer {
  return encodeDer(OBJECT_IDENTIFIER, Buffer.from(hex, 'hex'));
}
