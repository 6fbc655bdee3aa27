/**
 * Every name that people, kpack or Kubernetes see: labels, annotations, containers, volumes, paths.
 * One source, so that webhook, signer, manifests and tests cannot drift apart.
 */

/** Prefix of our own labels and annotations. */
export const PREFIX = 'notary.kpack.io/';

/** Namespace label that opts a namespace in; also the annotation that opts one Image out. */
export const SIGNING = `${PREFIX}signing`;

/** Annotations that configure signing, on Images, Builds and Namespaces. */
export const ANNOTATION = {
  url: `${PREFIX}v1.url`,
  secretRef: `${PREFIX}v1.secretRef`,
  rootPin: `${PREFIX}v1.rootPin`,
  caSecretRef: `${PREFIX}v1.caSecretRef`,
  onFailure: `${PREFIX}on-failure`,
} as const;

/** Annotations that we write on pods: ours alone, never read for a decision. */
export const INJECTED = `${PREFIX}injected`;
export const SKIPPED = `${PREFIX}skipped`;

/** Prefix of annotations reserved for Notary Project signatures. */
export const RESERVED_PREFIX = `${PREFIX}v2.`;

/** kpack's label on every build pod: a selector, not an identity. */
export const BUILD_LABEL = 'kpack.io/build';

/** The kubelet's annotation on the mirror of a pod that its own files define. */
export const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';
/** What the user name of every kubelet begins with. */
export const NODE_USER_PREFIX = 'system:node:';

/** Namespaces that we never touch, whatever labels they bear. */
export const SYSTEM_NAMESPACES: readonly string[] = [
  'kube-system',
  'kube-public',
  'kube-node-lease',
];

/** kpack's API group; Builds and Images of other groups are not ours. */
export const KPACK_GROUP = 'kpack.io';

/** kpack's annotation on a basic-auth Secret that names the Notary server it is for. */
export const CREDENTIALS_ANNOTATION = 'kpack.io/notary.v1';

/** Name of the injected container. */
export const SIGNING_CONTAINER = 'notary-sign';

/** kpack's volume with report.toml, and where it is mounted. */
export const REPORT_VOLUME = 'report-dir';
export const REPORT_DIRECTORY = '/var/report';
export const REPORT_FILE = `${REPORT_DIRECTORY}/report.toml`;

/** kpack's volume for its own signer's key: an emptyDir where there is no notary section. */
export const KPACK_KEY_VOLUME = 'notary-dir';

/** Volumes that we add, for the signing container alone. */
export const OWN_VOLUME_PREFIX = `${SIGNING_CONTAINER}-`;
export const VOLUME = {
  key: `${OWN_VOLUME_PREFIX}key`,
  ca: `${OWN_VOLUME_PREFIX}ca`,
  noToken: `${OWN_VOLUME_PREFIX}no-token`,
} as const;
export const CREDENTIALS_VOLUME_PREFIX = `${OWN_VOLUME_PREFIX}credentials-`;

/** Where our volumes are mounted in the signing container. */
export const MOUNT = {
  key: '/var/notary-sign/key',
  ca: '/var/notary-sign/ca',
  credentials: '/var/notary-sign/credentials',
} as const;

/** Where the ServiceAccount plug-in would mount a token, unless the path is taken. */
export const SERVICE_ACCOUNT_TOKEN_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Key of a CA certificate in a Secret. */
export const CA_FILE = 'ca.crt';

/** Where the kubelet reads a container's last words. */
export const TERMINATION_LOG = '/dev/termination-log';

/** The signer's program in its image, and how the injected container starts it. */
export const SIGNER_COMMAND = ['node', '/app/signer.cjs'] as const;

/** Prefix of the environment form of every flag of both programs. */
export const ENVIRONMENT_PREFIX = 'KPACK_NOTARY_';
