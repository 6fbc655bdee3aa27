import { parseTagReference, type TagReference } from '../../shared/image-reference.ts';
import { SigningError } from '../../shared/signing-error.ts';

/** The image of the signer as it was named. */
export interface SignerImage extends TagReference {
  readonly digest: string | undefined;
}

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/**
 * Reads `--signer-image`: a repository with tag, digest or both.
 *
 * @throws SigningError IMAGE_REFERENCE_INVALID
 */
export function parseSignerImage(text: string): SignerImage {
  const [name = '', digest, ...others] = text.split('@');
  if (others.length > 0 || (digest !== undefined && !DIGEST.test(digest))) {
    throw new SigningError(
      'IMAGE_REFERENCE_INVALID',
      // What stands around the @ may be a user and a password.
      'its digest, which stands after @, is not sha256: and 64 hexadecimal digits',
    );
  }
  return { ...parseTagReference(name), digest };
}

/** What is wrong, or risky, with the image that every signed build is going to run. */
export function readSignerImage(text: string): {
  readonly problem?: string;
  readonly warnings: readonly string[];
} {
  try {
    const { digest, gun } = parseSignerImage(text);
    if (/^[^/]*\.invalid(?::\d+)?\//.test(gun)) {
      return {
        problem: `--signer-image ${text} is the name that the manifests come with, and no registry has it; set the name of your image, under images of your kustomization`,
        warnings: [],
      };
    }
    return {
      warnings:
        digest === undefined
          ? [
              `--signer-image ${text} has no digest: who can move its tag runs beside the signing keys`,
            ]
          : [],
    };
  } catch (error) {
    if (!(error instanceof SigningError)) throw error;
    return { problem: `--signer-image: ${error.message}`, warnings: [] };
  }
}
