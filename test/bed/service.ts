/**
 * A program that may go and come back, as servers do: the same command, on the same port.
 */
import { startChild, type Child, type ChildOptions } from './child.ts';

/** A running program that can be ended, frozen and started again. */
export interface Service {
  /** The process of now; another one after {@link Service.restart}. */
  readonly child: Child;
  /** The end of its log. */
  output(): string;
  /** SIGKILL, and all it held in memory is lost; resolves when it is gone. */
  kill(): Promise<void>;
  /** Stops the process: connections are accepted (by the kernel), and nothing is answered. */
  freeze(): void;
  /** Lets a frozen process go on. */
  thaw(): void;
  /** Starts it anew and waits until it is ready; a process that is still there is killed first. */
  restart(): Promise<void>;
  /** Resolves when it is gone. May be repeated. */
  stop(): Promise<void>;
}

/**
 * Starts a program and waits until it is ready.
 *
 * @throws Error as {@link startChild}
 */
export async function startService(options: ChildOptions): Promise<Service> {
  let child = await startChild(options);
  const end = (signal: NodeJS.Signals) => {
    child.kill(signal);
    child.kill('SIGCONT');
    return child.stop();
  };
  return {
    get child() {
      return child;
    },
    output: () => child.output(),
    kill: () => end('SIGKILL'),
    freeze: () => child.kill('SIGSTOP'),
    thaw: () => child.kill('SIGCONT'),
    restart: async () => {
      await end('SIGKILL');
      child = await startChild(options);
    },
    stop: () => end('SIGTERM'),
  };
}
