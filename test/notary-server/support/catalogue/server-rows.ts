/** Rows: servers that are not there, not themselves, or not in order. */
import { freePort } from '../../../bed/port.ts';
import { FORWARD, type ProxiedRequest, type ProxyAction } from '../../../bed/proxy.ts';
import {
  reportOf,
  TAG,
  type Row,
  type TestRepository,
} from '../../../support/catalogue/test-repository.ts';

type Rule = (request: ProxiedRequest) => ProxyAction;

const always =
  (action: ProxyAction): Rule =>
  () =>
    action;
const toPosts =
  (action: ProxyAction): Rule =>
  ({ method }) =>
    method === 'POST' ? action : FORWARD;
/** The action so often, then the server itself. */
const times = (count: number, rule: Rule): Rule => {
  let left = count;
  return (request) => {
    const action = rule(request);
    return action === FORWARD || left-- <= 0 ? FORWARD : action;
  };
};
const refusal = (code: string, detail?: object) =>
  JSON.stringify({ errors: [{ code, message: 'said the server', ...(detail && { detail }) }] });
const answers = (
  status: number,
  body = '',
  headers: Readonly<Record<string, string>> = {},
): ProxyAction => ({ kind: 'answer', status, body, headers });
/** What is asked for under a name that may not exist. */
const toGuesses =
  (action: ProxyAction): Rule =>
  ({ path }) =>
    path.includes('targets/') ? action : FORWARD;

