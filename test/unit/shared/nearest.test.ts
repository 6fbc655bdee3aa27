import t from 'tap';
import { nearest } from '../../../src/shared/nearest.ts';

t.test('the nearest word is at most three mistakes away', async (t) => {
  const words = ['report', 'root-pin', 'receipt', 'tag', 'deadline'];
  const cases: readonly (readonly [word: string, meant: string | undefined])[] = [
    ['report', 'report'],
    ['reprot', 'report'],
    ['rootpin', 'root-pin'],
    ['root_pins', 'root-pin'],
    ['reciept', 'receipt'],
    ['deadlne', 'deadline'],
    ['dedlin', 'deadline'],
    ['tga', 'tag'],
    ['something', undefined],
    ['deadlineabcd', undefined],
    ['rxyzrt', 'report'],
    ['xxxxrt', undefined],
    ['', undefined],
    ['t', undefined],
  ];
  for (const [word, meant] of cases) t.equal(nearest(word, words), meant, word);
  t.equal(nearest('abc', ['abd', 'abc']), 'abc', 'the nearest of several');
  t.equal(nearest('abx', ['abd', 'abc']), 'abd', 'the first of those as near');
  t.equal(nearest('abc', []), undefined);
});
