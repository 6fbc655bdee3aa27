import { setTimeout as delay } from 'node:timers/promises';
import { joinUnits } from '../config/notary-config.ts';
import {
  readNotarySection,
  secretNamesOf,
  type NotarySection,
  type Units,
} from '../config/notary-section.ts';
import { ClusterError, type Cluster, type ClusterKind } from '../../shared/kubernetes/cluster.ts';
import { absentOf, secretNames } from '../policy/facts.ts';
import type { SecretFacts } from '../config/config-warnings.ts';
import { credentialsOf, registrySecretsOf } from '../config/credentials-secret.ts';

/** What the cluster adds to what somebody writes. */
export interface ConfigFacts extends Pick<
  SecretFacts,
  'missingSecrets' | 'credentials' | 'registrySecrets'
> {
  /** What the Namespace says. */
  readonly admin: NotarySection;
}

/** How long the reads may take: the author of a write waits meanwhile, for warnings alone. */
const LONGEST_MS = 2_500;
/** The webhook reads at most so many Secrets, because every user who may write Images causes these reads. */
const MOST_LOOKED_AT = 32;

/**
 * Reads what there is to say about an Image or Build beyond its own words, in at most two rounds.
 *
 * @throws ClusterError when that takes too long, or the cluster does not tell
 */
export async function readConfigFacts(
  units: Units,
  namespaceName: string,
  serviceAccountName: string,
  cluster: Cluster,
): Promise<ConfigFacts> {
  const timer = new AbortController();
  const timeout = delay(LONGEST_MS, undefined, { signal: timer.signal }).then(() => {
    throw new ClusterError('the Kubernetes API did not answer in time');
  });
  try {
    return await Promise.race([
      readAll(units, namespaceName, serviceAccountName, cluster),
      timeout,
    ]);
  } finally {
    timer.abort();
    timeout.catch(() => undefined);
  }
}

async function readAll(
  units: Units,
  namespaceName: string,
  serviceAccountName: string,
  cluster: Cluster,
): Promise<ConfigFacts> {
  const get = (kind: ClusterKind, name: string) =>
    cluster.get({ apiVersion: 'v1', kind, namespace: namespaceName, name });
  const getSecrets = (names: readonly string[]) =>
    Promise.all(names.map((name) => get('Secret', name)));
  const ownSecrets = secretNamesOf(units);
  const [namespace, serviceAccount, own] = await Promise.all([
    cluster.get({ apiVersion: 'v1', kind: 'Namespace', name: namespaceName }),
    get('ServiceAccount', serviceAccountName),
    getSecrets(ownSecrets),
  ]);
  const admin = readNotarySection('Namespace', namespace);
  const adminSecrets = secretNamesOf(joinUnits(units, admin)).filter(
    (name) => !ownSecrets.includes(name),
  );
  const all = secretNames(serviceAccount, MOST_LOOKED_AT);
  const [ofAccount, ofAdmin] = await Promise.all([
    all && getSecrets(all),
    getSecrets(adminSecrets),
  ]);
  return {
    admin,
    missingSecrets: [...absentOf(ownSecrets, own), ...absentOf(adminSecrets, ofAdmin)],
    credentials: ofAccount && credentialsOf(ofAccount),
    registrySecrets: ofAccount && registrySecretsOf(ofAccount),
  };
}
