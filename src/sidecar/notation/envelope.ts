import type { Descriptor } from './descriptor.ts';
import type { EnvelopeSigner } from './envelope-signer.ts';

export interface EnvelopeOptions {
  /** When the certificates of the signer are valid. */
  readonly signingTime: Date;
  /** After this moment strict verifiers refuse the signature; later than the signing time. */
  readonly expiry?: Date;
  /** Which program signs, such as `kpack-notary/1.2.3`. */
  readonly agent: string;
  /** Gets a timestamp token (RFC 3161) over the bytes of the signature. */
  readonly timestamp?: (signature: Uint8Array) => Promise<Uint8Array>;
}

/** Media type of an envelope as the layer of a signature manifest. */
export const ENVELOPE_TYPE = 'application/jose+json';

/**
 * Signs a descriptor: the JWS envelope of the Notary Project (signature-envelope-jws), in the scheme
 * notary.x509. The payload names the target by media type, digest and size alone.
 *
 * @throws what the signer and the timestamp throw
 */
export async function makeEnvelope(
  target: Descriptor,
  signer: EnvelopeSigner,
  options: EnvelopeOptions,
): Promise<Uint8Array> {
  const { chain } = signer;
  const { mediaType, digest, size } = target;
  const payload = base64Url({ targetArtifact: { mediaType, digest, size } });
  const header = base64Url(protectedHeader(chain.algorithm, options));
  const signature = await signer.sign(Buffer.from(`${header}.${payload}`));
  const token = await options.timestamp?.(signature);
  const envelope = {
    payload,
    protected: header,
    header: {
      ...(token && { 'io.cncf.notary.timestampSignature': Buffer.from(token).toString('base64') }),
      x5c: chain.certificates.map((der) => Buffer.from(der).toString('base64')),
      'io.cncf.notary.signingAgent': options.agent,
    },
    signature: Buffer.from(signature).toString('base64url'),
  };
  return Buffer.from(JSON.stringify(envelope));
}

/** What is signed beside the payload. `crit` names exactly what is critical. */
function protectedHeader(algorithm: string, { signingTime, expiry }: EnvelopeOptions): object {
  const [scheme, expires] = ['io.cncf.notary.signingScheme', 'io.cncf.notary.expiry'];
  return {
    alg: algorithm,
    cty: 'application/vnd.cncf.notary.payload.v1+json',
    crit: [scheme, ...(expiry ? [expires] : [])],
    [scheme]: 'notary.x509',
    'io.cncf.notary.signingTime': wholeSecond(signingTime),
    ...(expiry && { [expires]: wholeSecond(expiry) }),
  };
}

function base64Url(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** RFC 3339 in UTC: the specification allows no fraction. */
function wholeSecond(time: Date): string {
  return time.toISOString().replace(/\.\d+/, '');
}
