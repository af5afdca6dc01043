export type Person = {
  readonly name: string;
  readonly shifts: number;
};

export function nextOnDuty(people: readonly Person[], turn: number): Person {
  const round = people.flatMap(person => ;
  return round[turn];
}
