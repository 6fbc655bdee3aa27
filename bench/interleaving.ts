/** Takes turns, so that whatever else the machine does meets all subjects alike. */

/** Measures a subject once. */
export type Probe<Value> = () => Promise<Value>;

/**
 * Measures every subject once a round. Each round starts with another subject.
 *
 * @param rounds which count
 * @param warmUps rounds before them, which do not
 */
export async function interleave<Name extends string, Value>(
  rounds: number,
  subjects: Readonly<Record<Name, Probe<Value>>>,
  warmUps = 1,
): Promise<Record<Name, Value[]>> {
  const names = Object.keys(subjects) as Name[];
  const values = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<
    Name,
    Value[]
  >;
  for (let round = -warmUps; round < rounds; round += 1) {
    const first = (round + warmUps) % names.length;
    for (const name of [...names.slice(first), ...names.slice(0, first)]) {
      const value = await subjects[name]();
      if (round >= 0) values[name].push(value);
    }
  }
  return values;
}
