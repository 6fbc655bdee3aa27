/**
 * Every name that people, kpack or Kubernetes see: labels, annotations, containers, volumes, paths.
 * Webhook, signer, manifests and tests all use this one source.
 */

/** Prefix of the labels and annotations of this product. */
export const PREFIX = 'notary.kpack.io/';

/** The label that opts a namespace in; also the annotation that opts one Image out. */
export const SIGNING = `${PREFIX}signing`;

/** Annotations that configure signing, on Images, Builds and Namespaces. */
export const ANNOTATION = {
  url: `${PREFIX}v1.url`,
  secretRef: `${PREFIX}v1.secretRef`,
  rootPin: `${PREFIX}v1.rootPin`,
  caSecretRef: `${PREFIX}v1.caSecretRef`,
  onFailure: `${PREFIX}on-failure`,
  v2SecretRef: `${PREFIX}v2.secretRef`,
  timestampUrl: `${PREFIX}v2.timestampUrl`,
  timestampCaSecretRef: `${PREFIX}v2.timestampCaSecretRef`,
  expiry: `${PREFIX}v2.expiry`,
  v2OnFailure: `${PREFIX}v2.on-failure`,
  registryCaSecretRef: `${PREFIX}v2.registryCaSecretRef`,
} as const;

/** Annotations that the webhook writes on pods. It never reads them to allow anything. */
export const INJECTED = `${PREFIX}injected`;
export const SKIPPED = `${PREFIX}skipped`;

/** kpack's label on every build pod. It selects pods, but does not prove that kpack made them. */
export const BUILD_LABEL = 'kpack.io/build';

/** The kubelet's annotation on the mirror pod of a static pod. */
export const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';
/** Prefix of the user name of every kubelet. */
export const NODE_USER_PREFIX = 'system:node:';

/** The webhook never touches pods in these namespaces, whatever their labels. */
export const SYSTEM_NAMESPACES: readonly string[] = [
  'kube-system',
  'kube-public',
  'kube-node-lease',
];

/** kpack's API group. The webhook ignores Builds and Images of other groups. */
export const KPACK_GROUP = 'kpack.io';

/** kpack's annotation on a basic-auth Secret: the Notary server that the Secret is for. */
export const CREDENTIALS_ANNOTATION = 'kpack.io/notary.v1';

/** kpack's annotations on a basic-auth or ssh-auth Secret: the registry or git server that it is for. */
export const DOCKER_ANNOTATION = 'kpack.io/docker';
export const GIT_ANNOTATION = 'kpack.io/git';

/** Kubernetes's annotation on a Secret that holds the token of a service account. */
export const TOKEN_ANNOTATION = 'kubernetes.io/service-account.name';

/** Name of the injected container. */
export const SIGNING_CONTAINER = 'notary-sign';

/** kpack's volume with report.toml, and its mount path. */
export const REPORT_VOLUME = 'report-dir';
export const REPORT_DIRECTORY = '/var/report';
export const REPORT_FILE = `${REPORT_DIRECTORY}/report.toml`;

/** kpack's volume for the key of its own signer; an emptyDir if there is no notary section. */
export const KPACK_KEY_VOLUME = 'notary-dir';

/** Volumes that the webhook adds. Only the signing container mounts them. */
export const OWN_VOLUME_PREFIX = `${SIGNING_CONTAINER}-`;
export const VOLUME = {
  key: `${OWN_VOLUME_PREFIX}key`,
  ca: `${OWN_VOLUME_PREFIX}ca`,
  v2Key: `${OWN_VOLUME_PREFIX}v2-key`,
  timestampCa: `${OWN_VOLUME_PREFIX}v2-timestamp-ca`,
  registryCa: `${OWN_VOLUME_PREFIX}registry-ca`,
  noToken: `${OWN_VOLUME_PREFIX}no-token`,
} as const;
export const CREDENTIALS_VOLUME_PREFIX = `${OWN_VOLUME_PREFIX}credentials-`;

/** Mount paths of these volumes in the signing container. */
export const MOUNT = {
  key: '/var/notary-sign/key',
  ca: '/var/notary-sign/ca',
  v2Key: '/var/notary-sign/v2-key',
  timestampCa: '/var/notary-sign/v2-timestamp-ca',
  registryCa: '/var/notary-sign/registry-ca',
  credentials: '/var/notary-sign/credentials',
} as const;

/** The ServiceAccount plug-in mounts a token here, unless the path is in use. */
export const SERVICE_ACCOUNT_TOKEN_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Key of a CA certificate in a Secret. */
export const CA_FILE = 'ca.crt';

/** Keys of a v2 signing Secret beside {@link CA_FILE}: those of kubernetes.io/tls, and a password. */
export const TLS_CERTIFICATE_FILE = 'tls.crt';
export const TLS_KEY_FILE = 'tls.key';
export const V2_PASSWORD_FILE = 'password';

/** The file from which the kubelet reads the termination message. */
export const TERMINATION_LOG = '/dev/termination-log';

/** The command of the injected container: the signer's program in its image. */
export const SIGNER_COMMAND = ['node', '/app/signer.cjs'] as const;

/** Prefix of the environment form of every flag of both programs. */
export const ENVIRONMENT_PREFIX = 'KPACK_NOTARY_';
