import { openCluster } from '../../shared/kubernetes/cluster-source.ts';
import {
  apiVersionsOf,
  type ListedKind,
  type ListedObject,
  type ListingCluster,
} from '../../shared/kubernetes/cluster.ts';
import { BUILD_LABEL } from '../../shared/names.ts';
import { explain, type Explanation } from './explain.ts';
import { parseExplainOptions, type ExplainOptions } from './explain-settings.ts';
import { imageTextOf, textOf } from './explain-text.ts';
import { checkSignerImage, type ImageCheck } from './signer-image-check.ts';

/**
 * `webhook explain`: prints what would become of Images and pods, and why.
 *
 * @param write takes the text
 * @returns whether all would be signed, or left on purpose, and all that is needed is there
 * @throws SettingsError when the command line is wrong
 */
export async function explainMain(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  write: (text: string) => void,
): Promise<boolean> {
  const options = parseExplainOptions(args, environment);
  const { namespace, signerImage, output } = options;
  const cluster = await openCluster(options.cluster);
  const { objects, absent } = await findObjects(cluster, options);
  const explanations: Explanation[] = [];
  for (const object of objects) explanations.push(await explain(object, cluster, options));
  const image = signerImage === undefined ? undefined : await checkImage(signerImage, options);
  if (output === 'json') {
    const signer = image && { image: signerImage, ...image };
    write(JSON.stringify({ explanations, absent, signer }, undefined, 2));
  } else {
    const nothing = objects.length + absent.length === 0;
    write(
      [
        ...explanations.map(textOf),
        ...absent.map((what) => `${what}: NOT FOUND`),
        ...(nothing ? [`Namespace ${namespace} has no Images and no build pods`] : []),
        ...(image && signerImage !== undefined ? [imageTextOf(signerImage, image)] : []),
      ].join('\n\n'),
    );
  }
  return absent.length === 0 && image?.state !== 'not found' && explanations.every(isFine);
}

function isFine({ fix, missing }: Explanation): boolean {
  return fix === undefined && missing.length === 0;
}

/** The objects that are named, else Images, and build pods that have not ended. */
async function findObjects(
  cluster: ListingCluster,
  { objects, namespace }: ExplainOptions,
): Promise<{ readonly objects: readonly ListedObject[]; readonly absent: readonly string[] }> {
  if (objects.length === 0) {
    const [images, pods] = [
      await cluster.list('Image', namespace),
      await cluster.list('Pod', namespace),
    ];
    return { objects: [...images, ...pods.filter(isBuilding)], absent: [] };
  }
  const found: ListedObject[] = [];
  const absent: string[] = [];
  for (const { kind, name } of objects) {
    const object = await findObject(cluster, kind, namespace, name);
    if (object) found.push(object);
    else absent.push(`${kind} ${namespace}/${name}`);
  }
  return { objects: found, absent };
}

/** Of kpack's kinds by `get` alone, which is all that the webhook's own account may do. */
async function findObject(
  cluster: ListingCluster,
  kind: ListedKind,
  namespace: string,
  name: string,
): Promise<ListedObject | undefined> {
  if (kind === 'Pod') {
    const pods = await cluster.list(kind, namespace);
    return pods.find(({ metadata }) => metadata.name === name);
  }
  const getAs = async (apiVersion: string) => {
    const object = await cluster.get({ apiVersion, kind, namespace, name });
    return object && { apiVersion, ...object, kind };
  };
  const [newest = '', oldest = ''] = apiVersionsOf(kind);
  return getAs(newest).catch((error: unknown) =>
    // kpack before 0.4 serves the other version alone; where that is not served either, the first counts.
    getAs(oldest).catch(() => Promise.reject(error as Error)),
  );
}

/** Whether a pod is one of kpack's builds that has not ended. */
function isBuilding(pod: ListedObject): boolean {
  const { phase } = (pod as { readonly status?: { readonly phase?: unknown } }).status ?? {};
  return (
    pod.metadata.labels?.[BUILD_LABEL] !== undefined && phase !== 'Succeeded' && phase !== 'Failed'
  );
}

async function checkImage(image: string, { cluster }: ExplainOptions): Promise<ImageCheck> {
  return cluster.kind === 'manifests'
    ? { state: 'not checked', detail: 'offline' }
    : checkSignerImage(image);
}