export const SERVER_ROWS: readonly Row[] = [
  {
    what: 'a repository that is not initialised',
    arrange: () => ({ run: { report: reportOf('registry.example.test/catalogue/unknown') } }),
    code: 'REPOSITORY_NOT_INITIALISED',
    says: /has no trust data for registry\.example\.test\/catalogue\/unknown/,
    fix: /notary -s https:\S+ init \S+ && notary -s \S+ key rotate \S+ snapshot -r/,
    attempts: 0,
    then: 'not signed',
  },
  {
    what: 'a page of another server',
    arrange: () => ({ rule: always(answers(200, '<html>welcome</html>')) }),
    code: 'NOT_A_NOTARY_SERVER',
    fix: /Correct the Notary URL/,
    attempts: 0,
    then: 'not signed',
  },
  {
    what: 'a registry under the Notary URL',
    arrange: ({ bed }) => ({ run: { notaryUrl: bed.registry.url } }),
    code: 'NOT_A_NOTARY_SERVER',
    attempts: 0,
    then: 'not signed',
  },
  {
    what: 'a server that is down',
    arrange: async () => ({ run: { notaryUrl: `https://127.0.0.1:${await freePort()}` } }),
    code: 'SERVER_UNREACHABLE',
    says: /ECONNREFUSED/,
    attempts: 0,
    then: 'not signed',
  },
  {
    what: 'a name that nobody knows',
    arrange: () => ({ run: { notaryUrl: 'https://notary.invalid:4443' } }),
    code: 'SERVER_UNREACHABLE',
    says: /ENOTFOUND|EAI_AGAIN/,
    attempts: 0,
    then: 'not signed',
  },
  {
    what: 'a certificate of a CA that we do not know',
    arrange: ({ secret }) => {
      const { 'ca.crt': unused, ...others } = secret;
      return { run: { secret: others } };
    },
    code: 'SERVER_UNTRUSTED',
    fix: /ca\.crt/,
    attempts: 0,
    then: 'not signed',
  },
  {
    what: 'a certificate for another name',
    arrange: ({ bed }) => ({
      run: { notaryUrl: bed.notary.url.replace('127.0.0.1', '0.0.0.0') },
    }),
    code: 'SERVER_UNTRUSTED',
    says: /ERR_TLS_CERT_ALTNAME_INVALID|certificate/,
    attempts: 0,
    then: 'not signed',
  },
  {
    what: 'plain http to the https port',
    arrange: ({ bed }) => ({ run: { notaryUrl: bed.notary.url.replace('https', 'http') } }),
    code: 'NOT_A_NOTARY_SERVER',
    fix: /https/,
    attempts: 0,
    then: 'not signed',
  },
  {
    what: 'a server that is out of order',
    arrange: () => ({ rule: always(answers(503)) }),
    code: 'SERVER_FAILED',
    says: /HTTP 503/,
    attempts: 0,
    then: 'not signed',
  },
  {
    what: 'a server that comes back while we try',
    changes: true,
    arrange: () => ({ rule: times(7, always(answers(503))) }),
    says: /trying again: .*HTTP 503/,
    attempts: 1,
    then: 'signed',
  },
  {
    what: 'a redirect',
    arrange: () => {
      const headers = { location: 'https://elsewhere.example.com/' };
      return { rule: always({ kind: 'answer', status: 302, headers }) };
    },
    code: 'NOT_A_NOTARY_SERVER',
    says: /elsewhere\.example\.com/,
    attempts: 0,
    then: 'not signed',
  },
  {
    what: 'connections that are reset',
    arrange: () => ({ rule: always({ kind: 'reset' }) }),
    code: 'SERVER_UNREACHABLE',
    attempts: 0,
    then: 'not signed',
  },
  {
    what: 'a server that hangs',
    arrange: () => ({ rule: always({ kind: 'hang' }), run: { args: ['--deadline=2'] } }),
    code: 'DEADLINE_EXCEEDED',
    attempts: 0,
    then: 'not signed',
  },
  {
    what: 'a publish that hangs',
    arrange: () => ({ rule: toPosts({ kind: 'hang' }), run: { args: ['--deadline=10'] } }),
    code: 'READ_BACK_FAILED',
    says: /it is not known whether/,
    attempts: 1,
    then: 'not signed',
  },
  {
    what: 'a publish that is stored, and whose answer is lost',
    changes: true,
    arrange: () => ({ rule: toPosts({ kind: 'forward', loses: 'answer' }) }),
    attempts: 1,
    then: 'signed',
  },
  {
    what: 'a publish that is cut off once',
    changes: true,
    arrange: () => ({ rule: times(1, toPosts({ kind: 'reset' })) }),
    says: /publishing again/,
    attempts: 2,
    then: 'signed',
  },
  {
    what: 'a publish that is cut off each time',
    arrange: () => ({ rule: toPosts({ kind: 'reset' }) }),
    code: 'SERVER_UNREACHABLE',
    attempts: 5,
    then: 'not signed',
  },
  {
    what: 'a publish that a gateway loses once (502)',
    changes: true,
    arrange: () => ({ rule: times(1, toPosts(answers(502))) }),
    attempts: 2,
    then: 'signed',
  },
  {
    what: 'a publish that a gateway loses each time (504)',
    arrange: () => ({ rule: toPosts(answers(504)) }),
    code: 'SERVER_FAILED',
    says: /HTTP 504/,
    attempts: 5,
    then: 'not signed',
  },
  ...[408, 425, 429].map((status): Row => ({
    what: `a publish that a busy server refuses once (${status})`,
    changes: true,
    arrange: () => ({ rule: times(1, toPosts(answers(status, '', { 'retry-after': '1' }))) }),
    says: new RegExp(`publishing again: .*HTTP ${status}`),
    attempts: 2,
    then: 'signed',
  })),
  {
    what: 'a server that wants to be left alone for longer than there is time',
    arrange: () => ({ rule: toPosts(answers(429, '', { 'retry-after': '3600' })) }),
    code: 'SERVER_FAILED',
    says: /HTTP 429.*had stored nothing/,
    attempts: 1,
    then: 'not signed',
  },
  ...(
    [
      [413, {}, /client_max_body_size.*proxy-body-size/],
      [403, {}, /Let the account publish .* firewall/],
      [405, {}, /pass POST as well as GET/],
      [301, { location: 'https://u:p@else.example.com/v2/?token=t' }, /instead of redirecting/],
    ] as const
  ).map(([status, headers, fix]): Row => ({
    what: `a publish that something before the server refuses (${status})`,
    arrange: () => ({ rule: toPosts(answers(status, '<html>sorry</html>', headers)) }),
    code: 'PUBLISH_REJECTED',
    says:
      status === 301 ? /HTTP 301\), and points to https:\/\/else\.example\.com\/v2\/\. / : /HTTP 4/,
    fix,
    attempts: 1,
    then: 'not signed',
  })),
  ...(
    [
      ['a page of its own', answers(404, '<html>nothing here</html>')],
      ['an empty body', answers(404)],
      ['a page with status 200', answers(200, '<html>nothing here</html>')],
      ['a redirect to a page', answers(302, '', { location: 'https://else.example.com/404' })],
    ] as const
  ).map(([what, absent]): Row => ({
    what: `a proxy that says of a missing file by ${what} that it is missing`,
    changes: true,
    arrange: () => ({ rule: toGuesses(absent) }),
    attempts: 1,
    then: 'signed',
  })),
  {
    what: 'a proxy with 404 pages of its own, and no root',
    arrange: () => ({ rule: always(answers(404, '<html>nothing here</html>')) }),
    code: 'NOT_A_NOTARY_SERVER',
    says: /is not initialised there, .* or the URL is not that of a Notary server/,
    fix: /Check the Notary URL. If it is right, initialise/,
    attempts: 0,
    then: 'not signed',
  },
  ...(
    [
      ['lost', { loses: 'answer' }],
      ['replaced by a gateway (504)', { becomes: { status: 504, body: 'sorry' } }],
    ] as const
  ).map(([what, lost]): Row => ({
    what: `another signer of the same tag, after a publish whose answer is ${what}`,
    changes: true,
    arrange: ({ owner, gun }) => {
      let isFirst = true;
      return {
        rule: ({ method }) => {
          if (method !== 'POST' || !isFirst) return FORWARD;
          isFirst = false;
          const answered = async (): Promise<void> => {
            await owner.addHash(gun, TAG, 5, 'd'.repeat(64));
            await owner.publish(gun);
          };
          return { kind: 'forward', ...lost, answered };
        },
      };
    },
    code: 'TAG_SUPERSEDED',
    says: new RegExp(`named ${TAG}; version \\d+, served now, names another image or none`),
    attempts: 1,
    then: 'not signed',
  })),
  {
    what: 'a publish that is taken and not kept',
    arrange: () => ({ rule: toPosts(answers(200)) }),
    code: 'READ_BACK_FAILED',
    says: /took the metadata, and reading it back failed/,
    attempts: 1,
    then: 'not signed',
  },
  {
    what: 'a server that takes no delegations (INVALID_ROLE)',
    arrange: () => ({ rule: toPosts(answers(400, refusal('INVALID_ROLE'))) }),
    code: 'DELEGATIONS_REFUSED',
    fix: /Update notary-server/,
    attempts: 1,
    then: 'not signed',
  },
  {
    what: 'a server that does not take the name (INVALID_GUN)',
    arrange: () => ({ rule: toPosts(answers(400, refusal('INVALID_GUN'))) }),
    code: 'REPOSITORY_NOT_ALLOWED',
    fix: /gun_prefixes/,
    attempts: 1,
    then: 'not signed',
  },
  {
    what: 'a body that arrives broken (MALFORMED_UPLOAD)',
    arrange: () => ({ rule: toPosts(answers(400, refusal('MALFORMED_UPLOAD'))) }),
    code: 'PUBLISH_REJECTED',
    says: /MALFORMED_UPLOAD: said the server/,
    attempts: 1,
    then: 'not signed',
  },
  {
    what: 'a server that says VERSION, and shows no newer one',
    arrange: () => ({ rule: toPosts(answers(400, refusal('VERSION'))) }),
    code: 'PUBLISH_CONFLICT',
    fix: /another try cannot help/,
    attempts: 1,
    then: 'not signed',
  },
  {
    what: 'a server that says UPDATING once, as with a database',
    changes: true,
    arrange: (repository) => ({
      rule: raced(repository, answers(500, refusal('UPDATING'))),
    }),
    says: /another publisher was faster/,
    attempts: 2,
    then: 'signed',
  },
  {
    what: 'another publisher that is faster (VERSION)',
    changes: true,
    arrange: (repository) => ({ rule: raced(repository, FORWARD) }),
    says: /another publisher was faster/,
    attempts: 2,
    then: 'signed',
  },
];

/** Before the first publish arrives, the owner publishes; then the action is taken. */
function raced({ owner, gun }: TestRepository, action: ProxyAction) {
  let isFirst = true;
  return async ({ method }: ProxiedRequest): Promise<ProxyAction> => {
    if (method !== 'POST' || !isFirst) return FORWARD;
    isFirst = false;
    await owner.addHash(gun, 'owners', 5, 'd'.repeat(64));
    await owner.publish(gun);
    return action;
  };
}
