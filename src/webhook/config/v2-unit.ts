import { ANNOTATION } from '../../shared/names.ts';
import type { OnFailure } from '../../shared/signer-flags.ts';
import type { TimestampUrl } from '../../shared/timestamp-url.ts';
import { readAnnotation, requireBeside, setsAnyOf } from './annotation-value.ts';
import {
  readDuration,
  readOneOf,
  readSecretName,
  readTimestampUrl,
  type ConfigSource,
  type Findings,
} from './notary-field.ts';
import { EXAMPLE } from './notary-members.ts';

/** How to make Notary Project signatures ("v2"): what only goes together. */
export interface V2Unit {
  /** The Secret with certificate chain and key. */
  readonly secretName: string;
  readonly timestamp: V2Timestamp | undefined;
  /** How long signatures are good, as written; undefined: as long as the certificates. */
  readonly expiry: string | undefined;
  readonly onFailure: OnFailure | undefined;
}

/** A timestamp server, and the Secret with the root certificate of its chain. */
export interface V2Timestamp {
  readonly url: TimestampUrl;
  readonly caSecretName: string;
}

/** What an object says about v2, as far as it could be read. */
export interface V2Reading {
  /** Whether it says anything, right or wrong. */
  readonly isSet: boolean;
  /** Undefined where it says nothing, or something is wrong with it. */
  readonly unit: V2Unit | undefined;
  /** The Secret with the key, also where something else is wrong. */
  readonly secretName: string | undefined;
}

/** What only goes with the Secret. */
const SETTINGS = [
  ANNOTATION.timestampUrl,
  ANNOTATION.timestampCaSecretRef,
  ANNOTATION.expiry,
  ANNOTATION.v2OnFailure,
];

/** Reads the annotations for v2: kpack's own API has no field for it. */
export function readV2Unit(findings: Findings, source: ConfigSource): V2Reading {
  const before = findings.problems.length;
  const readSecret = (name: string, example: string) =>
    readAnnotation(findings, source, name, (...field) => readSecretName(...field, example));

  const secretName = readSecret(ANNOTATION.v2SecretRef, EXAMPLE.v2SecretName);
  const url = readAnnotation(findings, source, ANNOTATION.timestampUrl, readTimestampUrl);
  const caSecretName = readSecret(ANNOTATION.timestampCaSecretRef, EXAMPLE.timestampCaSecretName);
  const expiry = readAnnotation(findings, source, ANNOTATION.expiry, readDuration);
  const onFailure = readAnnotation(findings, source, ANNOTATION.v2OnFailure, (...field) =>
    readOneOf(...field, ['fail', 'warn'] as const),
  );
  requireBeside(findings, source, ANNOTATION.v2SecretRef, SETTINGS);
  requireBeside(findings, source, ANNOTATION.timestampUrl, [ANNOTATION.timestampCaSecretRef]);
  requireBeside(findings, source, ANNOTATION.timestampCaSecretRef, [ANNOTATION.timestampUrl]);

  const isWhole = secretName !== undefined && findings.problems.length === before;
  const timestamp =
    url === undefined || caSecretName === undefined ? undefined : { url, caSecretName };
  return {
    isSet: setsAnyOf(source, [ANNOTATION.v2SecretRef, ...SETTINGS]),
    unit: isWhole ? { secretName, timestamp, expiry, onFailure } : undefined,
    secretName,
  };
}
