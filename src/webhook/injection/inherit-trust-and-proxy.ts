import { dirname } from 'node:path/posix';
import type { V1Container, V1EnvVar, V1VolumeMount } from '@kubernetes/client-node';
import { SIGNING_CONTAINER } from '../../shared/names.ts';
import { allContainers, type Pod } from '../build-pod/build-pod.ts';
import { draftOf } from '../build-pod/pod-draft.ts';
import { hidesProgram } from './mount-path.ts';
import { PathSet } from './path-set.ts';

/** Variables that say whom to trust, and by which way to go out; proxies in both cases. */
const TRUST = ['SSL_CERT_FILE', 'SSL_CERT_DIR', 'NODE_EXTRA_CA_CERTS'];
const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'];
const INHERITED = [...TRUST, ...PROXIES, ...PROXIES.map((name) => name.toLowerCase())];

/** Where the programs of a step look for CA certificates that no variable names. */
const TRUST_DIRECTORIES = new PathSet(['/etc/ssl', '/etc/pki']);
/** Within those, where the certificates are. */
const CERTIFICATES_WITHIN = new Map([
  ['/etc/ssl', '/etc/ssl/certs'],
  ['/etc/pki', '/etc/pki/tls/certs'],
]);
const CERTIFICATE_FILE = /\.(?:pem|crt|cer)$/;

/**
 * The pod with all that somebody gave to the step before the signer, so that it trusts their CA and finds
 * a way out, given to the signing container, too. What that has already is left as it is, whoever
 * gave it: doing this twice changes nothing, and a neighbour that serves all containers is not served
 * twice. A missing CA or proxy setting does not make validation fail.
 */
export function inheritTrustAndProxy(pod: Pod, stepName: string): Pod {
  const given = draftOf(pod, [SIGNING_CONTAINER]);
  const containers = allContainers(given.spec);
  const step = containers.find(({ name }) => name === stepName);
  const signer = containers.find(({ name }) => name === SIGNING_CONTAINER);
  if (!step || !signer) return given;
  const variables = variablesOf(step);
  const mounts = trustMounts(step, variables);

  const own = (signer.volumeMounts ??= []);
  if (mounts.length > 0) {
    const taken = new PathSet(own.map(({ mountPath }) => mountPath));
    const fits = ({ mountPath }: V1VolumeMount) =>
      !hidesProgram(mountPath) && !taken.overlaps(mountPath);
    own.push(...mounts.filter(fits));
  }
  const all = [...variables, ...trustVariable(step, [...mounts, ...own])];
  const missing = all.filter(({ name }) => !signer.env?.some((other) => other.name === name));
  if (missing.length > 0) (signer.env ??= []).push(...missing);
  return given;
}

/** The variables of a step that can be given to another container; of two, the last counts. */
function variablesOf({ env = [] }: V1Container): readonly V1EnvVar[] {
  return INHERITED.flatMap(
    (name) => env.findLast((variable) => variable.name === name) ?? [],
  ).filter(({ value = '', valueFrom }) =>
    // What is made of other variables has no meaning where those are missing.
    valueFrom ? valueFrom.configMapKeyRef !== undefined : value !== '' && !value.includes('$('),
  );
}

/** The mounts of a step that hold CA certificates: where programs look, and where variables lead. */
function trustMounts(
  { volumeMounts = [] }: V1Container,
  variables: readonly V1EnvVar[],
): readonly V1VolumeMount[] {
  const named = new PathSet(
    variables
      .filter(({ name }) => TRUST.includes(name))
      .flatMap(({ name, value = '' }) => (name === 'SSL_CERT_DIR' ? value.split(':') : value))
      .filter((path) => path.startsWith('/')),
  );
  return volumeMounts
    .filter(
      ({ mountPath, subPathExpr }) =>
        !subPathExpr && (TRUST_DIRECTORIES.contains(mountPath) || named.overlaps(mountPath)),
    )
    .map(({ name, mountPath, subPath }) => ({
      name,
      mountPath,
      ...(subPath !== undefined && { subPath }),
      readOnly: true,
    }));
}

/** Node does not look into those directories by itself. */
function trustVariable(
  { env = [] }: V1Container,
  mounts: readonly V1VolumeMount[],
): readonly V1EnvVar[] {
  if (env.some(({ name }) => name === 'SSL_CERT_FILE' || name === 'SSL_CERT_DIR')) return [];
  const directories = mounts
    .filter(({ mountPath }) => TRUST_DIRECTORIES.contains(mountPath))
    .map(({ mountPath }) =>
      CERTIFICATE_FILE.test(mountPath)
        ? dirname(mountPath)
        : (CERTIFICATES_WITHIN.get(mountPath) ?? mountPath),
    );
  const value = [...new Set(directories)].join(':');
  return value === '' ? [] : [{ name: 'SSL_CERT_DIR', value }];
}
