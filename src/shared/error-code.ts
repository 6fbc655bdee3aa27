import { command } from './shell-command.ts';

/**
 * The closed set of error codes of both programs, each with its meaning, the usual cause and the
 * usual fix. `npm run docs` makes docs/reference/errors.md from it.
 */

interface ErrorEntry {
  /** What went wrong, in one sentence for people. */
  readonly meaning: string;
  /** The usual cause. */
  readonly cause: string;
  /** The usual fix; an error may have a more precise one. */
  readonly fix: string;
}

/** Codes of the signer, in the order in which they can occur in a run. */
export const SIGNER_ERRORS = {
  OPTIONS_INVALID: {
    meaning: 'The flags or environment of the signer do not parse.',
    cause:
      'A flag is missing, unknown, given twice, or has a value that makes no sense; the webhook writes them, so look at what was changed by hand.',
    fix: 'Correct the flags that the message names.',
  },
  FILE_UNREADABLE: {
    meaning: 'A file or directory that the signer needs cannot be read.',
    cause:
      'The volume is not mounted, the file is a directory, a pipe or too large, or its mode does not let the user of the container in.',
    fix: 'Check that it is what it should be, its mode, and the user that the container runs as.',
  },
  STEP_BEFORE_FAILED: {
    meaning: 'A step before the signer failed, and nothing was signed.',
    cause: 'In a build of standard containers, a container before the signer wrote the error file.',
    fix: 'Look at the log of the containers before notary-sign.',
  },
  REPORT_MISSING: {
    meaning: 'There is no report.toml where the step before should have written it.',
    cause:
      'The export or rebase step ended without writing the report, or another volume hides it.',
    fix: 'Look at the log of the export or rebase step: it writes the report when it has pushed the image.',
  },
  REPORT_INVALID: {
    meaning: 'report.toml cannot be read as TOML, or lacks what signing needs.',
    cause: 'The lifecycle of the builder is too old, or something else wrote over the file.',
    fix: 'Use a builder whose lifecycle reports digest and tags (platform API 0.4 or newer).',
  },
  REPORT_WITHOUT_TAGS: {
    meaning: 'report.toml names no tag.',
    cause: 'The image was pushed by digest alone.',
    fix: 'Give the Image a tag: a Notary v1 signature belongs to a tag.',
  },
  IMAGE_REFERENCE_INVALID: {
    meaning: 'A tag is not a valid image reference.',
    cause: 'The Image has a tag that no registry would take, or one with a digest.',
    fix: 'Write it as registry/repository:tag.',
  },
  TAG_NOT_ALLOWED: {
    meaning: 'The report holds a tag that is not one of the Build.',
    cause:
      'A buildpack or another container changed the report, or the report is that of another build.',
    fix: 'Find out which step wrote the report: nothing but the tags of the Build is signed.',
  },
  MANIFEST_NOT_FOUND: {
    meaning: 'The registry has no such image.',
    cause: 'The push failed, the image was deleted meanwhile, or the account may not read it.',
    fix: 'Look at the log of the export or rebase step: it pushes the image. A registry may also hide an image from those who may not read it.',
  },
  MANIFEST_MISMATCH: {
    meaning: 'The registry answers with something else than the image that was asked for.',
    cause:
      'A proxy or cache before the registry alters what it serves, or serves a page of its own.',
    fix: 'Find out what stands between the signer and the registry: what cannot be verified is not signed.',
  },
  TAG_MOVED: {
    meaning: 'The tags of one build name different images at the registry.',
    cause:
      'Another build, or a person, pushed one of the tags between the export step and the look-up.',
    fix: 'Build again; if it stays so, find out who else pushes these tags: only what the build pushed is signed.',
  },
  KEY_MISSING: {
    meaning: 'The signing Secret holds no *.key file.',
    cause: 'The Secret is empty, or its key has a name that does not end in .key.',
    fix: 'Put the key file that `notary` or `docker trust` wrote into the Secret, named *.key.',
  },
  KEY_INVALID: {
    meaning: 'A *.key file holds no private key that the signer can read.',
    cause:
      'The file is a certificate, a public key, a key of another kind or program, was cut off when it was copied, or is encrypted with a cipher that OpenSSL 3 gave up.',
    fix: 'Use the key file as the Notary or docker CLI wrote it.',
  },
  KEY_PASSWORD_MISSING: {
    meaning: 'A key is encrypted, and the signing Secret holds no password.',
    cause:
      'The key was written by the Notary or docker CLI, which encrypt, and the Secret was made from the key alone.',
    fix: 'Add notary-password.txt with the password of the key to the Secret.',
  },
  KEY_PASSWORD_CONFLICT: {
    meaning: 'The signing Secret holds notary-password.txt and password, and they differ.',
    cause: 'The Secret was changed under one of the two names, and kept the other.',
    fix: 'Keep one of the two.',
  },
  KEY_PASSWORD_WRONG: {
    meaning: 'A key cannot be decrypted with the password of the signing Secret.',
    cause:
      'The password belongs to another key (root and targets keys often have different ones), or the file was damaged.',
    fix: 'Correct notary-password.txt (or password) in the Secret, or replace a damaged key file.',
  },
  KEY_NOT_IN_ROLE: {
    meaning: 'No key of the signing Secret may sign these tags in this repository.',
    cause:
      'The key was never added, was rotated or removed, may sign other tags alone, or belongs to another repository; where there are delegations, the targets key signs nothing.',
    fix: `Put the right key into the Secret; or let this one sign (then delegations alone sign, and targets no more): ${command`notary -s <url> delegation add <gun> targets/releases <public key file> --all-paths && notary -s <url> publish <gun>`}, with docker ${command`docker trust signer add --key <public key file> <name> <gun>`}.`,
  },
  ROLE_THRESHOLD: {
    meaning: 'A role wants more signatures than the signing Secret holds keys for.',
    cause:
      'The role was set up for several signers who sign together, which Notary v1 clients cannot do one after another.',
    fix: 'Set the threshold of the role to 1, or put enough of its keys into the Secret.',
  },
  CERTIFICATE_INVALID: {
    meaning: 'The v2 signing Secret holds no certificate that may sign images.',
    cause:
      'The certificate was made for another purpose: cert-manager adds "key encipherment" if no usages are set. Or tls.crt or ca.crt holds no certificate, or a CA of the chain lacks a critical extension.',
    fix: 'Issue a certificate with the usages "digital signature" and "code signing" alone, and with a key of RSA 2048, 3072 or 4096 bits, or EC P-256, P-384 or P-521.',
  },
  CERTIFICATE_CHAIN_INCOMPLETE: {
    meaning: 'The certificate chain of the v2 signing Secret does not end in a root.',
    cause:
      'tls.crt holds no root, as cert-manager writes it, and ca.crt is missing or holds an intermediate certificate.',
    fix: 'Put the missing certificates, up to the self-signed root, under ca.crt into the Secret.',
  },
  CERTIFICATE_EXPIRED: {
    meaning: 'A certificate of the chain has expired, or is not valid yet.',
    cause: 'The certificate was not renewed, or the clock of the node is wrong.',
    fix: 'Renew the certificate that the message names, and put the new one into the Secret.',
  },
  KEY_MISMATCH: {
    meaning: 'The private key in tls.key does not belong to the certificate in tls.crt.',
    cause: 'One of the two was replaced without the other.',
    fix: 'Put certificate and key of one issue into the Secret.',
  },
  CA_INVALID: {
    meaning: 'A CA certificate file is missing, or is not made of certificates.',
    cause: 'The Secret lacks ca.crt, or holds a key, a DER file or a cut-off text under that name.',
    fix: 'Put the PEM certificate of the CA under ca.crt into the Secret.',
  },
  SERVER_UNREACHABLE: {
    meaning: 'The server cannot be reached.',
    cause:
      'The server or a proxy on the way is down, the name does not resolve, a network policy stands between, or the connection broke.',
    fix: 'Check the Notary URL, DNS, network policies, and that the server runs.',
  },
  SERVER_UNTRUSTED: {
    meaning: 'The TLS certificate of the server is not trusted.',
    cause:
      'The server has a certificate of a private CA, one for another name, or one that has expired.',
    fix: 'Put the CA certificate of the server under ca.crt into the signing Secret, or name a Secret that holds it in notary.kpack.io/v1.caSecretRef.',
  },
  SERVER_FAILED: {
    meaning: 'The server answered with an error of its own.',
    cause: 'The server, what stands before it, or its notary-signer or database is out of order.',
    fix: 'Look at the log of the server, then build again.',
  },
  NOT_A_NOTARY_SERVER: {
    meaning: 'What answers at this URL is not a Notary v1 server.',
    cause:
      'The URL is that of a registry, a web page, or lacks a path; or it redirects. A proxy that writes its own 404 pages makes a repository that is not initialised look the same.',
    fix: 'Correct the Notary URL.',
  },
  DEADLINE_EXCEEDED: {
    meaning: 'Signing did not end within its deadline.',
    cause:
      'The server hangs, the network is slow, or very many others publish to the same repository.',
    fix: 'Find out what is slow: server, network or node; then build again.',
  },
  TERMINATED: {
    meaning: 'The signer got SIGTERM before the work was done.',
    cause: 'The build was cancelled, its node drained, or the pod evicted.',
    fix: 'Nothing is wrong with the signature; build again when the build was not cancelled on purpose.',
  },
  CREDENTIALS_INVALID: {
    meaning: 'A Secret with credentials is not what it should be.',
    cause:
      'The Secret has other keys than username and password, is empty, or a docker configuration in it cannot be read.',
    fix: 'Make it a kubernetes.io/basic-auth Secret, with username and password.',
  },
  CREDENTIALS_MISSING: {
    meaning: 'The server asks for credentials, and the signer has none for it.',
    cause:
      'No Secret of the service account is annotated for that host, or the annotation names another host or port. Docker credentials serve their registry, and Notary servers below it in DNS, alone.',
    fix: 'Add a basic-auth Secret with the annotation kpack.io/notary.v1: <host> to the service account of the build.',
  },
  CREDENTIALS_REFUSED: {
    meaning: 'The server refused the credentials.',
    cause:
      'Password or token are wrong, expired or revoked, or the account may not read the repository.',
    fix: 'Correct username and password in the Secret whose annotation kpack.io/notary.v1 names that host.',
  },
  CREDENTIALS_OVER_HTTP: {
    meaning: 'The server asks for credentials over plain http, and the signer never sends them so.',
    cause: 'The Notary URL, the registry or the token realm is plain http.',
    fix: 'Use an https Notary URL and an https token realm.',
  },
  PUSH_DENIED: {
    meaning: 'The account may not publish to this repository.',
    cause: 'The token server knows the account, and grants it less than push.',
    fix: 'Give the account the push permission for the repository at the token server.',
  },
  TIMESTAMP_FAILED: {
    meaning: 'The timestamp server gave no timestamp that verifiers accept.',
    cause:
      'The server is down, answers with something else, or its certificate chain does not end in the given root.',
    fix: 'Check the timestamp URL, and put the root certificate of that server under ca.crt into the Secret that notary.kpack.io/v2.timestampCaSecretRef names.',
  },
  REFERRERS_TAG_FOREIGN: {
    meaning: 'The tag under which signatures are listed holds something else.',
    cause:
      'The registry has no referrers API and resolves sha256-<digest> to the image itself, as GitLab does, or somebody pushed another image under that tag.',
    fix: 'Remove what the message names if it is not needed, or use a registry with the referrers API: a signature there would replace the image.',
  },
  SIGNATURE_NOT_LISTED: {
    meaning: 'The registry took the signature and does not list it.',
    cause: 'The registry indexes late or wrongly, or other programs overwrite the list.',
    fix: 'Look at the log of the registry: a signature that is not listed is found by no verifier.',
  },
  REPOSITORY_NOT_INITIALISED: {
    meaning: 'The Notary server has no trust data for this repository.',
    cause:
      'Nobody initialised it yet, its name is spelt differently there (docker.io and index.docker.io are two), or the server takes other names alone.',
    fix: `Run ${command`notary -s <url> init <gun> && notary -s <url> key rotate <gun> snapshot -r`}, then build again. A build never does that.`,
  },
  ROOT_NAME_MISMATCH: {
    meaning: 'The root certificate was made for another repository.',
    cause: 'The server serves the files of another repository, by mistake or on purpose.',
    fix: 'Check for a mistaken or hostile server; initialise the repository under its own name.',
  },
  ROOT_PIN_MISMATCH: {
    meaning: 'No root key of the repository is one of those pinned.',
    cause:
      "The root key was rotated, the repository was initialised anew, or somebody answers in the server's place.",
    fix: 'If the root was rotated on purpose, update notary.kpack.io/v1.rootPin; else treat the server as hostile.',
  },
  ROOT_REPLACED: {
    meaning: 'The root of the repository was replaced while it was being signed.',
    cause:
      "Somebody deleted the repository and initialised it anew, or another server answers in the server's place.",
    fix: 'If the repository was initialised anew on purpose, update the pin where there is one, put a key of the new repository into the Secret, and build again; else treat the server as hostile.',
  },
  METADATA_INVALID: {
    meaning: 'Metadata of the repository cannot be read, or its signatures do not verify.',
    cause:
      'The keys of a role were replaced after it was signed, or its file was written by a broken client.',
    fix: `Compare with ${command`notary -s <url> list <gun>`}. If that fails too, the owner of the role has to sign it again; then build again.`,
  },
  METADATA_EXPIRED: {
    meaning: 'Metadata of the repository has expired.',
    cause:
      'The clock of the node is wrong; or the root or the targets role was not signed for years; or a cache serves old files.',
    fix: 'Compare the clocks of node and server first. No notary command renews what has expired; the error says what helps in its case.',
  },
  METADATA_INCONSISTENT: {
    meaning: 'The files of the repository do not belong together.',
    cause:
      'A client published bytes that the server writes differently, which makes the repository unreadable for everybody; or a cache mixes old and new files.',
    fix: 'Build again; if it stays so, a proxy serves old files, or a role was published with wrong bytes and must be published again.',
  },
  METADATA_ROLLED_BACK: {
    meaning: 'The server shows an older version of a role than a moment before.',
    cause:
      "A cache answers in the server's place, replicas of the server disagree, or a backup was restored.",
    fix: 'Look for a cache or proxy that serves old files under /v2/, or a restored database; then build again.',
  },
  METADATA_TOO_LARGE: {
    meaning: 'Metadata of the repository are too large for the memory of the signing container.',
    cause:
      'The repository has very many tags, or another signer put much into a delegation; the memory limit of the container is that of the export or rebase step, or that of --signer-memory.',
    fix: 'Give the signing container the memory that the message names: raise spec.build.resources.limits.memory of the Image where it is set, else --signer-memory of the webhook; then build again.',
  },
  METADATA_UNKNOWN_MEMBER: {
    meaning:
      'A role to sign holds members that the signer does not know; signing it again would lose them.',
    cause: 'A newer or another client wrote the role.',
    fix: 'Sign this repository with the tool that wrote the role, or have its owner write it again.',
  },
  SNAPSHOT_KEY_NOT_ON_SERVER: {
    meaning: 'The server does not hold the snapshot key of the repository.',
    cause:
      'The repository was initialised with the Notary CLI, which keeps that key at first; or notary-signer lost its keys.',
    fix: `Run ${command`notary -s <url> key rotate <gun> snapshot -r`}, then build again.`,
  },
  SERVER_KEY_LOST: {
    meaning:
      'The signing service behind the Notary server lost the timestamp key of the repository.',
    cause: 'notary-signer was restarted with its keys in memory, or with another database.',
    fix: 'Restore the key storage of notary-signer; no client can help.',
  },
  DELEGATIONS_REFUSED: {
    meaning: 'The Notary server cannot take delegations, a known fault of some builds of it.',
    cause: 'notary-server 0.7 built with Go 1.17 or newer cuts the names of delegations.',
    fix: 'Update notary-server, or sign the targets role in a repository without delegations.',
  },
  REPOSITORY_NOT_ALLOWED: {
    meaning: 'The Notary server does not accept repositories of this name.',
    cause: 'The server is configured for other repository names.',
    fix: 'Use a name that the server allows (its repositories.gun_prefixes), or another server.',
  },
  PUBLISH_CONFLICT: {
    meaning: 'The server says that a newer version is there, and does not show one.',
    cause: 'A cache serves old files, or the server keeps a newer file that it does not serve.',
    fix: 'Build again; if it stays so, look for a cache or proxy that serves old files under /v2/.',
  },
  PUBLISH_REJECTED: {
    meaning: 'The server, or a proxy before it, rejected the metadata.',
    cause:
      'The server found the files malformed, or not signed by the right keys; or a proxy or firewall before it limits the size, the method or the account.',
    fix: 'See what the server says; its log holds more.',
  },
  READ_BACK_FAILED: {
    meaning: 'The server took the metadata, and it could not be confirmed that it serves it.',
    cause:
      'The connection, the server or the deadline broke off between publishing and reading; or what is served is not what was published.',
    fix: `Do not trust this tag before ${command`notary -s <url> lookup <gun> <tag>`} confirms it; then build again.`,
  },
  TAG_SUPERSEDED: {
    meaning: 'Another publisher signed another image under the same tag after this build.',
    cause: 'Two builds sign the same tag of the same repository at the same time.',
    fix: 'Find out who else signs this tag; build again if this image is the one that it should name.',
  },
  OUTPUT_UNWRITABLE: {
    meaning:
      'Receipt, termination message or done file cannot be written, whatever became of the signature.',
    cause: 'The disk is full, the path does not exist, or its volume is read-only.',
    fix: 'Check the disk of the node and the path; signing the same again is free.',
  },
  INTERNAL: {
    meaning: 'A mistake in kpack-notary.',
    cause: 'A case that nobody foresaw.',
    fix: 'Report it with the log of the container.',
  },
} as const satisfies Record<string, ErrorEntry>;

