import t from 'tap';
import { Books } from '../fixtures/books.ts';

t.test('books of a relay as it must be', async (t) => {
  const books = new Books();
  books.accept('aa', '1');
  books.give('aa', 'historian');
  books.give('aa', 'historian');
  books.accept('aa', '1');
  books.burn('aa');
  books.give('bb', 'mirror'); // its sender got no answer
  t.same(books.faults, []);
  t.same(books.lost(), []);
  t.same(books.counts, { accepted: 1, given: 2, burned: 1 });
});

t.test('each fault is found, and named by its block', async (t) => {
  const faulty: Record<string, (books: Books) => void> = {
    'aa was given to historian and to mirror': (books) => books.give('aa', 'mirror'),
    'aa was accepted as 1 and again as 2': (books) => books.accept('aa', '2'),
  };
  for (const [fact, happen] of Object.entries(faulty)) {
    const books = new Books();
    books.accept('aa', '1');
    books.give('aa', 'historian');
    happen(books);
    t.same(books.faults, [fact]);
  }
  const burned = new Books();
  burned.give('aa', 'historian');
  burned.burn('aa');
  burned.give('aa', 'historian');
  t.same(burned.faults, ['aa came back after it was burned']);
  const lossy = new Books();
  lossy.accept('aa', '1');
  lossy.accept('bb', '2');
  lossy.give('bb', 'mirror');
  t.same(lossy.lost(), ['aa']);
});
