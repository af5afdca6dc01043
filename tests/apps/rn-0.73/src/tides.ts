export type Tide = {
  readonly name: string;
};

const TIDES: readonly Tide[] = [{name: 'ebb'}, {name: 'low'}, {name: 'flood'}, {name: 'high'}];

export function tideAt(hour: number): Tide {
  const tide = TIDES[Math.floor(hour / 3) % TIDES.length];
  if (tide === undefined) {
    throw new RangeError('no such hour');
  }
  return tide;
}
