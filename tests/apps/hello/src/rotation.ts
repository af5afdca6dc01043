export type Person = {
  readonly name: string;
  readonly shifts: number;
};

/** Who serves in this turn: everybody as often as their shifts say, in the order of the roster. */
export function nextOnDuty(people: readonly Person[], turn: number): Person {
  const round = people.flatMap(person => Array.from({length: person.shifts}, () => person));
  const person = round[turn % round.length];
  if (person === undefined) {
    throw new Error('the roster is empty');
  }
  return person;
}
