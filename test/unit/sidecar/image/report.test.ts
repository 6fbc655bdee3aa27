import t from 'tap';
import { fixture } from '../../../support/fixture.ts';
import { parseReport } from '../../../../src/sidecar/image/report.ts';

const HEX = 'a1'.repeat(32);

t.test('report.toml', async (t) => {
  const image = (...lines: readonly string[]) => ['[image]', ...lines].join('\n');
  const tags = 'tags = ["h.test/a:1"]';
  const digest = `digest = "sha256:${HEX}"`;
  const size = 'manifest-size = 528';

  t.test('names tags, digest and size', async (t) => {
    const report = { tags: ['h.test/a:1'], sha256: HEX, length: 528 };
    const whole = [
      '[build]',
      'bom = []',
      image(tags, 'image-id = "x"', digest, size),
      '[image.other]',
      'x = 1.5',
      '[extra]',
      'when = 2026-11-23T12:00:00Z',
    ].join('\r\n');
    t.same(parseReport(image(tags, digest, size)), report);
    t.same(parseReport(whole), report);
    const several = parseReport(
      image('tags = ["b", "a", "b"]', digest, 'manifest-size = 9007199254740991'),
    );
    for (const none of [image(digest, size), image('tags = []', digest, size)]) {
      t.same(parseReport(none).tags, []);
    }
    t.same(several, { tags: ['b', 'a', 'b'], sha256: HEX, length: Number.MAX_SAFE_INTEGER });
    t.same(parseReport(`image = { ${tags}, ${digest}, ${size} }`), report);
  });

  t.test('may hold anything beside, as a bill of materials does', async (t) => {
    for (const name of ['bigint', 'nanoseconds']) {
      const text = fixture(`field/report-bom-${name}.toml`).toString();
      t.same(parseReport(text), {
        tags: [
          'registry.example.test/team/app:latest',
          'registry.example.test/team/app:b1.20260101.000000',
        ],
        sha256: 'ab'.repeat(32),
        length: 2345,
      });
    }
    for (const value of [
      ...['9007199254740993', '-9223372036854775808', '18446744073709551615', '0xffffffffffffffff'],
      ...[
        '1e400',
        '-inf',
        'nan',
        '2026-01-01T00:00:00.123456789Z',
        '0000-01-01',
        '23:59:59.999999999',
      ],
    ]) {
      const report = parseReport(`${image(tags, digest, size)}\n[build]\nbom = [{ n = ${value} }]`);
      t.equal(report.length, 528, value);
    }
  });

  t.test('may lack the size, as that of older lifecycles does', async (t) => {
    const report = { tags: ['h.test/a:1'], sha256: HEX, length: undefined };
    t.same(parseReport(image(tags, digest)), report);
    t.same(parseReport(image(tags, digest, 'manifest-size = 0')), report);
  });

  t.test('that cannot be used is refused, with the reason', async (t) => {
    const cases: readonly (readonly [text: string, code: string, message: RegExp])[] = [
      ['', 'REPORT_INVALID', /there is no \[image\] table$/],
      ['image = 5', 'REPORT_INVALID', /there is no \[image\] table$/],
      ['[[image]]', 'REPORT_INVALID', /there is no \[image\] table$/],
      ['[Image]', 'REPORT_INVALID', /there is no \[image\] table$/],
      ['[image', 'REPORT_INVALID', /^report.toml is not TOML: line 1, column \d+$/],
      [
        image(tags, digest, size, '= 5'),
        'REPORT_INVALID',
        /^report.toml is not TOML: line 5, column 1$/,
      ],
      [image(tags, tags), 'REPORT_INVALID', /^report.toml is not TOML: line 3/],
      ['{"image":{}}', 'REPORT_INVALID', /^report.toml is not TOML: line 1/],
      [
        image('tags = "h.test/a:1"', digest, size),
        'REPORT_INVALID',
        /image.tags is not a list of strings$/,
      ],
      [
        image('tags = ["a", 5]', digest, size),
        'REPORT_INVALID',
        /image.tags is not a list of strings$/,
      ],
      [
        image('tags = [["a"]]', digest, size),
        'REPORT_INVALID',
        /image.tags is not a list of strings$/,
      ],
      [image(tags, size), 'REPORT_INVALID', /image.digest is not sha256:<64 hex digits>$/],
      [image(tags, 'digest = 5', size), 'REPORT_INVALID', /image.digest/],
      [image(tags, `digest = "${HEX}"`, size), 'REPORT_INVALID', /image.digest/],
      [image(tags, `digest = "sha256:${HEX}0"`, size), 'REPORT_INVALID', /image.digest/],
      [image(tags, `digest = "sha256:${HEX.slice(1)}"`, size), 'REPORT_INVALID', /image.digest/],
      [
        image(tags, `digest = "sha256:${HEX.toUpperCase()}"`, size),
        'REPORT_INVALID',
        /image.digest/,
      ],
      [image(tags, `digest = "sha256:${HEX}\\n"`, size), 'REPORT_INVALID', /image.digest/],
      [image(tags, `digest = "sha512:${HEX}${HEX}"`, size), 'REPORT_INVALID', /image.digest/],
      [image(tags, `digest = "h.test/a@sha256:${HEX}"`, size), 'REPORT_INVALID', /image.digest/],
      [
        image(tags, digest, 'manifest-size = -1'),
        'REPORT_INVALID',
        /image.manifest-size is not a number of bytes$/,
      ],
      [image(tags, digest, 'manifest-size = 1.5'), 'REPORT_INVALID', /image.manifest-size/],
      [image(tags, digest, 'manifest-size = inf'), 'REPORT_INVALID', /image.manifest-size/],
      [image(tags, digest, 'manifest-size = nan'), 'REPORT_INVALID', /image.manifest-size/],
      [image(tags, digest, 'manifest-size = "528"'), 'REPORT_INVALID', /image.manifest-size/],
      [
        image(tags, digest, 'manifest-size = 9223372036854775807'),
        'REPORT_INVALID',
        /^report.toml/,
      ],
    ];
    for (const [text, code, message] of cases) {
      t.throws(() => parseReport(text), { name: 'SigningError', code, message }, text);
    }
  });
});
