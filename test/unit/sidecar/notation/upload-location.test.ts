import t from 'tap';
import { uploadUrl } from '../../../../src/sidecar/notation/upload-location.ts';

const DIGEST = 'sha256:ab';
const ADDED = 'digest=sha256%3Aab';
const registry = (host: string, isLoopback = false) => ({
  ...{ registry: host, host, name: 'demo/app', isLoopback },
});

t.test('an upload is closed', async (t) => {
  const from = new URL('https://r.test/v2/demo/app/blobs/uploads/');
  for (const [location, url] of [
    ['/u/1', `https://r.test/u/1?${ADDED}`],
    ['1', `https://r.test/v2/demo/app/blobs/uploads/1?${ADDED}`],
    ['?a=b', `https://r.test/v2/demo/app/blobs/uploads/?a=b&${ADDED}`],
    ['/u/1?', `https://r.test/u/1?${ADDED}`],
    ['/u/1?_state=a%2Bb%3D%3D&c=d+e', `https://r.test/u/1?_state=a%2Bb%3D%3D&c=d+e&${ADDED}`],
    ['/u/1?digest=x', `https://r.test/u/1?digest=x&${ADDED}`],
    ['/u/1#here', `https://r.test/u/1?${ADDED}`],
    ['https://r.test/u/1', `https://r.test/u/1?${ADDED}`],
    ['http://r.test/u/1', `https://r.test/u/1?${ADDED}`],
    ['//s.test/u/1', `https://s.test/u/1?${ADDED}`],
    ['https://a:b@s.test/u/1', `https://s.test/u/1?${ADDED}`],
    ['http://s.test/u/1', undefined],
    ['http://127.0.0.1/u/1', undefined],
    ['http://r.test:8080/u/1', undefined],
    ['ftp://s.test/u/1', undefined],
    ['file:///u/1', undefined],
    ['https://', undefined],
    [undefined, undefined],
  ] as const) {
    t.equal(uploadUrl(location, from, DIGEST, registry('r.test'))?.href, url, String(location));
  }
});

t.test('a registry on this machine may lead to this machine by plain http', async (t) => {
  const from = new URL('http://127.0.0.1:5000/v2/demo/app/blobs/uploads/');
  for (const [location, url] of [
    ['/u/1', `http://127.0.0.1:5000/u/1?${ADDED}`],
    ['http://127.0.0.1:5000/u/1', `http://127.0.0.1:5000/u/1?${ADDED}`],
    ['http://localhost:5001/u/1', `http://localhost:5001/u/1?${ADDED}`],
    ['https://s.test/u/1', `https://s.test/u/1?${ADDED}`],
    ['http://s.test/u/1', undefined],
    ['ftp://127.0.0.1/u/1', undefined],
  ] as const) {
    t.equal(uploadUrl(location, from, DIGEST, registry('127.0.0.1:5000', true))?.href, url);
  }
});