/** Codes of the webhooks: why they refused a request, or left a build pod unsigned. */
export const WEBHOOK_ERRORS = {
  NOTARY_CONFIG_INVALID: {
    meaning: 'The notary section or an annotation is malformed.',
    cause: 'A field is missing, misspelt, of the wrong type, or contradicts another.',
    fix: 'Correct the fields that the message names. Where they failed a Build, build again.',
  },
  NAMESPACE_LABEL_INVALID: {
    meaning: 'A label of the namespace under notary.kpack.io/ has an unknown name or value.',
    cause: 'A typing mistake in the label.',
    fix: 'Correct the label that the message names; notary.kpack.io/signing is enabled, audit or disabled. Where it failed a Build, build again.',
  },
  REQUESTER_NOT_KPACK: {
    meaning: 'A build pod was posted by somebody else than kpack.',
    cause:
      'kpack runs under another service account than the default one, or somebody copied a build pod.',
    fix: 'Let kpack make the pod; if kpack runs under another account, give it to the webhook with --kpack-user.',
  },
  OWNER_NOT_BUILD: {
    meaning: 'kpack posted a pod with its build label, and no Build of kpack.io is its controller.',
    cause:
      'kpack is older than 0.1, or somebody acts with its account; nobody can tell what such a pod builds.',
    fix: 'Have kpack build it from a Build of kpack.io; where kpack is older than 0.1, update it.',
  },
  OWNER_UNPROVEN: {
    meaning:
      'The Build that controls a pod of kpack, or the Image that controls that Build, is not there or has another UID.',
    cause:
      'The Build or Image was deleted or made anew a moment ago, or an owner reference was forged.',
    fix: 'Nothing, if it was deleted on purpose; kpack posts the pod again as long as it wants the build. If this stays, correct the owner reference of the Build, or delete the Build and have kpack build again.',
  },
  ARGUMENTS_AMBIGUOUS: {
    meaning: 'The arguments of a step of the build can be read in two ways.',
    cause:
      'Where steps are standard containers, kpack joins all arguments with blanks: a cosign annotation that holds a blank and an argument looks like an argument of kpack. Or another webhook added arguments.',
    fix: 'Take blanks and arguments out of the cosign annotations of the Image (spec.cosign.annotations), or have the other webhook leave the arguments as they are; then build again.',
  },
  POD_UNSUPPORTED: {
    meaning: 'The webhook does not know how to sign what this build pod builds.',
    cause:
      'The build is for Windows, or its steps do not stand as kpack makes them: another webhook renamed or moved them, or kpack is of an unknown version.',
    fix: 'Opt the Image out with notary.kpack.io/signing: disabled, or build it in a namespace without the label.',
  },
  SECRETS_TOO_MANY: {
    meaning: 'The service account of a build names more Secrets than the webhook looks at.',
    cause:
      'The account serves very many builds, or something adds Secrets to it and never takes them off.',
    fix: 'Give the Image a service account of its own that names at most 200 Secrets (spec.serviceAccountName).',
  },
  POD_COLLISION: {
    meaning: 'The build pod already uses a name, path or place that the signing container needs.',
    cause: 'Another webhook or a builder uses the same name, or stands right before completion.',
    fix: 'Rename or take away what the message names.',
  },
  SECRET_EXPOSED: {
    meaning:
      'Another container of the pod can read a Secret that is for the signing container alone, or would be able to.',
    cause:
      "The signing Secret of the build or its Namespace, or the Secret with Notary credentials, is also a service binding, a variable or a volume, or kpack mounts it for its registry. Or the pod shares its processes or those of the node, or somebody attaches a container for debugging. This holds for builds that are left unsigned, too: the Namespace's key is in reach of none.",
    fix: 'Take away what the message names. Where one Secret serves registry and Notary server, make a Secret of its own for the Notary server.',
  },
  KPACK_SIGNER_LEFT: {
    meaning: "kpack's own signer stands in a build pod that is to stay unsigned.",
    cause:
      'The mutating webhook, which removes it, did not see the pod, or another webhook put it back.',
    fix: 'kpack posts the pod again; if this stays, check that the mutating webhook is installed and selects the namespace.',
  },
  SIGNER_MISSING: {
    meaning: 'The signing container is missing from a build pod that needs one.',
    cause:
      'The mutating webhook did not see the pod: not installed, not selecting the namespace, or failing open.',
    fix: 'kpack posts the pod again; if this stays, check that the mutating webhook is installed and selects the namespace.',
  },
  SIGNER_DIFFERS: {
    meaning: 'The signing container is not the one that the webhook would inject now.',
    cause:
      'Replicas of two versions or with two settings answered, what is configured changed meanwhile, or another webhook made a container of that name or changed the annotation notary.kpack.io/injected.',
    fix: 'kpack posts the pod again. If this stays, give all replicas of the webhook the same version and flags, and have other webhooks leave notary-sign and that annotation alone.',
  },
  SIGNER_TAMPERED: {
    meaning:
      'Another webhook changed the signing container, or gave it something that could change what it does.',
    cause:
      'Another webhook changes all containers: it adds an agent that NODE_OPTIONS or LD_PRELOAD loads, variables or a mount, wraps the command, or replaces the image.',
    fix: "Have the webhook that changes it leave containers named notary-sign alone, or kpack's build pods; then build again. A webhook may change where the image is pulled from if --signer-image has a digest.",
  },
  POD_CHANGE_REFUSED: {
    meaning:
      'A build pod that is to be signed, or that says why it is not, must not be changed so.',
    cause:
      'Somebody changes the image of a container, the resources of the signing container, the annotations of kpack-notary or the build label. Or somebody attaches a container that mounts the report or the files by which steps wait for one another.',
    fix: 'Change the Image or the Namespace, and build again: what was admitted stays as it is.',
  },
  CLUSTER_UNAVAILABLE: {
    meaning: 'The Kubernetes API did not tell what the decision needs.',
    cause: 'The API server is away or overloaded, or the webhook lacks a permission.',
    fix: 'Check the API server and the permissions of the webhook; kpack posts the pod again.',
  },
  REVIEW_INVALID: {
    meaning: 'The request is not an AdmissionReview of admission.k8s.io/v1.',
    cause: 'Something else than an API server calls, or with another version of the review.',
    fix: 'Check what calls the webhook: its configuration must say admissionReviewVersions: [v1].',
  },
  REVIEW_TOO_LARGE: {
    meaning: 'The webhook does not read an object that is so large, or has so many parts.',
    cause:
      'The object has hundreds of thousands of members or items, or is nested thousands of levels deep; or something else than an API server calls.',
    fix: 'Make the object smaller: the message names the bound.',
  },
  WEBHOOK_BUSY: {
    meaning: 'The webhook has more to read at once than its memory allows; nothing was decided.',
    cause: 'Very many large objects are written at the same time, or somebody floods the webhook.',
    fix: 'kpack posts the pod again. If this stays, see who reaches the port of the webhook (components/network-policy, --client-ca), or run more replicas.',
  },
  WEBHOOK_FAILED: {
    meaning: 'A mistake in the webhook; nothing was decided.',
    cause: 'A case that nobody foresaw.',
    fix: 'Report it with the log of the webhook; kpack posts the pod again.',
  },
} as const satisfies Record<string, ErrorEntry>;

export type SignerErrorCode = keyof typeof SIGNER_ERRORS;
export type WebhookErrorCode = keyof typeof WEBHOOK_ERRORS;
