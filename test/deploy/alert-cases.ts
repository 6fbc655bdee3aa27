/** When each alert fires, and what looks like it and is none. */

/** What Prometheus has scraped, and what comes of it. */
export interface AlertCase {
  readonly alert: string;
  /** In words: `a replica is not ready`. */
  readonly when: string;
  /** Values by series, a value a minute from minute 0 on, in promtool's notation. */
  readonly series: Readonly<Record<string, string>>;
  /** The minute that is looked at. */
  readonly minute: number;
  /** The alerts of that name that fire then; none: []. */
  readonly fires: readonly Firing[];
}

/** An alert that fires: its labels beside those of the rule, and `$value` as its words show it. */
export interface Firing {
  readonly labels: Readonly<Record<string, string>>;
  readonly value?: string;
}

const A = { job: 'kpack-notary', instance: '10.0.0.1:9402' };
const B = { job: 'kpack-notary', instance: '10.0.0.2:9402' };
const DAY = 86_400;

type Labels = Readonly<Record<string, string>>;

/** `name{label="value"}` */
function of(name: string, labels: Labels): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return `${name}{${pairs.join(',')}}`;
}

const ours = (name: string, labels: Labels = A) => of(`kpack_notary_${name}`, labels);
const reviews = (mode: string, decision: string, code: string, kind = 'Pod') =>
  ours('admission_reviews_total', { ...A, webhook: 'mutate', kind, mode, decision, code });
const reads = (kind: string, result: string) =>
  ours('kubernetes_requests_total', { ...A, kind, result });
const certificate = ours('certificate_expiration_timestamp_seconds');
const authority = ours('authority_expiration_timestamp_seconds');
const checks = (result: string) => ours('certificate_checks_total', { ...A, result });
const rejections = (name: string, errorType: string) =>
  of('apiserver_admission_webhook_rejection_count', {
    name,
    error_type: errorType,
    operation: 'CREATE',
    rejection_code: '0',
    type: 'admit',
  });

/** Reviews answered within these times, a hundred a minute of each: `le` and how many by then. */
function answeredWithin(counts: Readonly<Record<string, number>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(counts).map(([le, count]) => [
      ours('admission_review_duration_seconds_bucket', { ...A, webhook: 'mutate', le }),
      `0+${count}x40`,
    ]),
  );
}

