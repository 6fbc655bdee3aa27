/**
 * Loaded into the signer before itself (`node --import`): each of its steps on files in one directory
 * gets a name and is written to a log; one of them fails, or ends the process.
 *
 * Environment: LOCAL_FAULT_DIRECTORY, LOCAL_FAULT_LOG, and LOCAL_FAULT_STEP with LOCAL_FAULT_KIND
 * where there is to be one.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { relative } from 'node:path';

const {
  LOCAL_FAULT_DIRECTORY: directory = '',
  LOCAL_FAULT_LOG: log = '',
  LOCAL_FAULT_STEP: step,
  LOCAL_FAULT_KIND: kind = 'EIO',
} = process.env;
const { appendFileSync } = fs;
const counts = new Map<string, number>();

type Method = (...args: unknown[]) => unknown;

/** A method that has its turn noted, and fails where it is the one. */
function noted(name: string, pathOf: (args: unknown[]) => unknown, method: Method): Method {
  return function (this: unknown, ...args) {
    const path = pathOf(args);
    if (typeof path !== 'string' || !path.startsWith(`${directory}/`)) {
      return method.apply(this, args);
    }
    const what = `${name} ${relative(directory, path)}`;
    const count = (counts.get(what) ?? 0) + 1;
    counts.set(what, count);
    const call = `${what} #${count}`;
    appendFileSync(log, `${call}\n`);
    if (call === step) {
      if (kind === 'SIGKILL') process.kill(process.pid, 'SIGKILL');
      throw Object.assign(new Error(`${kind}: ${name}, '${path}'`), { code: kind, path });
    }
    return method.apply(this, args);
  };
}

const first = ([path]: unknown[]): unknown => path;
function note(owner: object, names: readonly string[], pathOf = first): void {
  const methods = owner as Record<string, Method>;
  for (const name of names) {
    const method = methods[name];
    if (!method) throw new Error(`Node has no ${name}`);
    methods[name] = noted(name, pathOf, method);
  }
}

/** As the asynchronous ones do, a failure is a rejection. */
function rejecting(method: Method): Method {
  return function (this: unknown, ...args) {
    return Promise.resolve().then(() => method.apply(this, args));
  };
}

note(fs, ['writeFileSync', 'renameSync', 'statSync', 'readFileSync', 'openSync', 'readdirSync']);
note(fs.promises, ['open', 'readFile', 'readdir']);
const promises = fs.promises as unknown as Record<'open' | 'readFile' | 'readdir', Method>;
for (const name of ['readFile', 'readdir'] as const) promises[name] = rejecting(promises[name]);
const open = rejecting(promises.open);
promises.open = async (...args) => {
  const handle = (await open(...args)) as Record<'stat' | 'readFile', Method>;
  for (const name of ['stat', 'readFile'] as const) {
    const own = noted(`handle.${name}`, () => first(args), handle[name].bind(handle));
    Object.defineProperty(handle, name, { value: rejecting(own) });
  }
  return handle;
};
syncBuiltinESMExports();
