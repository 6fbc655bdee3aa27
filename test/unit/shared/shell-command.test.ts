import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import fc from 'fast-check';
import t from 'tap';
import { parseTagReference } from '../../../src/shared/image-reference.ts';
import { parseNotaryUrl } from '../../../src/shared/notary-url.ts';
import { command, commandsIn, cutText } from '../../../src/shared/shell-command.ts';
import { SigningError } from '../../../src/shared/signing-error.ts';
import { temporaryDirectory } from '../../bed/temporary-directory.ts';
import { runs } from '../../support/runs.ts';

const directory = temporaryDirectory();

/** What a program of that name is given by each command, when a shell runs them one after another. */
function argumentsGiven(program: string, commands: readonly string[]): readonly string[][] {
  const script = `${program}() { printf '%s\\0' "$@"; printf '\\1'; }\n${commands.join('\n')}\n`;
  const stdout = execFileSync('sh', ['-c', script], {
    cwd: directory,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 * 1024 * 1024,
  });
  const runs = stdout.split('\u0001').slice(0, -1);
  return runs.map((run) => run.split('\0').slice(0, -1));
}

/** What shells take for more than text. */
const meta = fc.constantFrom(
  ...["'", '"', '$', '&', ';', '|', '(', ')', '*', '?', '~', '#', '!', '=', '{', '}', '[', ']'],
  ...['<', '>', '\\', '`', ' ', '\t', '$(touch x)', '&touch x&', ';touch x;', "'touch x'", '%s'],
);
const text = fc
  .array(fc.oneof(meta, fc.string({ unit: 'grapheme', maxLength: 4 })), { maxLength: 12 })
  .map((parts) => parts.join('').replace(/[\0\u0001]/g, ''));

const url = fc
  .tuple(fc.constantFrom('https://n.test', 'http://[::1]:4443', 'https://N.test:1'), text)
  .map(([host, path]) => parseNotaryUrl(`${host}/${path}`))
  .filter((url) => typeof url === 'string');
const gun = fc
  .tuple(
    fc.stringMatching(/^[a-z0-9.]{1,9}(:\d{1,5})?$/),
    fc.stringMatching(/^[a-z0-9/._-]{1,20}$/),
  )
  .map(([host, path]) => gunOf(`${host}/${path}:1`))
  .filter((gun) => gun !== undefined);
const secretName = fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,30}[a-z0-9])?$/);
const secretKey = fc.stringMatching(/^[-._a-zA-Z0-9]{1,40}$/);

function gunOf(reference: string): string | undefined {
  try {
    return parseTagReference(reference).gun;
  } catch (error) {
    if (error instanceof SigningError) return undefined;
    throw error;
  }
}

t.test('a shell gives a program what stands in a command, and runs nothing else', async () => {
  const value = fc.oneof(url, gun, secretName, secretKey, text);
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 40 }), (values) => {
      const commands = values.map((each) => command`notary -s ${each} init ${each}`);
      assert.deepEqual(
        argumentsGiven('notary', commands.flatMap(commandsIn)),
        values.map((each) => ['-s', each, 'init', each]),
      );
      assert.deepEqual(readdirSync(directory), []);
    }),
    { numRuns: 100 },
  );
});

t.test('what needs no quotes has none', async (t) => {
  t.equal(
    command`notary -s ${'https://n.test:4443/a'} init ${'registry.test:5000/team/app_1'}`,
    '`notary -s https://n.test:4443/a init registry.test:5000/team/app_1`',
  );
  t.equal(
    command`notary -s ${'https://n.test/x&reboot&'} list`,
    "`notary -s 'https://n.test/x&reboot&' list`",
  );
});

t.test('a text is cut to so many bytes, and no command in it', async () => {
  const part = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 30 }).map((prose) => prose.replaceAll('`', '')),
    fc.tuple(url, text).map(([a, b]) => command`notary -s ${a} delete ${b} --remote && reboot`),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), fc.nat(400), (parts, bytes) => {
      const whole = parts.join(' ');
      const kept = cutText(whole, bytes + 3);
      assert.ok(Buffer.byteLength(kept) <= bytes + 3);
      if (kept === whole) return;
      assert.ok(kept.endsWith('…') && whole.startsWith(kept.slice(0, -1)));
      assert.equal(kept.replace(/`(?:'[^']*'|"[^"]*"|[^`'"])*`/g, '').includes('`'), false);
    }),
    runs(2000),
  );
});
