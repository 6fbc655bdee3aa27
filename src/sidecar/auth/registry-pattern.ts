import { registryHost } from '../../shared/registry-host.ts';
import type { RegistryRepository } from './registry-host.ts';

/** For which repositories an entry of a docker configuration is. */
export interface RegistryPattern {
  /** `host[:port]` as {@link registryHost} has it; a `*` stands for letters within one label. */
  readonly host: string;
  /** The repositories at or below this path; empty: all. */
  readonly path: string;
}

/** What docker writes after the host of a registry, and means all of it by. */
const API_VERSION = /^v[12](?:\/|$)/;

/**
 * Reads the key of an entry: `host`, `host:port` or a URL, with a path or without. Undefined where it
 * holds no host.
 */
export function parseRegistryPattern(text: string): RegistryPattern | undefined {
  const written = text.replace(/^[a-z]+:\/\//i, '');
  const slash = written.indexOf('/');
  const host = registryHost(slash === -1 ? written : written.slice(0, slash));
  if (host === undefined) return undefined;
  const path = slash === -1 ? '' : written.slice(slash + 1).replace(API_VERSION, '');
  return { host, path: path.split('/').filter(Boolean).join('/') };
}

/** Whether an entry is for a repository, as the kubelet matches hosts; paths end between slashes. */
export function matchesRepository(
  { host, path }: RegistryPattern,
  repository: RegistryRepository,
): boolean {
  const { registry, name } = repository;
  return matchesHost(host, registry) && (path === '' || `${name}/`.startsWith(`${path}/`));
}

/**
 * Sorts what is closer to a repository first, among what matches: its host by name before a `*`, the
 * longer path before the shorter.
 */
export function byCloseness(a: RegistryPattern, b: RegistryPattern): number {
  const isGlob = ({ host }: RegistryPattern) => Number(host.includes('*'));
  return isGlob(a) - isGlob(b) || b.path.length - a.path.length || b.host.length - a.host.length;
}

/** As many labels, each matched by itself, and the same port. */
function matchesHost(pattern: string, host: string): boolean {
  if (!pattern.includes('*')) return pattern === host;
  const [wanted, given] = [pattern.split(/[.:]/), host.split(/[.:]/)];
  const hasPort = (text: string) => text.includes(':');
  return (
    hasPort(pattern) === hasPort(host) &&
    wanted.length === given.length &&
    wanted.every((label, i) => matchesLabel(label, given[i] ?? ''))
  );
}

function matchesLabel(pattern: string, label: string): boolean {
  const [first = '', ...others] = pattern.split('*');
  const last = others.pop();
  if (last === undefined) return pattern === label;
  if (!label.startsWith(first)) return false;
  let position = first.length;
  for (const part of others) {
    const found = label.indexOf(part, position);
    if (found === -1) return false;
    position = found + part.length;
  }
  return label.length - last.length >= position && label.endsWith(last);
}
