import t from 'tap';
import { connectionFailure } from '../../../../src/sidecar/http/connection-failure.ts';
import { unreadable } from '../../../../src/sidecar/io/text-file.ts';

const url = new URL('https://notary.test:4443/v2/');
const error = (code: string) => Object.assign(new Error('words'), { code });

t.test('what a broken connection means, and whether it may pass', async (t) => {
  for (const [codes, expected, isTransient] of [
    ['ECONNRESET ECONNREFUSED EPIPE ETIMEDOUT EHOSTUNREACH ENETUNREACH', 'UNREACHABLE', true],
    ['ECONNABORTED EAI_AGAIN', 'UNREACHABLE', true],
    ['ENOTFOUND EACCES EMFILE ERR_INVALID_CHAR', 'UNREACHABLE', false],
    ['EPROTO ERR_SSL_WRONG_VERSION_NUMBER HPE_INVALID_CONSTANT', 'UNREACHABLE', false],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE SELF_SIGNED_CERT_IN_CHAIN', 'UNTRUSTED', false],
    ['DEPTH_ZERO_SELF_SIGNED_CERT CERT_HAS_EXPIRED', 'UNTRUSTED', false],
    ['ERR_TLS_CERT_ALTNAME_INVALID UNSPECIFIED', 'UNTRUSTED', false],
  ] as const) {
    for (const code of codes.split(' ')) {
      const failure = connectionFailure(url, error(code));
      t.match(failure, { code: `SERVER_${expected}`, isTransient }, code);
      t.match(failure.message, 'notary.test:4443');
    }
  }
  const { message } = connectionFailure(url, error('ENOTFOUND'));
  t.equal(message, 'https://notary.test:4443 cannot be reached: words (ENOTFOUND)');
});

t.test('a machine that opens no more files is told of as such', async (t) => {
  for (const code of ['EMFILE', 'ENFILE']) {
    t.match(connectionFailure(url, error(code)), {
      message: `no connection to https://notary.test:4443 can be opened: too many open files (${code})`,
      fix: /limit of open files/,
    });
    t.match(unreadable('/a/file', error(code)), {
      code: 'FILE_UNREADABLE',
      message: `/a/file cannot be read (${code})`,
      fix: /limit of open files/,
    });
  }
});

t.test('a host with several addresses fails with the words of each', async (t) => {
  const both = new AggregateError([new Error('first'), new Error('second')]);
  const failure = connectionFailure(url, Object.assign(both, { code: 'ECONNREFUSED' }));
  t.match(failure.message, /cannot be reached: first, second \(ECONNREFUSED\)$/);
  t.ok(failure.isTransient);
});

t.test('a certificate out of its time is not cured by another CA', async (t) => {
  t.match(connectionFailure(url, error('CERT_HAS_EXPIRED')), {
    message:
      'the certificate of notary.test:4443 is not trusted: it, or a certificate above it, has expired (CERT_HAS_EXPIRED)',
    fix: /^Renew the certificate .* clock of the node/,
  });
  t.match(connectionFailure(url, error('CERT_NOT_YET_VALID')), {
    message: /is not valid yet \(CERT_NOT_YET_VALID\)$/,
    fix: /clock/,
  });
  t.match(connectionFailure(url, error('UNABLE_TO_GET_ISSUER_CERT_LOCALLY')).fix, /ca\.crt/);
});

t.test('what has no code is told as it is', async (t) => {
  t.match(connectionFailure(url, new Error('words')).message, /cannot be reached: words$/);
});