export const ALERT_CASES: readonly AlertCase[] = [
  {
    alert: 'KpackNotaryDown',
    when: 'nothing is scraped',
    series: {},
    minute: 3,
    fires: [{ labels: {} }],
  },
  {
    alert: 'KpackNotaryDown',
    when: 'no replica is ready',
    series: { [ours('ready', A)]: '0x10', [ours('ready', B)]: '0x10' },
    minute: 5,
    fires: [{ labels: {} }],
  },
  {
    alert: 'KpackNotaryDown',
    when: 'one replica is ready',
    series: { [ours('ready', A)]: '0x10', [ours('ready', B)]: '1x10' },
    minute: 5,
    fires: [],
  },
  {
    alert: 'KpackNotaryNotReady',
    when: 'a replica does not become ready',
    series: { [ours('ready', A)]: '0x20', [ours('ready', B)]: '1x20' },
    minute: 11,
    fires: [{ labels: A }],
  },
  {
    alert: 'KpackNotaryNotReady',
    when: 'a replica takes its time to start',
    series: { [ours('ready', A)]: '0x5 1x20', [ours('ready', B)]: '1x20' },
    minute: 11,
    fires: [],
  },
  {
    alert: 'KpackNotaryAlone',
    when: 'the other replica is gone',
    series: { [ours('ready', A)]: '1x30' },
    minute: 16,
    fires: [{ labels: {} }],
  },
  {
    alert: 'KpackNotaryAlone',
    when: 'both are ready',
    series: { [ours('ready', A)]: '1x30', [ours('ready', B)]: '1x30' },
    minute: 16,
    fires: [],
  },
  {
    alert: 'KpackNotaryRestarting',
    when: 'a container starts again and again',
    series: {
      [of('process_start_time_seconds', A)]: '0x5 360x5 720x5 1080x20',
      [ours('build_info', { ...A, version: '1.2.3' })]: '1x40',
    },
    minute: 20,
    fires: [{ labels: A, value: '3' }],
  },
  {
    alert: 'KpackNotaryRestarting',
    when: 'another program does',
    series: {
      [of('process_start_time_seconds', B)]: '0x5 360x5 720x5 1080x20',
      [ours('build_info', { ...A, version: '1.2.3' })]: '1x40',
    },
    minute: 20,
    fires: [],
  },
  {
    alert: 'KpackNotaryUnreachable',
    when: 'the API server cannot ask about build pods',
    series: { [rejections('pods.notary.kpack.io', 'calling_webhook_error')]: '0+1x20' },
    minute: 10,
    fires: [{ labels: { name: 'pods.notary.kpack.io' } }],
  },
  {
    alert: 'KpackNotaryUnreachable',
    when: 'we refuse, and others cannot be asked',
    series: {
      [rejections('pods.notary.kpack.io', 'no_error')]: '0+1x20',
      [rejections('pods.example.com', 'calling_webhook_error')]: '0+1x20',
    },
    minute: 10,
    fires: [],
  },
  {
    alert: 'KpackNotaryCertificateExpires',
    when: 'files are not renewed',
    series: { [certificate]: `${6 * DAY}x20` },
    minute: 10,
    fires: [{ labels: A, value: '5d 23h 50m 0s' }],
  },
  {
    alert: 'KpackNotaryCertificateExpires',
    when: 'our own CA cannot renew it',
    series: { [certificate]: `${DAY}x20`, [authority]: `${300 * DAY}x20` },
    minute: 10,
    fires: [{ labels: A, value: '23h 50m 0s' }],
  },
  {
    alert: 'KpackNotaryCertificateExpires',
    when: 'our own CA issues short-lived ones',
    series: { [certificate]: `${2 * DAY}x20`, [authority]: `${300 * DAY}x20` },
    minute: 10,
    fires: [],
  },
  {
    alert: 'KpackNotaryCertificateExpires',
    when: 'files are good for weeks, and there is no CA of ours',
    series: { [certificate]: `${30 * DAY}x20`, [authority]: '0x20' },
    minute: 10,
    fires: [],
  },
  {
    alert: 'KpackNotaryAuthorityExpires',
    when: 'the CA was not replaced',
    series: { [authority]: `${29 * DAY}x90` },
    minute: 65,
    fires: [{ labels: A }],
  },
  {
    alert: 'KpackNotaryAuthorityExpires',
    when: 'it is far from its end, or there is none',
    series: {
      [authority]: `${120 * DAY}x90`,
      [ours('authority_expiration_timestamp_seconds', B)]: '0x90',
    },
    minute: 65,
    fires: [],
  },
  {
    alert: 'KpackNotaryCertificateChecksFail',
    when: 'every pass fails',
    series: { [checks('error')]: '0+1x40', [checks('ok')]: '5x40' },
    minute: 35,
    fires: [{ labels: A }],
  },
  {
    alert: 'KpackNotaryCertificateChecksFail',
    when: 'one pass in two fails, as after a conflict',
    series: { [checks('error')]: '0+1x40', [checks('ok')]: '0+1x40' },
    minute: 35,
    fires: [],
  },
  {
    alert: 'KpackNotaryBuildsRefused',
    when: 'a pod is refused for the first time',
    series: { [reviews('enforce', 'deny', 'SECRET_EXPOSED')]: '_x19 1x20' },
    minute: 21,
    fires: [{ labels: { code: 'SECRET_EXPOSED' } }],
  },
  {
    alert: 'KpackNotaryBuildsRefused',
    when: 'pods are refused again',
    series: { [reviews('enforce', 'deny', 'SECRET_EXPOSED')]: '1x20 2x20' },
    minute: 25,
    fires: [{ labels: { code: 'SECRET_EXPOSED' } }],
  },
  {
    alert: 'KpackNotaryBuildsRefused',
    when: 'the last refusal was long ago, and what is refused is an Image, or would be, or none',
    series: {
      [reviews('enforce', 'deny', 'SECRET_EXPOSED')]: '1x40',
      [reviews('enforce', 'deny', 'NOTARY_CONFIG_INVALID', 'Image')]: '0+1x40',
      [reviews('audit', 'deny', 'SECRET_EXPOSED')]: '0+1x40',
      [reviews('enforce', 'patch', 'INJECTED')]: '0+1x40',
    },
    minute: 35,
    fires: [],
  },
  {
    alert: 'KpackNotaryAuditWouldRefuse',
    when: 'a pod of an audited namespace would be refused',
    series: { [reviews('audit', 'deny', 'NOTARY_CONFIG_INVALID')]: '_x9 1x300' },
    minute: 200,
    fires: [{ labels: { code: 'NOTARY_CONFIG_INVALID' } }],
  },
  {
    alert: 'KpackNotaryAuditWouldRefuse',
    when: 'it would be signed, and others are refused',
    series: {
      [reviews('audit', 'patch', 'INJECTED')]: '0+1x40',
      [reviews('enforce', 'deny', 'NOTARY_CONFIG_INVALID')]: '0+1x40',
    },
    minute: 30,
    fires: [],
  },
  {
    alert: 'KpackNotaryForbidden',
    when: 'a read is forbidden for the first time',
    series: { [reads('Secret', 'forbidden')]: '_x19 1x20' },
    minute: 21,
    fires: [{ labels: { kind: 'Secret' } }],
  },
  {
    alert: 'KpackNotaryForbidden',
    when: 'what is read is not there, or was forbidden long ago',
    series: { [reads('Secret', 'not_found')]: '0+1x40', [reads('Secret', 'forbidden')]: '3x40' },
    minute: 30,
    fires: [],
  },
  {
    alert: 'KpackNotaryKubernetesErrors',
    when: 'a tenth of the reads fails',
    series: {
      [reads('Build', 'ok')]: '0+54x40',
      [reads('Build', 'timeout')]: '0+3x40',
      [reads('Image', 'error')]: '0+3x40',
    },
    minute: 15,
    fires: [{ labels: {}, value: '10%' }],
  },
  {
    alert: 'KpackNotaryKubernetesErrors',
    when: 'one in a hundred does, or none is asked for',
    series: { [reads('Build', 'ok')]: '0+99x40', [reads('Build', 'timeout')]: '0+1x40' },
    minute: 15,
    fires: [],
  },
  {
    alert: 'KpackNotarySlow',
    when: 'two answers in a hundred take more than two seconds and a half',
    series: answeredWithin({ '1': 90, '2.5': 98, '5': 100, '+Inf': 100 }),
    minute: 25,
    fires: [{ labels: { webhook: 'mutate' }, value: '3.75s' }],
  },
  {
    alert: 'KpackNotarySlow',
    when: 'all take less than a second',
    series: answeredWithin({ '1': 100, '2.5': 100, '5': 100, '+Inf': 100 }),
    minute: 25,
    fires: [],
  },
];
