export type Note = {
  readonly text: string;
};

const NOTES: readonly Note[] = [{text: 'heron by the weir'}, {text: 'first frost'}];

export function latest(count: number): Note {
  const note = NOTES[count % NOTES.length];
  if (note === undefined) {
    throw new Error('no note yet');
  }
  return note;
}
