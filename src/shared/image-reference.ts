import { quote } from './shown-value.ts';
import { SigningError } from './signing-error.ts';

/** Globally unique name of a repository at a Notary server: `registry/repository`, no tag. */
export type Gun = string & { readonly brand: 'Gun' };

/** One tag of one repository, under its Notary name. */
export interface TagReference {
  readonly gun: Gun;
  readonly tag: string;
}

const HUB_HOSTS = new Set(['docker.io', 'index.docker.io']);
const HOST =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?$/;
const PATH_COMPONENT = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const LONGEST_NAME = 255;

/**
 * Parses an image reference; the tag defaults to `latest`. The repository gets the name that the
 * docker CLI gives it: Docker Hub is `docker.io`, and one-word repositories there are in `library/`.
 *
 * @throws SigningError IMAGE_REFERENCE_INVALID
 */
export function parseTagReference(text: string): TagReference {
  if (text.includes('@')) throw invalid(text, 'it has a digest, and a signature belongs to a tag');
  const slash = text.indexOf('/');
  const first = slash === -1 ? '' : text.slice(0, slash);
  const hasHost = /[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase();
  const host = hasHost ? first : 'docker.io';
  const rest = hasHost ? text.slice(slash + 1) : text;

  const colon = rest.indexOf(':');
  const path = colon === -1 ? rest : rest.slice(0, colon);
  const tag = colon === -1 ? 'latest' : rest.slice(colon + 1);

  if (!HOST.test(host)) throw invalid(text, `${quote(host)} is not a registry host`);
  if (!path.split('/').every((component) => PATH_COMPONENT.test(component))) {
    throw invalid(text, `${quote(path)} is not a repository name`);
  }
  if (!TAG.test(tag)) throw invalid(text, `${quote(tag)} is not a tag`);

  const gun = HUB_HOSTS.has(host)
    ? `docker.io/${path.includes('/') ? path : `library/${path}`}`
    : `${host}/${path}`;
  if (gun.length > LONGEST_NAME) throw invalid(text, `its name is longer than ${LONGEST_NAME}`);
  return { gun: gun as Gun, tag };
}

export function sameTag(a: TagReference, b: TagReference): boolean {
  return a.gun === b.gun && a.tag === b.tag;
}

/** The reference in its usual form: `registry/repository:tag`. */
export function formatTagReference(reference: TagReference): string {
  return `${reference.gun}:${reference.tag}`;
}

function invalid(text: string, why: string): SigningError {
  const what = `${quote(text)} is not an image reference: ${why}`;
  return new SigningError('IMAGE_REFERENCE_INVALID', what);
}
