import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { findProgram } from '../bed/installed.ts';
import { projectDirectory } from '../bed/project-directory.ts';

/** Go builds it once, and keeps it in its cache. */
const ACTIONLINT = 'github.com/rhysd/actionlint/cmd/actionlint@v1.7.12';

const go = findProgram('go');
if (go === undefined) t.plan(0, 'there is no Go on PATH to build actionlint with');
else {
  t.test('actionlint finds nothing wrong in the workflows', async (t) => {
    const directory = join(projectDirectory(), '.github/workflows');
    const files = readdirSync(directory).map((file) => join(directory, file));
    // Without shellcheck and pyflakes, which not every machine has.
    const args = ['run', ACTIONLINT, '-shellcheck=', '-pyflakes=', ...files];
    const { status, stdout, stderr } = spawnSync(go, args, { encoding: 'utf8' });
    t.equal(status, 0, `${stdout}${stderr}`);
  });
}
